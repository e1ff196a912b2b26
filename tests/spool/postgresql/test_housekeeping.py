"""What keeps the tables bounded while daemons run."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest

from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.housekeeping import CARRIED_PER_COMMIT
from intercomd_daemon.spool.rows import Completion, Incoming, OutcomeFilter, Settlement

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


async def turn(spool: PostgresqlSpool, clock: SimpleNamespace) -> None:
    """Starts a new generation of a window of 100 s."""
    clock.wall, clock.monotonic = clock.wall + 101, clock.monotonic + 101
    await spool._housekeeping.rotate_if_due()


async def test_id_is_known_for_the_window_and_forgotten_after_two(
    open_daemon: Open, row: Callable[..., Incoming], ended: Callable[..., Completion], clock: SimpleNamespace
) -> None:
    spool = await open_daemon(duplicate_window_seconds=100.0, poll_seconds=3_600.0)
    (key,) = await spool.append([row("a")])
    await (await spool.acquire("w")).settle([Settlement("default", [ended(key)])])
    for expected in (True, False):
        await turn(spool, clock)
        await spool._housekeeping._empty_outgoing(50)
        assert await spool._reading.fetch_value("SELECT count(*) > 0 FROM recent") is expected


@pytest.mark.fills("spool.postgresql.housekeeping.CARRIED_PER_COMMIT")
async def test_ids_that_still_wait_are_carried_over_in_steps(
    open_daemon: Open, row: Callable[..., Incoming], ended: Callable[..., Completion], clock: SimpleNamespace
) -> None:
    one, two = [await open_daemon(duplicate_window_seconds=100.0, poll_seconds=3_600.0) for _ in range(2)]
    count = CARRIED_PER_COMMIT + 500
    keys = await one.append([row(str(number)) for number in range(count)])
    outflow = await one.acquire("w")
    await outflow.settle([Settlement("default", [ended(key, str(n)) for n, key in enumerate(keys) if n % 2])])
    for generation in (1, 2):
        await turn(one, clock)
        assert await one._reading.fetch_value("SELECT generation FROM generations") == generation
    assert await one._reading.fetch_value("SELECT NOT carried AND carried_connection = 1 FROM generations")
    await two._reading.perform(two._housekeeping._read_generation)
    await two._housekeeping._empty_outgoing(1)
    assert await one._reading.fetch_value("SELECT carried AND emptied FROM generations")
    await turn(two, clock)
    await two._housekeeping._empty_outgoing(50)
    assert await one._reading.fetch_value("SELECT count(*) FROM recent") == count // 2
    again = await one.append([row(str(number)) for number in range(count)])
    assert [key == 0 for key in again] == [number % 2 == 0 for number in range(count)]


async def test_outgoing_ids_are_emptied_after_their_readers(
    open_daemon: Open, row: Callable[..., Incoming], clock: SimpleNamespace, url: str
) -> None:
    spool = await open_daemon(duplicate_window_seconds=100.0, poll_seconds=3_600.0)
    await spool.append([row("a")])
    reader = await asyncpg.connect(url)
    reading = reader.transaction()
    await reading.start()
    await reader.fetch("SELECT FROM intercomd.recent")
    await turn(spool, clock)
    await spool._housekeeping._empty_outgoing(50)
    state = "SELECT ARRAY[carried, emptied] FROM generations"
    assert await spool._reading.fetch_value(state) == [True, False], "the truncation does not wait for the reader"
    assert await spool.append([row("b")]) != [0], "appends go on"
    await reading.rollback()
    await spool._housekeeping._empty_outgoing(50)
    assert await spool._reading.fetch_value(state) == [True, True]
    await reader.close()


async def test_rows_of_counters_are_updated_in_place(
    open_daemon: Open, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    spool = await open_daemon()
    outflow = await spool.acquire("w")
    for number in range(60):
        (key,) = await spool.append([row(str(number))])
        await outflow.settle([Settlement("default", [ended(key, str(number))])])
        await spool._reading.perform(spool.counters.poll)
    tables = ("appended", "settled", "journal_counter", "leases", "generations", "daemons")
    for session in (spool._appending, spool.settling, spool._reading, spool._control):
        await session.fetch("SELECT pg_stat_force_next_flush()")
    rows = await spool._reading.fetch(
        "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = ANY ($1)", list(tables)
    )
    assert {each["relname"] for each in rows} == set(tables)
    assert [each for each in rows if each["n_tup_upd"] != each["n_tup_hot_upd"]] == []
