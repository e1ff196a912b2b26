"""Whether calls may leave at all, and that each change of it is told once."""

import pytest

from delivery.worker import Notes
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access import Access, Grant
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_state import ConnectionMonitor, ConnectionState

GRANTED = Access(Grant.GRANTED, workspace_name="Shop", region="eu")
CLOCK = Clock(lambda: 1000.0, lambda: 10.0, lambda: 0.5)


@pytest.fixture
async def notes() -> Notes:
    return Notes()


def gate_for(notes: Notes, *, paused: bool = False) -> ConnectionMonitor:
    return ConnectionMonitor(ConnectionSettings(name="default"), notes, CLOCK, paused=paused)


async def test_nothing_leaves_before_access_is_granted(notes: Notes) -> None:
    monitor = gate_for(notes)
    assert not monitor.open
    monitor.accessed(Access(Grant.UNKNOWN, "NETWORK", "no answer in time"))
    assert not monitor.open
    assert "no answer in time" in monitor.reason
    monitor.accessed(GRANTED)
    assert monitor.open
    assert (monitor.workspace_name, monitor.region, monitor.reason) == ("Shop", "eu", "")
    assert notes.states == [ConnectionState.VERIFYING, ConnectionState.DELIVERING]
    assert not monitor.asked.is_set()


async def test_a_suspension_asks_for_access_again_and_ends_with_it(notes: Notes) -> None:
    monitor = gate_for(notes)
    monitor.accessed(GRANTED)
    monitor.suspend("UNAUTHORIZED")
    assert (monitor.open, monitor.suspended, monitor.asked.is_set()) == (False, True, True)
    assert monitor.reason.startswith("UNAUTHORIZED: Intercom does not know the access token")
    monitor.accessed(Access(Grant.SUSPENDED, "APP_ID_MISMATCH", "the token is another's"))
    assert monitor.reason == "APP_ID_MISMATCH: the token is another's"
    monitor.accessed(GRANTED)
    assert monitor.open
    assert notes.states == [
        ConnectionState.DELIVERING,
        ConnectionState.SUSPENDED,
        ConnectionState.SUSPENDED,
        ConnectionState.DELIVERING,
    ]


async def test_access_that_cannot_be_verified_is_granted_with_a_warning(notes: Notes) -> None:
    monitor = gate_for(notes)
    monitor.accessed(Access(Grant.GRANTED, "ACCESS_UNVERIFIED", "GET /me names no workspace"))
    assert monitor.open
    assert notes.events == [("access_unverified", {"warning": "GET /me names no workspace"})]


async def test_a_pause_stands_above_all_and_leaves_what_is_below(notes: Notes) -> None:
    monitor = gate_for(notes, paused=True)
    monitor.accessed(GRANTED)
    assert (monitor.open, monitor.state) == (False, ConnectionState.PAUSED)
    monitor.suspend("FORBIDDEN")
    monitor.pause(paused=False)
    assert monitor.state is ConnectionState.SUSPENDED
    assert notes.states == [ConnectionState.PAUSED, ConnectionState.SUSPENDED]


async def test_an_outage_is_reported_once_and_so_is_its_end(notes: Notes) -> None:
    monitor = gate_for(notes)
    monitor.accessed(GRANTED)
    for lane in "abcde":
        monitor.failed(lane, "HTTP_503", 10.0)
    assert monitor.state is ConnectionState.DOWN
    assert "HTTP_503" in monitor.reason
    assert monitor.open
    assert monitor.succeeded()
    assert not monitor.succeeded()
    assert notes.states == [ConnectionState.DELIVERING, ConnectionState.DOWN, ConnectionState.DELIVERING]


async def test_the_reason_says_whether_intercom_is_away_or_the_calls_of_several_users_fail(notes: Notes) -> None:
    monitor = gate_for(notes)
    monitor.accessed(GRANTED)
    for lane in "abcde":
        monitor.failed(lane, "HTTP_500", 10.0)
    monitor.ask_check(10.0)
    assert not monitor.checked(answered=True)
    assert monitor.reason == "calls of several users fail (HTTP_500), though Intercom answers GET /me; others go on"
    for lane in "fghij":
        monitor.failed(lane, "HTTP_500", 10.0)
    monitor.ask_check(10.0)
    assert not monitor.checked(answered=False)
    assert monitor.reason == "Intercom does not answer well (HTTP_500); one call at a time probes it"
    monitor.ask_check(20.0)
    assert monitor.checked(answered=True)
    assert monitor.succeeded()


def test_the_numbers_of_standings_stay() -> None:
    """Gauges and stored pictures of them outlive a release."""
    assert {state.name: state.value for state in ConnectionState} == {
        "VERIFYING": 1,
        "DELIVERING": 2,
        "DOWN": 3,
        "SUSPENDED": 4,
        "PAUSED": 5,
        "INACTIVE": 6,
    }
