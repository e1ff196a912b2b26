"""The state of a connection: whether calls may leave, and that each change is reported once."""

import asyncio

import pytest

from delivery.worker import Notes
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.access import Access, Grant
from intercomd_daemon.deliver.intercom.classification import FORBIDDEN, Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor

GRANTED = Access(Grant.GRANTED, workspace_name="Shop", region="eu")
WELL = Response(200)
FAILED = Response(500)
CLOCK = Clock(lambda: 1000.0, lambda: 10.0, lambda: 0.5)


@pytest.fixture
async def notes() -> Notes:
    return Notes()


class Recoveries:
    """Counts the ends of outages."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        self.count += 1


def monitor_for(
    notes: Notes, *, paused: bool = False, verified: bool = True, recoveries: Recoveries | None = None
) -> ConnectionMonitor:
    on_recovery = (recoveries or Recoveries()).add
    monitor = ConnectionMonitor(ConnectionSettings(name="default"), notes, CLOCK, on_recovery, paused=paused)
    if verified:
        on_access(monitor, GRANTED)
    return monitor


def on_access(monitor: ConnectionMonitor, access: Access) -> None:
    assert monitor.on_access(access, WELL, while_suspended=monitor.suspended)


def probe_needed(monitor: ConnectionMonitor) -> bool:
    """Whether `wait_probe_needed` returns at once."""
    waiting = monitor.wait_probe_needed()
    try:
        waiting.send(None)
    except StopIteration:
        return True
    waiting.close()
    return False


async def test_no_call_leaves_before_access_is_granted(notes: Notes) -> None:
    monitor = monitor_for(notes, verified=False)
    assert not monitor.open
    assert monitor.schedule_probe() == 0.0
    on_access(monitor, Access(Grant.UNKNOWN, "NETWORK", "no response in time"))
    assert not monitor.open
    assert monitor.reason == "access is not verified: no response in time"
    assert probe_needed(monitor)
    assert monitor.schedule_probe() == 0.5
    assert monitor.next_probe == 1000.5
    on_access(monitor, GRANTED)
    assert monitor.open
    assert (monitor.workspace_name, monitor.region, monitor.reason) == ("Shop", "eu", "")
    assert notes.states == [ConnectionState.VERIFYING, ConnectionState.DELIVERING]
    assert not probe_needed(monitor)
    assert monitor.next_probe == 0.0


async def test_suspension_ends_with_a_grant(notes: Notes) -> None:
    monitor = monitor_for(notes)
    monitor.suspend("UNAUTHORIZED", 401)
    assert (monitor.open, monitor.suspended, probe_needed(monitor)) == (False, True, True)
    assert monitor.reason.startswith("UNAUTHORIZED: Intercom does not know the access token")
    on_access(monitor, Access(Grant.SUSPENDED, "APP_ID_MISMATCH", "the token is another's"))
    assert monitor.reason == "APP_ID_MISMATCH: the token is another's"
    on_access(monitor, GRANTED)
    assert monitor.open
    assert notes.states == [
        ConnectionState.DELIVERING,
        ConnectionState.SUSPENDED,
        ConnectionState.SUSPENDED,
        ConnectionState.DELIVERING,
    ]


async def test_grant_of_a_get_me_from_before_the_suspension_changes_nothing(notes: Notes) -> None:
    monitor = monitor_for(notes)
    monitor.suspend("UNAUTHORIZED", 401)
    assert not monitor.on_access(GRANTED, WELL, while_suspended=False)
    assert monitor.suspended
    assert probe_needed(monitor)


async def test_doubtful_response_needs_get_me_while_calls_go_on(notes: Notes) -> None:
    monitor = monitor_for(notes)
    doubtful = Classification(Kind.TRANSIENT, "NOT_INTERCOM")
    for lane in "ab":
        assert monitor.on_response(Call.TRACK_EVENT, lane, doubtful, Response(200), 0) is doubtful
        assert (monitor.open, probe_needed(monitor)) == (True, True)
    monitor.on_response(Call.TRACK_EVENT, "c", doubtful, Response(200), 0)
    assert monitor.state is ConnectionState.SUSPENDED
    assert monitor.reason.startswith("NOT_INTERCOM")


@pytest.mark.parametrize(
    ("kind", "reason", "down", "state"),
    [
        (Kind.DONE, "", False, ConnectionState.DELIVERING),
        (Kind.DONE, "", True, ConnectionState.DELIVERING),
        # A refusal shows that Intercom works.
        (Kind.REFUSED, "REQUEST_INVALID", True, ConnectionState.DELIVERING),
        (Kind.TRANSIENT, "HTTP_500", True, ConnectionState.DOWN),
        # During an outage a doubtful response is a failure like any other.
        (Kind.TRANSIENT, "NOT_INTERCOM", True, ConnectionState.DOWN),
        (Kind.SUSPENDED, "UNAUTHORIZED", False, ConnectionState.SUSPENDED),
        (Kind.SUSPENDED, "UNAUTHORIZED", True, ConnectionState.SUSPENDED),
    ],
)
async def test_response_changes_the_state(
    notes: Notes, kind: Kind, reason: str, down: bool, state: ConnectionState
) -> None:
    monitor = monitor_for(notes)
    for lane in "abcde" if down else "":
        monitor.on_failure(lane, "HTTP_500", FAILED)
    classification = Classification(kind, reason)
    assert monitor.on_response(Call.TRACK_EVENT, "z", classification, WELL, 0) is classification
    assert monitor.state is state


async def test_third_403_of_a_lane_is_refused_if_access_is_proven(notes: Notes) -> None:
    monitor = monitor_for(notes)
    forbidden = Classification(Kind.TRANSIENT, FORBIDDEN)
    for _ in range(2):
        assert monitor.on_response(Call.TRACK_EVENT, "a", forbidden, Response(403), 0) is forbidden
        on_access(monitor, GRANTED)
        monitor.on_response(Call.TRACK_EVENT, "b", Classification(Kind.DONE), WELL, 0)
    refused = Classification(Kind.REFUSED, FORBIDDEN)
    assert monitor.on_response(Call.TRACK_EVENT, "a", forbidden, Response(403), 0) == refused


async def test_unverifiable_access_is_granted_with_a_warning(notes: Notes) -> None:
    monitor = monitor_for(notes, verified=False)
    on_access(monitor, Access(Grant.GRANTED, "ACCESS_UNVERIFIED", "GET /me names no workspace"))
    assert monitor.open
    assert notes.events == [("access_unverified", {"warning": "GET /me names no workspace"})]


async def test_pause_hides_the_other_states_and_keeps_them(notes: Notes) -> None:
    monitor = monitor_for(notes, paused=True)
    assert (monitor.open, monitor.state) == (False, ConnectionState.PAUSED)
    monitor.suspend("FORBIDDEN", 403)
    monitor.pause(paused=False)
    assert monitor.state is ConnectionState.SUSPENDED
    assert notes.states == [ConnectionState.PAUSED, ConnectionState.SUSPENDED]


async def test_outage_and_its_end_are_reported_once(notes: Notes) -> None:
    recoveries = Recoveries()
    monitor = monitor_for(notes, recoveries=recoveries)
    for lane in "abcde":
        monitor.on_failure(lane, "HTTP_503", Response(503))
    assert monitor.state is ConnectionState.DOWN
    assert "HTTP_503" in monitor.reason
    assert monitor.open
    for _ in range(2):
        monitor.on_success()
        assert recoveries.count == 1
    assert notes.states == [ConnectionState.DELIVERING, ConnectionState.DOWN, ConnectionState.DELIVERING]


async def test_reason_of_an_outage_names_who_is_affected(notes: Notes) -> None:
    recoveries = Recoveries()
    monitor = monitor_for(notes, recoveries=recoveries)
    for lane in "abcde":
        monitor.on_failure(lane, "HTTP_500", FAILED)
    monitor.request_check(10.0)
    monitor.on_check(GRANTED, WELL)
    assert monitor.reason == "calls of several users fail (HTTP_500), though GET /me succeeds; other users' calls go on"
    for lane in "fghij":
        monitor.on_failure(lane, "HTTP_500", FAILED)
    monitor.request_check(10.0)
    monitor.on_check(Access(Grant.UNKNOWN), FAILED)
    assert monitor.reason == "calls to Intercom fail (HTTP_500); one call at a time probes it"
    assert recoveries.count == 0
    monitor.request_check(20.0)
    monitor.on_check(GRANTED, WELL)
    assert recoveries.count == 1
    assert monitor.state is ConnectionState.DELIVERING


async def test_each_requested_check_is_waited_for_once(notes: Notes) -> None:
    monitor = monitor_for(notes)
    checks = asyncio.create_task(monitor.wait_check_needed())
    for lane in "abcde":
        monitor.on_failure(lane, "HTTP_500", FAILED)
    monitor.request_check(10.0)
    await checks
    waiting = monitor.wait_check_needed()
    waiting.send(None)
    waiting.close()


def test_numbers_of_the_states_never_change() -> None:
    """Gauges and stored statuses of earlier releases use them."""
    assert {state.name: state.value for state in ConnectionState} == {
        "VERIFYING": 1,
        "DELIVERING": 2,
        "DOWN": 3,
        "SUSPENDED": 4,
        "PAUSED": 5,
        "INACTIVE": 6,
    }
