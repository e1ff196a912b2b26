"""Rejected and skipped envelopes of daemons that share a database."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.envelope import Finding, Refusal
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.refusals import BYTES_MAX
from intercomd_daemon.spool.trail import TrailFilter

Open = Callable[..., Awaitable[PostgresqlSpool]]


def refusal(name: str, clock: SimpleNamespace, connection: str = "default", message: str = "no") -> Refusal:
    violations = (Finding("EMPTY_ENVELOPE", "", message),)
    return Refusal(clock.wall, name, connection, "ann\0", "ann@example.com", 4, violations, "", "billing")


async def names(spool: PostgresqlSpool, **wanted: object) -> list[str]:
    return [each.envelope_id for each in await spool.refusals(TrailFilter(**wanted), 0, 10_000)]


async def test_refusals_of_one_daemon_are_listed_by_another(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_daemon(), await open_daemon()
    one.keep_refusals([refusal("1", clock), refusal("2", clock, "eu")])
    await one._refusals.write()
    assert await names(two, customer_id="ann\0") == ["2", "1"]
    assert await names(two, email="ann@example.com", allowed=("eu",)) == ["2"]
    assert await names(two, connection="default", envelope_id="1") == ["1"]
    assert await names(two, customer_id="bob") == []
    (found,) = await two.refusals(TrailFilter(connection="eu"), 0, 10)
    assert found == replace(refusal("2", clock, "eu"), number=found.number)


async def test_refusals_are_written_by_themselves_and_at_the_end(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_daemon(), await open_daemon()
    one.keep_refusals([refusal("soon", clock)])
    async with asyncio.timeout(60):
        while not await names(two):
            pass
    one.keep_refusals([refusal("last", clock)])
    await one.close()
    assert await names(two) == ["last", "soon"]


async def test_flood_of_one_share_does_not_displace_others(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_daemon(refusals_max=10), await open_daemon(refusals_max=10)
    one.keep_refusals([refusal("few", clock, "eu")])
    await one._refusals.write()
    for start in range(0, 40, 10):
        two.keep_refusals([refusal(str(start + n), clock) for n in range(10)])
        await two._refusals.write()
    assert await names(one) == [*map(str, range(39, 30, -1)), "few"]


async def test_size_and_age_of_refusals_are_bounded(open_daemon: Open, clock: SimpleNamespace, url: str) -> None:
    one = await open_daemon(outcomes_kept_seconds=100.0)
    one.keep_refusals([refusal("old", clock)])
    await one._refusals.write()
    clock.wall += 101.0
    for start in range(3):
        one.keep_refusals([refusal(f"{start} {n}", clock, message=f"{n:0>500}") for n in range(8_000)])
        await one._refusals.write()
    connection = await asyncpg.connect(url)
    size, oldest = await connection.fetchrow("SELECT sum(size), min(time) FROM intercomd.refusals")
    await connection.close()
    assert size <= BYTES_MAX
    assert oldest == clock.wall


async def test_refusals_wait_while_the_database_is_away(open_daemon: Open, clock: SimpleNamespace) -> None:
    one = await open_daemon()
    one._reading.away = "in this test"
    one.keep_refusals([refusal("1", clock)])
    await one._refusals._write_if_possible()
    one._reading.away = ""
    one.keep_refusals([refusal("2", clock)])
    assert await names(one) == ["2", "1"]
