"""Prometheus families of values that other parts keep: the spool's usage and the connections' states and budgets."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.spool.rows import Usage

# A workspace has at most 120 active event names (I26) and 250 custom attributes (I20).
EVENT_NAMES_LIMIT = 120
CUSTOM_ATTRIBUTES_LIMIT = 250

_BUDGET: tuple[tuple[str, str, Callable[[ConnectionStatus], float]], ...] = (
    ("budget_limit", "Calls that Intercom allows in a window, by its last answer.", lambda status: status.budget_limit),
    ("budget_plan", "Calls that the daemon plans to make in a window.", lambda status: status.budget_plan),
    ("budget_remaining", "Calls left in the current window.", lambda status: status.budget_remaining),
    ("budget_window_seconds", "Length of Intercom's window.", lambda status: status.window_seconds),
    ("lanes_open", "Lanes (users) with a call in flight.", lambda status: status.lanes_open),
    (
        "rows_read_ahead",
        "Envelopes in memory: read from the spool and not settled.",
        lambda status: status.rows_read_ahead,
    ),
)


def connection_families(
    statuses: Sequence[ConnectionStatus], states: Mapping[str, ConnectionState]
) -> Iterator[Metric]:
    """Yields the connections' states and budgets."""
    family = GaugeMetricFamily(
        "intercomd_connection_state",
        "1 for the current state of the connection, 0 for the others.",
        labels=("connection", "state"),
    )
    for name, current in states.items():
        for state in ConnectionState:
            family.add_metric((name, state.name.lower()), state is current)
    yield family
    for name, documentation, measure in _BUDGET:
        family = GaugeMetricFamily(f"intercomd_{name}", documentation, labels=("connection",))
        for status in statuses:
            family.add_metric((status.name,), measure(status))
        yield family


def workspace_families(event_names: Mapping[str, int], custom_attributes: Mapping[str, int]) -> Iterator[Metric]:
    """Yields how much of the workspace's names is in use, by connection, and Intercom's limits."""
    for name, documentation, counts in (
        ("event_names_in_use", "Different event names delivered since the start; 1000: or more.", event_names),
        ("custom_attributes_in_use", "Custom attributes of the workspace, as last read.", custom_attributes),
    ):
        family = GaugeMetricFamily(f"intercomd_{name}", documentation, labels=("connection",))
        for connection, count in counts.items():
            family.add_metric((connection,), count)
        yield family
    yield GaugeMetricFamily(
        "intercomd_event_names_limit", "Active event names that Intercom allows in a workspace.", EVENT_NAMES_LIMIT
    )
    yield GaugeMetricFamily(
        "intercomd_custom_attributes_limit",
        "Custom attributes that Intercom allows in a workspace.",
        CUSTOM_ATTRIBUTES_LIMIT,
    )


def spool_families(usage: Usage, now: float) -> Iterator[Metric]:
    """Yields the number and age of waiting envelopes and the spool's size; `now` is Unix seconds."""
    waiting = GaugeMetricFamily(
        "intercomd_spool_envelopes", "Envelopes that wait for delivery.", labels=("connection", "priority")
    )
    parked = GaugeMetricFamily(
        "intercomd_spool_parked_lanes",
        "Parked lanes: users whose calls fail while others succeed, or with many envelopes.",
        labels=("connection",),
    )
    letters = GaugeMetricFamily("intercomd_spool_dead_letters", "Dead letters in the spool.", labels=("connection",))
    taken = GaugeMetricFamily(
        "intercomd_spool_connection_bytes", "Bytes that count to the quota, by connection.", labels=("connection",)
    )
    oldest = GaugeMetricFamily(
        "intercomd_spool_oldest_age_seconds", "Age of the oldest waiting envelope.", labels=("connection",)
    )
    for name, log in usage.connections.items():
        waiting.add_metric((name, "normal"), log.normal)
        waiting.add_metric((name, "bulk"), log.bulk)
        parked.add_metric((name,), log.parked_lanes)
        letters.add_metric((name,), log.dead_letters)
        taken.add_metric((name,), log.bytes)
        oldest.add_metric((name,), max(0.0, now - log.oldest_accept_time) if log.oldest_accept_time else 0.0)
    yield from (waiting, parked, letters, taken, oldest)
    fill = min(1.0, usage.bytes / usage.bytes_max) if usage.bytes_max else 0.0
    yield GaugeMetricFamily("intercomd_spool_bytes", "Bytes that count to the quota.", value=usage.bytes)
    yield GaugeMetricFamily("intercomd_spool_max_bytes", "The quota, spool.bytes_max.", value=usage.bytes_max)
    yield GaugeMetricFamily("intercomd_spool_fill_ratio", "Bytes in use as a share of the quota, 0 to 1.", value=fill)
    yield GaugeMetricFamily(
        "intercomd_spool_refusing",
        "1 while the spool refuses requests because it or its disk is full or failing, or the database is away.",
        value=bool(usage.full_reason),
    )


def fleet_families(fleet: FleetStatus, statuses: Sequence[ConnectionStatus]) -> Iterator[Metric]:
    """Yields the daemons that share the spool, what this one delivers, and the health of the database."""
    delivered = GaugeMetricFamily(
        "intercomd_connection_delivered",
        "1 if this daemon delivers the connection; of all daemons of a fleet, one has 1.",
        labels=("connection",),
    )
    for status in statuses:
        delivered.add_metric((status.name,), bool(status.delivered_by) and not status.elsewhere)
    yield delivered
    alive = [member for member in fleet.members if member.alive]
    yield GaugeMetricFamily("intercomd_fleet_daemons", "Daemons that share the spool and run.", value=len(alive))
    yield GaugeMetricFamily(
        "intercomd_fleet_daemons_with_other_settings",
        "Running daemons whose settings differ from this one's.",
        value=sum(bool(member.differing) for member in alive),
    )
    database = fleet.database
    yield GaugeMetricFamily(
        "intercomd_database_oldest_snapshot_transactions",
        "Transactions since the oldest snapshot in use; dead rows since then stay.",
        value=database.oldest_snapshot_transactions,
    )
    yield GaugeMetricFamily(
        "intercomd_database_oldest_snapshot_seconds",
        "Age of the oldest transaction with a snapshot that the role may see.",
        value=database.oldest_snapshot_seconds,
    )
    dead = GaugeMetricFamily("intercomd_database_dead_rows", "Dead rows of the spool's tables.", labels=("table",))
    for table, rows in sorted(database.dead_rows.items()):
        dead.add_metric((table,), rows)
    yield dead
