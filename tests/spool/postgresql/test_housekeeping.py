"""What keeps the tables bounded while daemons run."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg

from intercomd_daemon.spool.base import Completion, Incoming, OutcomeFilter, Settlement
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool

Open = Callable[..., Awaitable[PostgresqlSpool]]


async def test_window_of_all_daemons_turns_once(
    open_daemon: Open, row: Callable[..., Incoming], clock: SimpleNamespace, url: str
) -> None:
    one = await open_daemon(duplicate_window_seconds=100.0)
    two = await open_daemon(duplicate_window_seconds=100.0)
    await one.append([row("a")])
    clock.wall, clock.monotonic = clock.wall + 101, clock.monotonic + 101
    for spool in (one, two):
        assert await spool.append([row("a")]) == [0]
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT generation FROM intercomd.generations") == 1
    await connection.close()


async def test_journal_turns_its_partitions_and_keeps_its_newest_outcomes(
    open_daemon: Open, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    spool = await open_daemon(outcomes_max=30)
    outflow = await spool.acquire("w")
    for number in range(12):
        names = [f"{number} {place}" for place in range(6)]
        keys = await spool.append([row(name) for name in names])
        await outflow.settle([Settlement("default", [ended(k, n) for k, n in zip(keys, names, strict=True)])])
        await spool._reading.perform(spool._housekeeping._rotate_journal)
    kept = await spool.outcomes(OutcomeFilter(), 0, 100)
    assert [each.sequence for each in kept] == list(range(72, 42, -1))
    held = await spool._reading.fetch_value("SELECT count(*) FROM journal")
    assert held <= 60


async def test_trims_run_on_a_used_spool(open_daemon: Open, row: Callable[..., Incoming]) -> None:
    spool = await open_daemon()
    await spool.append([row("a", seconds=((1, 1),))])
    await spool._reading.perform(spool._housekeeping._trim)
    assert await spool.seconds() == [(1, 1)]
