"""Two daemons that replay the same dead letters: each letter is replayed once."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import CommitUnknown, RetryLater
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, Settlement


async def test_letter_that_two_daemons_replay_is_appended_once(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
) -> None:
    one, two = await open_daemon(), await open_daemon()
    names = [str(number) for number in range(20)]
    keys = await one.append([row(name) for name in names])
    outflow = await one.acquire("w")
    ends = [ended(key, name, reason="REFUSED") for key, name in zip(keys, names, strict=True)]
    await outflow.settle([Settlement("default", ends)])
    await asyncio.gather(*(each.replay(DeadLetterFilter(), 20) for each in (one, two)))
    batch = await outflow.read("default", Priority.NORMAL, 0, 100, 1 << 20)
    assert len(batch.rows) == 20
    assert await one.count_dead_letters(DeadLetterFilter()) == 0


async def test_change_whose_answer_is_lost_is_reported_as_unknown(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
) -> None:
    """The letters may be taken; a refusal of the moment says that they are not."""
    spool = await open_daemon()
    with pytest.raises(CommitUnknown, match="list them again"):
        await spool._change(lambda session: session.execute("SELECT pg_terminate_backend(pg_backend_pid())"))
    refuse = "DO $$ BEGIN RAISE EXCEPTION 'no lock' USING ERRCODE = '{}'; END $$"
    with pytest.raises(RetryLater, match="no lock"):
        await spool._change(lambda session: session.execute(refuse.format("55P03")))
    with pytest.raises(asyncpg.PostgresError):
        await spool._change(lambda session: session.execute(refuse.format("XX000")))
