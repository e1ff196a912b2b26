"""The part of `intercomd status` about a fleet."""

import click
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.fleet import COLUMNS, remarks_of, rows_of
from intercomd_daemon.cli.format import timestamp
from intercomd_daemon.cli.layout import lay_out_table

START = Timestamp(seconds=1_790_000_000)


REMEDY = " Dead rows stay until it ends: look for old transactions, prepared transactions and replication slots"


def member(name: str, *, alive: bool = True, **fields: object) -> messages.FleetMember:
    seen = Duration(seconds=1 if alive else 65)
    return messages.FleetMember(
        daemon_id=name, version="0.2.0", alive=alive, start_time=START, silent_for=seen, **fields
    )


def delivery(**fields: object) -> messages.WorkspaceDelivery:
    shown = {"connections": ["eu", "us"], "daemon_id": "gateway-a", "since_time": START, "delivered": True, **fields}
    return messages.WorkspaceDelivery(workspace="https://api.intercom.io abc", **shown)


def test_daemons_are_listed_with_what_they_deliver() -> None:
    fleet = messages.Fleet(
        daemon_id="gateway-b",
        members=[member("gateway-a"), member("gateway-b"), member("gateway-\x1bc", alive=False)],
        deliveries=[delivery(), delivery(connections=["au"], daemon_id="gateway-\x1bc", delivered=False)],
    )
    rows = rows_of(fleet)
    assert rows == [
        ["gateway-a", "running", "0.2.0", "eu, us"],
        ["gateway-b *", "running", "0.2.0", "-"],
        [rows[2][0], "lost 1.1 min ago", "0.2.0", "-"],
    ]
    assert "\x1b" not in rows[2][0]


def test_table_of_a_fleet_fits_80_columns() -> None:
    names = [f"intercomd-gateway-7d9f6bd5c4-{n}{n}{n}{n}{n}-1a2b3c" for n in range(3)]
    deliveries = [delivery(daemon_id=names[0], connections=["checkout", "marketing", "support", "warehouse"])]
    fleet = messages.Fleet(daemon_id=names[1], members=[member(name) for name in names], deliveries=deliveries)
    lines = lay_out_table(COLUMNS, rows_of(fleet), 80)
    assert max(len(click.unstyle(line)) for line in lines) <= 80


def test_hand_overs_and_problems_are_remarks() -> None:
    at = timestamp(START)
    fleet = messages.Fleet(
        daemon_id="gateway-a",
        members=[
            member("gateway-a"),
            member("gateway-b", differing_settings=["connections.eu", "spool"]),
            member("gateway-c", alive=False, differing_settings=["spool"]),
        ],
        deliveries=[
            delivery(),
            delivery(connections=["au"], previous_daemon_id="gateway-b", hand_over_reason="lease ended"),
            delivery(connections=["in"], delivered=False, hand_over_reason="released"),
            messages.WorkspaceDelivery(workspace="never", connections=["ca"]),
            delivery(connections=[]),
        ],
        database=messages.DatabaseHealth(
            oldest_snapshot_transactions=1_000_000, oldest_snapshot_age=Duration(seconds=3_600), dead_rows=2_000_000
        ),
    )
    assert remarks_of(fleet) == [
        f"eu, us: delivered by gateway-a since {at}",
        f"au: delivered by gateway-a since {at}, before by gateway-b: lease ended",
        "in: no daemon delivers; the last was gateway-a: released",
        "gateway-b has other settings than gateway-a: connections.eu, spool",
        "The database: 1,000,000 transactions since the oldest snapshot (1 h old)." + REMEDY,
        "The database: 2,000,000 dead rows in the spool's tables: check autovacuum",
    ]


def test_fleet_in_order_has_no_remarks() -> None:
    database = messages.DatabaseHealth(oldest_snapshot_transactions=999_999, dead_rows=999_999)
    assert remarks_of(messages.Fleet(daemon_id="a", members=[member("a")], database=database)) == []
    database = messages.DatabaseHealth(oldest_snapshot_transactions=1_000_000)
    (remark,) = remarks_of(messages.Fleet(database=database))
    assert "snapshot. Dead rows" in remark
