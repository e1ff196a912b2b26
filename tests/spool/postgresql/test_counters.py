"""Counters: a daemon sees other daemons' commits at the next poll."""

from collections.abc import Awaitable, Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, Settlement


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


@pytest.mark.parametrize("priority", list(Priority))
async def test_poll_stores_the_key_where_reads_start(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
    priority: Priority,
) -> None:
    one, two = await open_daemon(), await open_daemon()
    keys = await one.append([row(name, priority=priority) for name in "abc"])
    outflow = await one.acquire("w")
    assert one.counters.head(1, priority) == log_start(1, priority)

    async def head_after(*names: str) -> int:
        completions = [ended(keys["abc".index(name)], name) for name in names]
        await outflow.settle([Settlement("default", completions)])
        for spool in (one, two):
            await spool._reading.perform(spool.counters.poll)
        column = "bulk_head" if priority is Priority.BULK else "normal_head"
        stored = await one._reading.fetch_value(f"SELECT {column} FROM settled")  # noqa: S608 - one of two names
        assert one.counters.head(1, priority) == two.counters.head(1, priority) == stored
        return int(stored)

    assert await head_after("b") == keys[0] - 1, "the first row still waits"
    assert await head_after("a") == keys[2] - 1
    assert await head_after("c") == keys[2], "the log is empty"
    (later,) = await two.append([row("d", priority=priority)])
    batch = await outflow.read("default", priority, 0, 10, 1 << 20)
    assert [each.key for each in batch.rows] == [later]


async def test_read_from_the_head_finds_parked_and_replayed_rows(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
) -> None:
    spool = await open_daemon()
    keys = await spool.append([row("a", "ann"), row("b", "bob")])
    outflow = await spool.acquire("w")
    await outflow.park("default", "c:ann", keys[:1], 5.0, 1)
    await outflow.settle([Settlement("default", [ended(keys[1], "b", "bob", reason="REFUSED")])])
    await spool._reading.perform(spool.counters.poll)
    assert spool.counters.head(1, Priority.NORMAL) == keys[1]
    assert await spool.replay(DeadLetterFilter(), 1) == 1
    await spool._reading.perform(spool.counters.poll)
    assert [each.lane for each in (await outflow.read("default", Priority.NORMAL, 0, 10, 1 << 20)).rows] == ["c:bob"]
    assert [each.lane for each in (await outflow.parked("default", "c:ann", 0, 10, 1 << 20)).rows] == ["c:ann"]
