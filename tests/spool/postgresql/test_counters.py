"""Counters: a daemon sees other daemons' commits at the next poll."""

from collections.abc import Awaitable, Callable

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Completion, Incoming, Settlement
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool


async def test_poll_counts_the_commits_of_others_and_names_the_logs_that_grew(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
) -> None:
    one, two = await open_daemon(), await open_daemon()
    keys = await one.append([row("a"), row("b", priority=Priority.BULK)])
    assert await two._reading.perform(two.counters.poll) == [
        ("default", Priority.NORMAL),
        ("default", Priority.BULK),
    ]
    assert two.usage() == one.usage()
    await (await one.acquire("w")).settle([Settlement("default", [ended(keys[0], "a", reason="REFUSED")])])
    assert await two._reading.perform(two.counters.poll) == []
    assert two.usage() == one.usage()
    assert two.usage().connections["default"].dead_letters == 1
