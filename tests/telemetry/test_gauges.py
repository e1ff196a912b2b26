"""The spool's counters and the connections' budgets, as a scrape sees them."""

from collections.abc import Iterable

import msgspec
from prometheus_client.core import Metric

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.fleet.status import DatabaseHealth, FleetMember, FleetStatus
from intercomd_daemon.spool.rows import LogUsage, Usage
from intercomd_daemon.telemetry.gauges import connection_families, fleet_families, spool_families, workspace_families

STATUS = ConnectionStatus(
    name="default",
    state=ConnectionState.DOWN,
    reason="Intercom does not answer",
    since=0.0,
    app_id="abc",
    workspace_name="Shop",
    region="us",
    calls=7,
    budget_limit=167,
    budget_plan=163,
    budget_remaining=12,
    window_seconds=10.0,
    lanes_open=3,
    rows_read_ahead=40,
)


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_spools_counters_are_shown_by_connection() -> None:
    log = LogUsage(normal=5, bulk=2, parked_lanes=1, dead_letters=4, bytes=900, oldest_accept_time=1_000.0)
    found = samples(spool_families(Usage({"default": log, "idle": LogUsage()}, 1_000, 4_000, ""), now=1_060.0))
    assert found == {
        ("intercomd_spool_envelopes", "default", "normal"): 5,
        ("intercomd_spool_envelopes", "default", "bulk"): 2,
        ("intercomd_spool_envelopes", "idle", "normal"): 0,
        ("intercomd_spool_envelopes", "idle", "bulk"): 0,
        ("intercomd_spool_parked_lanes", "default"): 1,
        ("intercomd_spool_parked_lanes", "idle"): 0,
        ("intercomd_spool_dead_letters", "default"): 4,
        ("intercomd_spool_dead_letters", "idle"): 0,
        ("intercomd_spool_connection_bytes", "default"): 900,
        ("intercomd_spool_connection_bytes", "idle"): 0,
        ("intercomd_spool_oldest_age_seconds", "default"): 60.0,
        ("intercomd_spool_oldest_age_seconds", "idle"): 0.0,
        ("intercomd_spool_bytes",): 1_000,
        ("intercomd_spool_max_bytes",): 4_000,
        ("intercomd_spool_fill_ratio",): 0.25,
        ("intercomd_spool_refusing",): 0,
    }


def test_refusing_spool_is_shown() -> None:
    assert samples(spool_families(Usage({}, 0, 0, "the disk is full"), now=0.0))[("intercomd_spool_refusing",)] == 1


def test_envelope_from_a_clock_ahead_has_no_age() -> None:
    usage = Usage({"default": LogUsage(oldest_accept_time=2_000.0)}, 0, 1, "")
    assert samples(spool_families(usage, now=1_000.0))[("intercomd_spool_oldest_age_seconds", "default")] == 0.0


def test_connection_has_one_state_and_shows_its_budget() -> None:
    found = samples(connection_families([STATUS], {"default": ConnectionState.DOWN}))
    states = {key[2]: value for key, value in found.items() if key[0] == "intercomd_connection_state"}
    assert states == {
        "verifying": 0, "delivering": 0, "down": 1, "suspended": 0, "paused": 0, "inactive": 0,
    }  # fmt: skip
    assert found[("intercomd_budget_limit", "default")] == 167
    assert found[("intercomd_budget_plan", "default")] == 163
    assert found[("intercomd_budget_remaining", "default")] == 12
    assert found[("intercomd_budget_window_seconds", "default")] == 10.0
    assert found[("intercomd_lanes_open", "default")] == 3
    assert found[("intercomd_rows_read_ahead", "default")] == 40


def test_budget_is_shown_by_connection() -> None:
    other = msgspec.structs.replace(STATUS, name="eu", budget_limit=83)
    found = samples(connection_families([STATUS, other], {}))
    assert (found[("intercomd_budget_limit", "default")], found[("intercomd_budget_limit", "eu")]) == (167, 83)


def test_names_in_use_are_shown_beside_intercoms_limits() -> None:
    assert samples(workspace_families({"default": 7}, {"default": 249})) == {
        ("intercomd_event_names_in_use", "default"): 7,
        ("intercomd_event_names_limit",): 120,
        ("intercomd_custom_attributes_in_use", "default"): 249,
        ("intercomd_custom_attributes_limit",): 250,
    }


def test_fleet_and_database_are_shown() -> None:
    members = [
        FleetMember("a", "0.2.0", 1.0, 2.0, True, ()),
        FleetMember("b", "0.2.0", 1.0, 2.0, True, ("spool",)),
        FleetMember("c", "0.2.0", 1.0, 2.0, False, ("spool",)),
    ]
    statuses = [
        msgspec.structs.replace(STATUS, delivered_by="a"),
        msgspec.structs.replace(STATUS, name="eu", delivered_by="b", elsewhere=True),
        msgspec.structs.replace(STATUS, name="us"),
    ]
    status = FleetStatus("a", members, database=DatabaseHealth(12, 3.5, {"log": 7, "parked": 1}))
    assert samples(fleet_families(status, statuses)) == {
        ("intercomd_connection_delivered", "default"): 1,
        ("intercomd_connection_delivered", "eu"): 0,
        ("intercomd_connection_delivered", "us"): 0,
        ("intercomd_fleet_daemons",): 2,
        ("intercomd_fleet_daemons_with_other_settings",): 1,
        ("intercomd_database_oldest_snapshot_transactions",): 12,
        ("intercomd_database_oldest_snapshot_seconds",): 3.5,
        ("intercomd_database_dead_rows", "log"): 7,
        ("intercomd_database_dead_rows", "parked"): 1,
    }
