"""The status of connections without a worker."""

import pytest
from msgspec.structs import replace

from intercomd_daemon.app.idle import idle_status, status_elsewhere
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus


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


class Reports:
    """What this daemon last read of the fleet."""

    def __init__(self, reported: ConnectionStatus | None, deliverer: str, *, paused: bool) -> None:
        self.reported = reported
        self.name = deliverer
        self.paused = paused

    def connection_status(self, _connection: str) -> ConnectionStatus | None:
        return self.reported

    def deliverer(self, _connection: str) -> str:
        return self.name

    def is_paused(self, _connection: str) -> bool:
        return self.paused


IDLE = idle_status(ConnectionSettings(name="eu"), 5.0, active=True, waits=True)


def test_reported_status_is_shown_as_that_of_another_daemon() -> None:
    reported = replace(IDLE, calls=7, state=ConnectionState.DELIVERING)
    assert status_elsewhere(IDLE, Reports(reported, "b", paused=True)) == replace(reported, elsewhere=True)


@pytest.mark.parametrize(("deliverer", "elsewhere"), [("b", True), ("", False)])
@pytest.mark.parametrize(("paused", "state"), [(True, ConnectionState.PAUSED), (False, ConnectionState.VERIFYING)])
def test_status_without_a_report_names_the_daemon_that_delivers_and_the_pause(
    deliverer: str, elsewhere: bool, paused: bool, state: ConnectionState
) -> None:
    status = status_elsewhere(IDLE, Reports(None, deliverer, paused=paused))
    assert (status.delivered_by, status.elsewhere, status.state) == (deliverer, elsewhere, state)
