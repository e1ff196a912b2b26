"""Doubtful responses: whether they are about the connection, or about one call."""

import pytest

from intercomd_daemon.deliver.intercom.access import Access, Grant
from intercomd_daemon.deliver.schedule.access_state import FORBIDDEN_LANES_MAX, FORBIDDEN_MIN, LANES_MIN, AccessState


def grant(access: AccessState) -> None:
    assert access.on_access_response(Access(Grant.GRANTED), 0.0, while_suspended=False)


def test_doubtful_responses_of_several_users_concern_the_connection() -> None:
    access = AccessState()
    assert [access.on_doubtful_response("events", lane) for lane in "aab"] == [False] * 3
    assert access.on_doubtful_response("events", "c")
    assert not access.on_doubtful_response("events", "d")


@pytest.mark.parametrize(("scope", "suspends"), [("events", False), ("contacts", True)])
def test_success_in_the_same_scope_restarts_the_count(scope: str, suspends: bool) -> None:
    access = AccessState()
    for lane in "abcdef"[: LANES_MIN - 1]:
        access.on_doubtful_response("events", lane)
    access.on_response(scope, "well", done=True)
    assert access.on_doubtful_response("events", "last") is suspends


def test_refusal_does_not_count_as_success() -> None:
    access = AccessState()
    for lane in "abcdef"[: LANES_MIN - 1]:
        access.on_doubtful_response("events", lane)
    access.on_response("events", "refused", done=False)
    assert access.on_doubtful_response("events", "last")


@pytest.mark.parametrize("proven", ["", "me", "others", "other scope", "both"])
def test_third_403_is_about_the_call_if_access_is_proven(proven: str) -> None:
    access = AccessState()
    assert not any(access.on_forbidden("events", "a") for _ in range(FORBIDDEN_MIN - 1))
    if proven in {"me", "both", "other scope"}:
        grant(access)
    if proven in {"others", "both"}:
        access.on_response("events", "b", done=True)
    if proven == "other scope":
        access.on_response("contacts", "b", done=True)
    assert access.on_forbidden("events", "a") is (proven == "both")


def test_proofs_before_the_first_403_do_not_count() -> None:
    access = AccessState()
    grant(access)
    access.on_response("events", "b", done=True)
    assert not any(access.on_forbidden("events", "a") for _ in range(10))


def test_403s_count_only_in_a_row() -> None:
    access = AccessState()
    for _ in range(10):
        access.on_forbidden("events", "a")
        grant(access)
        access.on_response("events", "b", done=True)
        access.on_response("contacts", "a", done=False)
    assert not access.on_forbidden("events", "a")


@pytest.mark.fills("deliver.schedule.access_state.FORBIDDEN_LANES_MAX")
def test_oldest_lanes_above_the_limit_start_over() -> None:
    access = AccessState()
    for number in range(FORBIDDEN_LANES_MAX + 1):
        for _ in range(FORBIDDEN_MIN - 1):
            access.on_forbidden("events", str(number))
    grant(access)
    access.on_response("events", "well", done=True)
    assert access.on_forbidden("events", "1")
    assert not access.on_forbidden("events", "0")
