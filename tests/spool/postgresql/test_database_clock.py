"""Stored times are the same in every daemon, however the clocks of their hosts are set."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import asyncpg
import pytest

from database.server import database_time
from intercomd_daemon.spool.postgresql.database_clock import DatabaseClock, read_time
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rows import Completion, Incoming, OutcomeFilter, Settlement

HOUR = 3_600.0


@asynccontextmanager
async def daemon(url: str, clock: SimpleNamespace, ahead: float, **settings: object) -> AsyncIterator[PostgresqlSpool]:
    """Opens the spool on a host whose clock is ahead."""
    spool = await open_spool(
        PostgresqlSettings(**{"url": url, "poll_seconds": HOUR, **settings}),
        wall=lambda: clock.wall + ahead,
        monotonic=lambda: clock.monotonic,
        database_time=database_time(lambda: clock.wall),
    )
    yield spool
    await spool.close()


async def test_difference_to_the_database_is_measured(url: str) -> None:
    connection = await asyncpg.connect(url)
    clocks = [DatabaseClock(wall) for wall in (lambda: 0.0, lambda: -HOUR, lambda: 1e10)]
    for clock in clocks:
        await clock.measure(connection)
    times = [clock.now() for clock in clocks]
    assert times == sorted(times)
    assert await read_time(connection) >= times[-1]
    await connection.close()


async def test_difference_stays_within_what_the_last_measurement_allows() -> None:
    walls = iter([100.0, 104.0, 1_000.0, 1_001.0, 2_000.0, 2_000.5, 3_000.0])
    times = iter([202.0, 1_100.0, 2_200.0])

    async def read(_: asyncpg.Connection) -> float:
        return next(times)

    clock, connection = DatabaseClock(walls.__next__, read), SimpleNamespace()
    await clock.measure(connection)  # 98 to 102 s ahead
    await clock.measure(connection)  # 99 to 100 s ahead
    await clock.measure(connection)  # the database's clock was set: 199.5 to 200 s ahead
    assert clock.now() == 3_000.0 + 199.5


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_window_lasts_as_long_with_a_host_an_hour_apart(
    url: str, clock: SimpleNamespace, row: Callable[..., Incoming], ahead: float
) -> None:
    window = {"duplicate_window_seconds": 600.0}
    async with daemon(url, clock, 0.0, **window) as one, daemon(url, clock, ahead, **window) as two:
        await one.append([row("a")])
        clock.wall, clock.monotonic = clock.wall + 599, clock.monotonic + 599
        assert await two.append([row("a")]) == [0]
        assert await two._reading.fetch_value("SELECT generation FROM generations") == 0
        clock.wall, clock.monotonic = clock.wall + 2, clock.monotonic + 2
        await two.append([row("b")])
        assert await two._reading.fetch_value("SELECT generation FROM generations") == 1


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_outcomes_are_kept_as_long_with_a_host_an_hour_apart(
    url: str,
    clock: SimpleNamespace,
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
    ahead: float,
) -> None:
    kept = {"outcomes_kept_seconds": 600.0}
    async with daemon(url, clock, 0.0, **kept) as one, daemon(url, clock, ahead, **kept) as two:
        (key,) = await one.append([row("a")])
        assert two.now() == one.now() == clock.wall
        (await (await one.acquire("w")).settle([Settlement("default", [ended(key)])]))
        clock.wall += 600
        for spool in (one, two):
            assert len(await spool.outcomes(OutcomeFilter(), 0, 10)) == 1
        clock.wall += 2
        for spool in (one, two):
            assert await spool.outcomes(OutcomeFilter(), 0, 10) == []


async def test_claim_and_oldest_row_have_the_time_of_all_daemons(
    url: str, clock: SimpleNamespace, row: Callable[..., Incoming]
) -> None:
    async with daemon(url, clock, HOUR) as one, daemon(url, clock, -HOUR) as two:
        await one.append([row("a")])
        await (await two.acquire("w")).release()
        assert await one._reading.fetch_value("SELECT since FROM leases") == clock.wall
        await two._reading.perform(two.counters.poll)
        assert two.usage().connections["default"].oldest_accept_time == clock.wall
