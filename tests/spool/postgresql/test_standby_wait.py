"""Commits that wait for a synchronous standby which is absent, and whose wait is cancelled: they are in doubt."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from daemons.process import WAIT_SECONDS
from database.server import server
from intercomd_daemon.errors import CommitUnknown, LeaseLost
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, Incoming, OutcomeFilter, Settlement

Open = Callable[..., Awaitable[PostgresqlSpool]]
Make = Callable[..., Incoming]
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'"
    " AND query LIKE '%' || $1 || '%' AND pid <> ALL ($2)"
)


QUIET = {"poll_seconds": 3_600.0, "lease_seconds": 300.0}
"""No commit but the test's waits for the standby, and keeps the locks for which the test's would wait."""


class Standby:
    """The standby of the server, which is absent."""

    def __init__(self, observer: asyncpg.Connection) -> None:
        self.observer = observer
        self._seen: list[int] = []

    def require(self) -> None:
        """Lets each commit wait for it, a moment later."""
        server().psql("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        server().psql("SELECT pg_reload_conf()")

    def give_up(self) -> None:
        """Lets no commit wait for it any more."""
        server().psql("ALTER SYSTEM RESET synchronous_standby_names")
        server().psql("SELECT pg_reload_conf()")

    async def waiting(self, statement: str) -> int | None:
        """Returns a backend that waits for it after a statement; None: none does."""
        found = await self.observer.fetchval(WAITING, statement, self._seen)
        return None if found is None else int(found)

    async def cancel(self, statement: str, task: asyncio.Task[Any]) -> None:
        """Cancels the wait of the next backend after a statement, which a task makes."""
        while (pid := await self.waiting(statement)) is None:
            assert not task.done(), f"{statement} did not wait for the standby"
        self._seen.append(pid)
        await self.observer.execute("SELECT pg_cancel_backend($1)", pid)


@pytest.fixture
async def standby(url: str) -> AsyncIterator[Standby]:
    observer = await asyncpg.connect(url)
    made = Standby(observer)
    yield made
    made.give_up()
    await observer.close()


async def waiting_append(spool: PostgresqlSpool, standby: Standby, row: Make) -> asyncio.Task[list[int]]:
    """Returns an append that waits for the standby: the server requires it a moment after the reload."""
    standby.require()
    for number in range(1_000):
        append = asyncio.create_task(spool.append([row(str(number))]))
        while not append.done():
            if await standby.waiting("append_1"):
                return append
    raise AssertionError


async def test_append_whose_wait_is_cancelled_is_accepted_once_the_standby_has_it(
    open_daemon: Open, row: Make, standby: Standby
) -> None:
    spool = await open_daemon(**QUIET)
    append = await waiting_append(spool, standby, row)
    await standby.cancel("append_1", append)
    await standby.cancel("begin_session_1", append)
    while await standby.waiting("begin_session_1") is None:
        assert not append.done(), "its commit, and that of the next session, are on this server alone"
    standby.give_up()
    (key,) = await append
    assert key == await standby.observer.fetchval("SELECT max(key) FROM intercomd.log")


async def test_append_whose_wait_is_cancelled_is_unknown_while_the_standby_is_away(
    open_daemon: Open, row: Make, standby: Standby
) -> None:
    spool = await open_daemon(**QUIET)
    spool._appends.in_doubt_seconds = 0.1
    append = await waiting_append(spool, standby, row)
    await standby.cancel("append_1", append)
    with pytest.raises(CommitUnknown):
        await append
    standby.give_up()


async def test_settlement_whose_wait_is_cancelled_ends_the_holding(
    open_daemon: Open, row: Make, ended: Callable[..., Completion], standby: Standby
) -> None:
    spool = await open_daemon(**QUIET)
    (key,) = await spool.append([row("a")])
    outflow = await spool.acquire("w")
    (await waiting_append(spool, standby, row)).add_done_callback(lambda append: append.exception())
    settle = asyncio.create_task(outflow.settle([Settlement("default", [ended(key)])]))
    await standby.cancel("settle_1", settle)
    with pytest.raises(LeaseLost):
        await settle
    standby.give_up()
    again = None
    async with asyncio.timeout(WAIT_SECONDS):
        while again is None:
            with suppress(LeaseLost):  # The settling session may begin after the workspace was acquired.
                again = await (await spool.acquire("w")).settle([Settlement("default", [ended(key)])])
    assert again == []
    assert [outcome.envelope_id for outcome in await spool.outcomes(OutcomeFilter(), 0, 10)] == ["a"]
