"""What each daemon of a database shows of all: which run, which delivers what, and how the tables do."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.fleet.orders import Answer, OrderKind
from intercomd_daemon.fleet.status import FleetMember, WorkspaceDelivery
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement

Open = Callable[..., Awaitable[PostgresqlSpool]]
QUIET = {"poll_seconds": 300.0}


def status(name: str = "default", calls: int = 3) -> ConnectionStatus:
    return ConnectionStatus(
        name=name,
        state=ConnectionState.DOWN,
        reason="calls fail",
        since=1.0,
        app_id="abc",
        workspace_name="Shop",
        region="eu",
        calls=calls,
        budget_limit=167,
        budget_plan=167,
        budget_remaining=5,
        window_seconds=10.0,
        window_ends=2.0,
        lanes_open=1,
        rows_read_ahead=2,
        next_probe=3.0,
        last_error="503",
    )


async def open_both(open_daemon: Open) -> tuple[PostgresqlSpool, PostgresqlSpool]:
    one, two = await open_daemon(**QUIET), await open_daemon(**QUIET)
    await one.set_workspaces({"default": "w"})
    return one, two


async def test_daemons_see_who_runs_and_whose_settings_differ(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_both(open_daemon)
    for spool, digest in ((one, "1"), (two, "2")):
        spool.fleet.join("0.2.0", {"spool": digest, "fleet.lease": "same"})
        await spool.fleet.read()
    await one.fleet.read()
    start = clock.wall
    assert one.fleet.status().members == [
        FleetMember("daemon-0", "0.2.0", start, start, True, ()),
        FleetMember("daemon-1", "0.2.0", start, start, True, ("spool",)),
    ]
    stopped_at = clock.monotonic
    two.leases.clock = lambda: stopped_at  # No heartbeat is due there any more.
    clock.wall += 12.0
    clock.monotonic += 12.0
    await one.fleet.read()
    assert [each.alive for each in one.fleet.status().members] == [True, False]
    await two.close()
    await one.fleet.read()
    assert [each.daemon_id for each in one.fleet.status().members] == ["daemon-0"], "it has stopped in order"


async def test_lost_member_is_forgotten_after_an_hour(open_daemon: Open, clock: SimpleNamespace, url: str) -> None:
    one = await open_daemon(**QUIET)
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO intercomd.members (incarnation, daemon_id, since, seen, connections, workspaces)"
        " VALUES ('x', 'lost', $1, $2, '{}', '{}')",
        clock.wall - 9_000.0,
        clock.wall,
    )
    await connection.close()
    one.fleet.join("0.2.0", {})  # Makes a heartbeat due by the clock of the test.
    await one.fleet.read()
    assert {each.daemon_id for each in one.fleet.status().members} == {"daemon-0", "lost"}
    clock.wall += 3_601.0
    clock.monotonic += 3_601.0
    await one.fleet.read()
    assert {each.daemon_id for each in one.fleet.status().members} == {"daemon-0"}


async def test_delivery_and_hand_overs_are_shown_by_every_daemon(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_both(open_daemon)
    await two.fleet.read()
    assert two.fleet.status().deliveries == []
    outflow = await one.acquire("w")
    await two.fleet.read()
    (delivery,) = two.fleet.status().deliveries
    assert delivery == WorkspaceDelivery("w", ("default",), "daemon-0", clock.wall, True, delivery.reason, "")
    assert two.fleet.deliverer("default") == "daemon-0"
    await outflow.release()
    await two.fleet.read()
    assert (two.fleet.status().deliveries[0].held, two.fleet.deliverer("default")) == (False, "")
    assert two.fleet.status().deliveries[0].reason == "released"
    clock.wall += 5.0
    await two.acquire("w")
    await one.fleet.read()
    (delivery,) = one.fleet.status().deliveries
    assert (delivery.daemon_id, delivery.since, delivery.previous) == ("daemon-1", clock.wall, "daemon-0")


async def test_lease_of_a_lost_owner_counts_as_not_held(open_daemon: Open, clock: SimpleNamespace) -> None:
    one, two = await open_both(open_daemon)
    await one.acquire("w")
    stopped = clock.monotonic
    one.leases.clock = lambda: stopped
    await two.fleet.read()
    clock.monotonic += 11.9
    await two.fleet.read()
    assert two.fleet.deliverer("default") == "daemon-0"
    clock.monotonic += 0.2
    await two.fleet.read()
    assert two.fleet.deliverer("default") == ""


async def test_status_of_a_connection_is_the_owners_report(open_daemon: Open) -> None:
    one, two = await open_both(open_daemon)
    outflow = await one.acquire("w")
    await two.fleet.read()
    assert two.fleet.connection_status("default") is None
    await outflow.report({"default": status()})
    await outflow.report({"default": status(calls=4)})
    await two.fleet.read()
    found = two.fleet.connection_status("default")
    assert found is not None
    assert (found.state, found.calls, found.delivered_by) == (ConnectionState.DOWN, 4, "daemon-0")
    await outflow.release()
    await two.fleet.read()
    assert two.fleet.connection_status("default") is None
    await two.acquire("w")
    await one.fleet.read()
    assert one.fleet.connection_status("default") is None, "the new owner has reported nothing yet"
    with pytest.raises(LeaseLost):
        await outflow.report({"default": status()})


async def test_pause_is_shown_as_soon_as_it_is_confirmed(open_daemon: Open) -> None:
    _, two = await open_both(open_daemon)
    assert not two.fleet.is_paused("default")
    assert await two.fleet.order("w", "default", OrderKind.PAUSE, 0, "") == Answer()
    assert two.fleet.is_paused("default")


async def test_outcomes_of_another_daemon_wake_watchers(
    open_daemon: Open, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    one, two = await open_daemon(), await open_daemon(poll_seconds=0.1)
    woken = asyncio.Event()
    two.fleet.on_outcomes(woken.set)
    (key,) = await one.append([row("a")])
    await (await one.acquire("w")).settle([Settlement("default", [ended(key, "a")])])
    async with asyncio.timeout(60):
        await woken.wait()


async def test_snapshot_that_is_held_open_is_shown_to_a_role_without_rights(
    open_daemon: Open, row: Callable[..., Incoming], url: str
) -> None:
    one, other = await open_daemon(**QUIET), await asyncpg.connect(url)
    await other.execute("CREATE ROLE reader LOGIN")
    await other.execute("GRANT USAGE ON SCHEMA intercomd TO reader; GRANT SELECT ON intercomd.log TO reader")
    reader = await asyncpg.connect(url.replace("intercomd@", "reader@"))
    transaction = other.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    await other.fetchval("SELECT count(*) FROM intercomd.log")
    for number in range(20):
        await one.append([row(str(number))])
    await one._reading.perform(one.fleet._read_health)
    health = one.fleet.status().database
    assert health.oldest_snapshot_transactions >= 20
    assert health.oldest_snapshot_seconds > 0
    assert health.dead_rows.keys() >= {"log", "parked", "journal_0", "leases"}
    await reader.execute("SET search_path = intercomd")
    await one.fleet._read_health(reader)
    assert one.fleet.status().database.oldest_snapshot_transactions >= 20
    await transaction.rollback()
    await one._reading.perform(one.fleet._read_health)
    assert one.fleet.status().database.oldest_snapshot_transactions < 20
    await reader.close()
    await other.execute("DROP OWNED BY reader; DROP ROLE reader")
    await other.close()


async def test_row_of_a_process_that_ended_long_ago_is_deleted(
    open_daemon: Open, clock: SimpleNamespace, url: str
) -> None:
    one = await open_daemon(**QUIET)
    await (await open_daemon(**QUIET)).close()
    clock.wall += 604_801.0
    await one.fleet.read()
    await one._reading.perform(one.fleet._forget)
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT DISTINCT incarnation FROM intercomd.daemons")
    await connection.close()
    assert [row["incarnation"] for row in found] == [one.incarnation]
