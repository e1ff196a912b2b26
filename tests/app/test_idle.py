"""The status of connections without a worker."""

import pytest

from intercomd_daemon.app.idle import idle_status
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState


@pytest.mark.parametrize(
    ("active", "waits", "state", "reason"),
    [
        (False, False, ConnectionState.INACTIVE, "active = false in the settings"),
        (True, True, ConnectionState.VERIFYING, "another daemon delivers the workspace"),
        (True, False, ConnectionState.VERIFYING, "the daemon is starting"),
    ],
)
def test_idle_status_says_why_no_worker_runs(active: bool, waits: bool, state: ConnectionState, reason: str) -> None:
    status = idle_status(ConnectionSettings(name="eu"), 5.0, active=active, waits=waits)
    assert (status.name, status.state, status.reason, status.since) == ("eu", state, reason, 5.0)
