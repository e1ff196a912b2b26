"""The message about the daemons that share a spool."""

from google.protobuf.json_format import MessageToDict

from intercomd_daemon.fleet.status import DatabaseHealth, FleetMember, FleetStatus, WorkspaceDelivery
from intercomd_daemon.operations.fleet_message import fleet_message


def test_fleet_is_converted_with_absent_times_left_out() -> None:
    status = FleetStatus(
        "b",
        [
            FleetMember("a", "0.2.0", 900.0, 998.5, True, ()),
            FleetMember("b", "0.2.0", 950.0, 1_000.5, False, ("spool",)),
        ],
        [
            WorkspaceDelivery("https://api.intercom.io abc", ("eu", "us"), "a", 901.0, True, "released", "b"),
            WorkspaceDelivery("https://api.intercom.io def", (), "", 0.0, False, "", ""),
        ],
        DatabaseHealth(7, 1.5, {"log": 3, "journal_0": 4}),
    )
    assert MessageToDict(fleet_message(status, 1_000.0)) == {
        "daemonId": "b",
        "members": [
            {
                "daemonId": "a",
                "version": "0.2.0",
                "alive": True,
                "startTime": "1970-01-01T00:15:00Z",
                "silentFor": "1.500s",
            },
            {
                "daemonId": "b",
                "version": "0.2.0",
                "startTime": "1970-01-01T00:15:50Z",
                "silentFor": "0s",
                "differingSettings": ["spool"],
            },
        ],
        "deliveries": [
            {
                "workspace": "https://api.intercom.io abc",
                "connections": ["eu", "us"],
                "delivered": True,
                "daemonId": "a",
                "sinceTime": "1970-01-01T00:15:01Z",
                "handOverReason": "released",
                "previousDaemonId": "b",
            },
            {"workspace": "https://api.intercom.io def"},
        ],
        "database": {"oldestSnapshotTransactions": "7", "oldestSnapshotAge": "1.500s", "deadRows": "7"},
    }
    assert MessageToDict(fleet_message(FleetStatus("b"), 1_000.0)) == {"daemonId": "b", "database": {}}
