"""The part of `intercomd status` about the daemons that share a spool."""

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.format import duration_of, printable, quantity, timestamp
from intercomd_daemon.cli.layout import Column

COLUMNS = (
    Column("daemon", style="bold"),
    Column("state", typical=14),
    Column("version"),
    Column("delivers", typical=12),
)
SNAPSHOT_TRANSACTIONS = 1_000_000
"""A snapshot this old holds up the removal of dead rows noticeably."""
DEAD_ROWS = 1_000_000


def rows_of(fleet: messages.Fleet) -> list[list[str]]:
    """Returns a row for each daemon: the called one is marked with a star."""
    return [_row(fleet, member) for member in fleet.members]


def _row(fleet: messages.Fleet, member: messages.FleetMember) -> list[str]:
    name = printable(member.daemon_id)
    delivers = [
        name
        for delivery in fleet.deliveries
        if member.alive and delivery.delivered and delivery.daemon_id == member.daemon_id
        for name in delivery.connections
    ]
    return [
        name + (" *" if member.daemon_id == fleet.daemon_id else ""),
        "running" if member.alive else f"lost {duration_of(member.silent_for)} ago",
        printable(member.version),
        printable(", ".join(delivers)) or "-",
    ]


def remarks_of(fleet: messages.Fleet) -> list[str]:
    """Returns a line for each hand-over, and for each problem that an operator should look at."""
    lines = [line for delivery in fleet.deliveries for line in _hand_over(delivery)]
    for member in fleet.members:
        if member.alive and member.differing_settings:
            sections = printable(", ".join(member.differing_settings))
            lines.append(
                f"{printable(member.daemon_id)} has other settings than {printable(fleet.daemon_id)}: {sections}"
            )
    database = fleet.database
    if database.oldest_snapshot_transactions >= SNAPSHOT_TRANSACTIONS:
        age = f" ({duration_of(database.oldest_snapshot_age)} old)" if database.HasField("oldest_snapshot_age") else ""
        begun = quantity(database.oldest_snapshot_transactions, "transaction")
        lines.append(
            f"The database: {begun} since the oldest snapshot{age}. Dead rows stay until it ends: look for old"
            " transactions, prepared transactions and replication slots"
        )
    if database.dead_rows >= DEAD_ROWS:
        lines.append(
            f"The database: {quantity(database.dead_rows, 'dead row')} in the spool's tables: check autovacuum"
        )
    return lines


def _hand_over(delivery: messages.WorkspaceDelivery) -> list[str]:
    names, daemon = printable(", ".join(delivery.connections)), printable(delivery.daemon_id)
    reason = f": {printable(delivery.hand_over_reason)}" if delivery.hand_over_reason else ""
    if not names or not delivery.HasField("since_time"):
        return []
    if not delivery.delivered:
        return [f"{names}: no daemon delivers; the last was {daemon}{reason}"]
    since = f"{names}: delivered by {daemon} since {timestamp(delivery.since_time)}"
    before = f", before by {printable(delivery.previous_daemon_id)}{reason}" if delivery.previous_daemon_id else ""
    return [since + before]
