"""The state of an agent's connection follows the gateway's replies."""

from math import inf

import pytest

from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.forward.replies import Reply, Result, advise, advise_probe
from intercomd_daemon.forward.state import DETAIL_CHARACTERS_MAX, DOWN_FAILURES, ForwardState

OK = Reply("OK", spool_id="s-1", results=(Result(1),))
AWAY = Reply("UNAVAILABLE", "connection refused")


def verified() -> ForwardState:
    state = ForwardState(paused=False)
    state.on_reply(advise_probe(OK, ""), OK, 0.0, 0.0)
    state.verified = True
    return state


def take(state: ForwardState, *replies: Reply, now: float = 100.0) -> ForwardState:
    for reply in replies:
        state.on_reply(advise(reply, 1), reply, now, 1.0)
    return state


def test_connection_is_verified_first() -> None:
    state = ForwardState(paused=False)
    assert state.current() == (ConnectionState.VERIFYING, "the gateway has not answered yet")
    assert state.next_at() == 0.0
    take(state, AWAY)
    assert state.current()[1].endswith("UNAVAILABLE: connection refused")
    assert verified().current() == (ConnectionState.DELIVERING, "")


def test_connection_is_down_after_two_failures_until_the_next_success() -> None:
    state = take(verified(), AWAY)
    assert DOWN_FAILURES == 2
    assert (state.current()[0], state.next_at()) == (ConnectionState.DELIVERING, 101.0)
    take(state, AWAY)
    assert (state.current()[0], state.next_at()) == (ConnectionState.DOWN, 102.0)
    assert "connection refused" in state.current()[1]
    take(state, OK)
    assert (state.current(), state.next_at(), state.failures) == ((ConnectionState.DELIVERING, ""), 0.0, 0)


def test_divided_request_is_no_failure() -> None:
    state = take(verified(), AWAY, Reply("INVALID_ARGUMENT"))
    assert (state.failures, state.next_at()) == (0, 0.0)


@pytest.mark.parametrize(
    ("code", "reason"), [("UNAUTHENTICATED", "UPSTREAM_UNAUTHENTICATED"), ("PERMISSION_DENIED", "UPSTREAM_FORBIDDEN")]
)
def test_refused_access_suspends_and_is_verified_again(code: str, reason: str) -> None:
    state = take(verified(), Reply(code, "no"))
    assert state.current() == (ConnectionState.SUSPENDED, reason)
    assert (state.verified, state.next_at(), state.last_error) == (False, 101.0, f"{code}: no")
    state.on_reply(advise_probe(OK, ""), OK, 102.0, 0.0)
    state.verified = True
    assert state.current()[0] is ConnectionState.DELIVERING


def test_error_of_a_proxy_ends_a_suspension_as_an_outage() -> None:
    state = take(verified(), Reply("UNAUTHENTICATED", "no"), AWAY)
    assert state.current()[0] is ConnectionState.DOWN


def test_changed_spool_waits_for_an_operator() -> None:
    state = take(verified(), Reply("FAILED_PRECONDITION", "changed", reason="SPOOL_CHANGED", spool_id="s-2"))
    assert state.current() == (ConnectionState.SUSPENDED, "UPSTREAM_CHANGED")
    assert state.next_at() == inf
    assert state.probe_now() == "s-2"
    assert (state.next_at(), state.probe_now()) == (0.0, "")


def test_pause_hides_everything() -> None:
    state = take(verified(), Reply("UNAUTHENTICATED", "no"))
    state.pause(paused=True)
    assert (state.current()[0], state.next_at()) == (ConnectionState.PAUSED, inf)
    state.pause(paused=False)
    assert state.current()[0] is ConnectionState.SUSPENDED


def test_incomplete_response_is_named() -> None:
    assert take(verified(), Reply("OK")).last_error == "the response does not match the request"
    state = verified()
    old = OK._replace(spool_id="")
    state.on_reply(advise_probe(old, ""), old, 0.0, 0.0)
    assert state.last_error == "UPSTREAM_OUTDATED"


def test_status_without_a_message_is_the_last_error() -> None:
    assert take(verified(), Reply("UNAVAILABLE")).last_error == "UNAVAILABLE"


@pytest.mark.fills("forward.state.DETAIL_CHARACTERS_MAX")
def test_long_message_is_cut() -> None:
    assert len(take(verified(), Reply("UNAVAILABLE", "x" * 999)).last_error) == DETAIL_CHARACTERS_MAX
