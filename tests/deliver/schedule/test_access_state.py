"""The access of a connection: every transition, and when `GET /me` is called again."""

from collections.abc import Callable

import pytest

from intercomd_daemon.deliver.intercom.access import PROBE_CAP_SECONDS, Access, Grant
from intercomd_daemon.deliver.schedule.access_state import LANES_MIN, AccessState, Granted, Suspended, Unverified
from intercomd_daemon.deliver.schedule.pacing import WAIT_MAX_SECONDS

GRANTED = Access(Grant.GRANTED)
REFUSED = Access(Grant.SUSPENDED, "APP_ID_MISMATCH", "the token belongs to another App ID")
UNKNOWN = Access(Grant.UNKNOWN, "NETWORK", "no response in time")

Event = Callable[[AccessState], object]


def me(access: Access, *, while_suspended: bool = False) -> Event:
    return lambda state: state.on_access_response(access, 0.0, while_suspended=while_suspended)


def suspend(state: AccessState) -> None:
    state.suspend("UNAUTHORIZED", 401)


def doubt(state: AccessState) -> bool:
    return state.on_doubtful_response("events", "c:u")


STATES: dict[str, tuple[Event, ...]] = {
    "unverified": (),
    "granted": (me(GRANTED),),
    "in doubt": (me(GRANTED), doubt),
    "suspended": (me(GRANTED), suspend),
}


def in_state(name: str) -> AccessState:
    state = AccessState()
    for event in STATES[name]:
        event(state)
    assert name_of(state) == name
    return state


def name_of(access: AccessState) -> str:
    state = access.state
    if isinstance(state, Granted):
        return "in doubt" if state.in_doubt else "granted"
    return "suspended" if isinstance(state, Suspended) else "unverified"


@pytest.mark.parametrize(
    ("event", "before", "after"),
    [
        *((me(GRANTED), state, "granted") for state in ("unverified", "granted", "in doubt")),
        (me(GRANTED, while_suspended=True), "suspended", "granted"),
        # Suspended by another call while GET /me was in flight.
        (me(GRANTED), "suspended", "suspended"),
        *((me(REFUSED), state, "suspended") for state in STATES),
        *((me(UNKNOWN), state, state) for state in STATES),
        *((suspend, state, "suspended") for state in STATES),
        *((doubt, state, state) for state in ("unverified", "in doubt", "suspended")),
        (doubt, "granted", "in doubt"),
    ],
)
def test_event_leads_to_one_state(event: Event, before: str, after: str) -> None:
    state = in_state(before)
    event(state)
    assert name_of(state) == after


@pytest.mark.parametrize(
    ("state", "granted", "suspended", "probe_needed"),
    [
        ("unverified", False, False, True),
        ("granted", True, False, False),
        ("in doubt", True, False, True),
        ("suspended", False, True, True),
    ],
)
def test_state_decides_which_calls_leave(state: str, granted: bool, suspended: bool, probe_needed: bool) -> None:
    access = in_state(state)
    assert (access.granted, access.suspended, access.probe_needed) == (granted, suspended, probe_needed)


def test_suspension_has_its_reason_and_remedy() -> None:
    access = AccessState()
    assert access.state == Unverified()
    suspend(access)
    assert isinstance(access.state, Suspended)
    assert access.state.reason.startswith("UNAUTHORIZED: Intercom does not know the access token")
    access.on_access_response(REFUSED, 0.0, while_suspended=True)
    assert access.state == Suspended("APP_ID_MISMATCH: the token belongs to another App ID")


def test_grant_during_a_new_suspension_does_not_count() -> None:
    access = in_state("suspended")
    assert not me(GRANTED)(access)
    assert me(GRANTED, while_suspended=True)(access)


def test_probes_of_a_suspension_slow_down_until_a_delivery_succeeds() -> None:
    access = in_state("suspended")
    delays = [access.next_probe_delay(0.5) for _ in range(8)]
    assert delays == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, PROBE_CAP_SECONDS, PROBE_CAP_SECONDS]
    me(GRANTED, while_suspended=True)(access)
    suspend(access)
    assert access.next_probe_delay(0.5) == PROBE_CAP_SECONDS
    access.on_response("events", "c:u", done=False)
    assert access.next_probe_delay(0.5) == 5.0


def test_failed_probe_is_retried_with_backoff_and_after_retry_after() -> None:
    access = AccessState()
    assert access.next_probe_delay(1.0) == 0.0
    delays = []
    for retry_after in (0.0, 0.0, 30.0, 3600.0, 0.0):
        access.on_access_response(UNKNOWN, retry_after, while_suspended=False)
        delays.append(access.next_probe_delay(1.0))
    assert delays == [1.0, 2.0, 30.0, WAIT_MAX_SECONDS, 16.0]
    me(GRANTED)(access)
    doubt(access)
    assert access.next_probe_delay(1.0) == 0.0


def test_doubtful_responses_of_several_users_are_about_the_connection() -> None:
    access = in_state("granted")
    results = [access.on_doubtful_response("events", f"c:{number}") for number in range(LANES_MIN)]
    assert results == [False] * (LANES_MIN - 1) + [True]
    assert name_of(access) == "in doubt"
