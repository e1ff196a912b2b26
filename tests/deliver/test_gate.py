"""Whether calls may leave at all, and that each change of it is told once."""

import pytest

from delivery.worker import Notes
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.access import Access, Grant
from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.gate import Gate
from intercomd_daemon.deliver.status import ConnectionState

GRANTED = Access(Grant.GRANTED, workspace_name="Shop", region="eu")
CLOCK = Clock(lambda: 1000.0, lambda: 10.0, lambda: 0.5)


@pytest.fixture
async def notes() -> Notes:
    return Notes()


def gate_for(notes: Notes, *, paused: bool = False) -> Gate:
    return Gate(ConnectionSettings(name="default"), notes, CLOCK, paused=paused)


async def test_nothing_leaves_before_access_is_granted(notes: Notes) -> None:
    gate = gate_for(notes)
    assert not gate.open
    gate.accessed(Access(Grant.UNKNOWN, "NETWORK", "no answer in time"))
    assert not gate.open
    assert "no answer in time" in gate.reason
    gate.accessed(GRANTED)
    assert gate.open
    assert (gate.workspace_name, gate.region, gate.reason) == ("Shop", "eu", "")
    assert notes.states == [ConnectionState.VERIFYING, ConnectionState.DELIVERING]
    assert not gate.asked.is_set()


async def test_a_suspension_asks_for_access_again_and_ends_with_it(notes: Notes) -> None:
    gate = gate_for(notes)
    gate.accessed(GRANTED)
    gate.suspend("UNAUTHORIZED")
    assert (gate.open, gate.suspended, gate.asked.is_set()) == (False, True, True)
    assert gate.reason.startswith("UNAUTHORIZED: Intercom does not know the access token")
    gate.accessed(Access(Grant.SUSPENDED, "APP_ID_MISMATCH", "the token is another's"))
    assert gate.reason == "APP_ID_MISMATCH: the token is another's"
    gate.accessed(GRANTED)
    assert gate.open
    assert notes.states == [
        ConnectionState.DELIVERING,
        ConnectionState.SUSPENDED,
        ConnectionState.SUSPENDED,
        ConnectionState.DELIVERING,
    ]


async def test_access_that_cannot_be_verified_is_granted_with_a_warning(notes: Notes) -> None:
    gate = gate_for(notes)
    gate.accessed(Access(Grant.GRANTED, "ACCESS_UNVERIFIED", "GET /me names no workspace"))
    assert gate.open
    assert notes.events == [("access_unverified", {"warning": "GET /me names no workspace"})]


async def test_a_pause_stands_above_all_and_leaves_what_is_below(notes: Notes) -> None:
    gate = gate_for(notes, paused=True)
    gate.accessed(GRANTED)
    assert (gate.open, gate.state) == (False, ConnectionState.PAUSED)
    gate.suspend("FORBIDDEN")
    gate.pause(paused=False)
    assert gate.state is ConnectionState.SUSPENDED
    assert notes.states == [ConnectionState.PAUSED, ConnectionState.SUSPENDED]


async def test_an_outage_is_reported_once_and_so_is_its_end(notes: Notes) -> None:
    gate = gate_for(notes)
    gate.accessed(GRANTED)
    for lane in "abcde":
        gate.failed(lane, "HTTP_503", 10.0)
    assert gate.state is ConnectionState.DOWN
    assert "HTTP_503" in gate.reason
    assert gate.open
    assert gate.succeeded()
    assert not gate.succeeded()
    assert notes.states == [ConnectionState.DELIVERING, ConnectionState.DOWN, ConnectionState.DELIVERING]


async def test_the_reason_says_whether_intercom_is_away_or_the_calls_of_several_users_fail(notes: Notes) -> None:
    gate = gate_for(notes)
    gate.accessed(GRANTED)
    for lane in "abcde":
        gate.failed(lane, "HTTP_500", 10.0)
    gate.ask_check(10.0)
    assert not gate.checked(answered=True)
    assert gate.reason == "calls of several users fail (HTTP_500), though Intercom answers GET /me; others go on"
    for lane in "fghij":
        gate.failed(lane, "HTTP_500", 10.0)
    gate.ask_check(10.0)
    assert not gate.checked(answered=False)
    assert gate.reason == "Intercom does not answer well (HTTP_500); one call at a time probes it"
    gate.ask_check(20.0)
    assert gate.checked(answered=True)
    assert gate.succeeded()
