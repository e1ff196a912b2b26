"""Doubtful answers: whether they are about the connection, or about one call."""

import pytest

from intercomd_daemon.deliver.schedule.access_doubt import FORBIDDEN_LANES_MAX, FORBIDDEN_MIN, LANES_MIN, AccessDoubt


def test_several_users_with_no_success_in_between_are_the_connection() -> None:
    doubt = AccessDoubt()
    assert [doubt.seen("events", lane) for lane in "aab"] == [False] * 3
    assert doubt.seen("events", "c")
    assert not doubt.seen("events", "d")


@pytest.mark.parametrize(("scope", "suspends"), [("events", False), ("contacts", True)])
def test_a_success_in_the_same_scope_starts_the_count_anew(scope: str, suspends: bool) -> None:
    doubt = AccessDoubt()
    for lane in "abcdef"[: LANES_MIN - 1]:
        doubt.seen("events", lane)
    doubt.answered(scope, "well", done=True)
    assert doubt.seen("events", "last") is suspends


def test_a_refusal_is_no_success() -> None:
    doubt = AccessDoubt()
    for lane in "abcdef"[: LANES_MIN - 1]:
        doubt.seen("events", lane)
    doubt.answered("events", "refused", done=False)
    assert doubt.seen("events", "last")


@pytest.mark.parametrize("proven", ["", "me", "others", "other scope", "both"])
def test_the_third_403_is_about_the_call_if_access_is_proven(proven: str) -> None:
    doubt = AccessDoubt()
    assert not any(doubt.forbidden("events", "a") for _ in range(FORBIDDEN_MIN - 1))
    if proven in {"me", "both", "other scope"}:
        doubt.granted()
    if proven in {"others", "both"}:
        doubt.answered("events", "b", done=True)
    if proven == "other scope":
        doubt.answered("contacts", "b", done=True)
    assert doubt.forbidden("events", "a") is (proven == "both")


def test_what_was_proven_before_the_first_403_proves_nothing() -> None:
    doubt = AccessDoubt()
    doubt.granted()
    doubt.answered("events", "b", done=True)
    assert not any(doubt.forbidden("events", "a") for _ in range(10))


def test_only_403s_in_a_row_count() -> None:
    doubt = AccessDoubt()
    for _ in range(10):
        doubt.forbidden("events", "a")
        doubt.granted()
        doubt.answered("events", "b", done=True)
        doubt.answered("contacts", "a", done=False)
    assert not doubt.forbidden("events", "a")


@pytest.mark.fills("deliver.schedule.access_doubt.FORBIDDEN_LANES_MAX")
def test_of_too_many_lanes_the_oldest_start_over() -> None:
    doubt = AccessDoubt()
    for number in range(FORBIDDEN_LANES_MAX + 1):
        for _ in range(FORBIDDEN_MIN - 1):
            doubt.forbidden("events", str(number))
    doubt.granted()
    doubt.answered("events", "well", done=True)
    assert doubt.forbidden("events", "1")
    assert not doubt.forbidden("events", "0")
