"""An outage of Intercom or the trouble of single users, as sequences of failures, successes and answers of GET /me."""

from math import inf

import pytest

from intercomd_daemon.deliver.schedule.outage import (
    FAILURES_MIN,
    PROBE_SECONDS_MAX,
    STUCK_FAILURES,
    TRIAL_SECONDS,
    TRIALS_MAX,
    Allowed,
    OutageDetector,
)


@pytest.mark.parametrize(
    ("lanes", "down"),
    [
        ("abcab", True),
        ("abca", False),
        ("ababababab", False),
        ("aaaaaaaaaa", False),
        ("aaaabc", True),
        ("abcdefgh", True),
        # A success in between: not in a row.
        ("abca-bcab", False),
        ("abcab-", False),
        ("abcab-abcab", True),
    ],
)
def test_failures_in_a_row_over_several_lanes_bring_the_connection_down(lanes: str, down: bool) -> None:
    outage = OutageDetector()
    for lane in lanes:
        if lane == "-":
            outage.on_success()
        else:
            outage.on_failure(lane, 0.0, 1.0)
    assert outage.down is down


def test_failures_of_calls_that_concern_no_user_bring_it_down() -> None:
    outage = OutageDetector()
    assert [outage.on_failure("", 0.0, 1.0) for _ in range(FAILURES_MIN)] == [False] * (FAILURES_MIN - 1) + [True]


def test_lanes_that_failed_often_while_others_did_not_are_ignored() -> None:
    outage = OutageDetector()
    for failures in range(STUCK_FAILURES, 50):
        for lane in "abc":
            assert not outage.on_failure(lane, 0.0, 1.0, failures)
    for lane in "abcd":
        assert not outage.on_failure(lane, 0.0, 1.0, STUCK_FAILURES - 1)
    assert outage.on_failure("e", 0.0, 1.0)


def fallen() -> OutageDetector:
    """Down at 100 s, with the check still to be made."""
    outage = OutageDetector()
    assert outage.allowed(100.0, untried=True) is Allowed.ANY
    became = [outage.on_failure(lane, 100.0, 1.0) for lane in "abcde"]
    assert became == [False] * (FAILURES_MIN - 1) + [True]
    return outage


def checked(*, answered: bool) -> OutageDetector:
    outage = fallen()
    assert outage.allowed(100.0, untried=True) is Allowed.CHECK
    outage.start_call(Allowed.CHECK, "", 100.0)
    assert outage.allowed(1e9, untried=True) is Allowed.NOTHING
    assert outage.next_at(untried=True) == inf
    assert not outage.on_check(answered=answered, now=100.0, jitter=1.0)
    return outage


@pytest.mark.fills("deliver.schedule.outage.PROBE_SECONDS_MAX")
def test_probes_leave_ever_slower_up_to_half_a_minute() -> None:
    """Where all lanes have failed, a lane and GET /me take turns."""
    outage = checked(answered=False)
    waits, kinds, now = [], [], 100.0
    for _ in range(7):
        at = outage.next_at(untried=False)
        waits.append(at - now)
        now = at
        assert outage.allowed(now - 0.1, untried=False) is Allowed.NOTHING
        kind = outage.allowed(now, untried=False)
        kinds.append(kind)
        outage.start_call(kind, "a", now)
        assert outage.next_at(untried=False) == inf
        if kind is Allowed.CHECK:
            assert not outage.on_check(answered=False, now=now, jitter=1.0)
        else:
            assert not outage.on_failure("a", now, 1.0, STUCK_FAILURES)
    assert waits == [2, 4, 8, 16, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX]
    assert kinds == [Allowed.PROBE, Allowed.CHECK] * 3 + [Allowed.PROBE]


def test_lanes_that_have_not_failed_are_the_probes_of_an_outage() -> None:
    outage = checked(answered=False)
    for _ in range(4):
        now = outage.next_at(untried=True)
        assert outage.allowed(now, untried=True) is Allowed.PROBE
        outage.start_call(Allowed.PROBE, "z", now)
        outage.on_failure("z", now, 1.0)


def test_calls_under_way_when_it_went_down_are_no_probes() -> None:
    outage = checked(answered=False)
    for lane in map(str, range(60)):
        assert not outage.on_failure(lane, 100.5, 1.0)
    assert outage.next_at(untried=False) == 102.0


def test_a_failure_that_concerns_no_user_counts_as_the_probe_that_was_due() -> None:
    outage = checked(answered=False)
    outage.on_failure("", 101.0, 1.0)
    assert outage.next_at(untried=False) == 102.0
    outage.on_failure("", 102.0, 1.0)
    assert outage.next_at(untried=False) == 106.0


def test_a_probe_without_a_result_leaves_its_place_to_another() -> None:
    outage = checked(answered=False)
    outage.start_call(Allowed.PROBE, "a", 102.0)
    outage.abandon_probe("b")
    assert outage.next_at(untried=False) == inf
    outage.abandon_probe("a")
    assert outage.allowed(102.0, untried=False) is Allowed.PROBE


def test_the_first_success_ends_it_and_the_next_outage_starts_over() -> None:
    outage = checked(answered=False)
    assert outage.on_success()
    assert not outage.on_success()
    assert not outage.down
    for lane in "abcde":
        outage.on_failure(lane, 200.0, 0.5)
    assert outage.down
    assert outage.allowed(200.0, untried=False) is Allowed.CHECK


def test_get_me_answered_after_it_failed_ends_the_outage() -> None:
    outage = checked(answered=False)
    outage.start_call(Allowed.CHECK, "", 102.0)
    assert outage.on_check(answered=True, now=102.0, jitter=1.0)


def test_a_check_that_a_success_overtakes_changes_nothing() -> None:
    outage = fallen()
    outage.start_call(Allowed.CHECK, "", 100.0)
    outage.on_success()
    assert not outage.on_check(answered=False, now=100.0, jitter=1.0)
    assert outage.allowed(100.0, untried=False) is Allowed.ANY


def test_while_get_me_is_answered_lanes_that_have_not_failed_leave_at_once() -> None:
    """Those that have failed wait for the probes."""
    outage = checked(answered=True)
    assert outage.of_single_users
    for _ in range(FAILURES_MIN - 1):
        assert outage.allowed(100.0, untried=True) is Allowed.UNTRIED
        outage.start_call(Allowed.UNTRIED, "z", 100.0)
        outage.on_failure("z", 100.0, 1.0)
    assert outage.allowed(100.5, untried=False) is Allowed.NOTHING
    assert outage.allowed(101.0, untried=False) is Allowed.PROBE
    outage.start_call(Allowed.PROBE, "a", 101.0)
    assert outage.allowed(101.0, untried=True) is Allowed.UNTRIED
    assert outage.on_success()


def test_get_me_is_asked_again_after_each_few_lanes_that_fail() -> None:
    outage = checked(answered=True)
    for number in range(FAILURES_MIN):
        assert outage.allowed(100.0, untried=True) is Allowed.UNTRIED
        outage.on_failure(f"{number}", 100.0, 1.0)
    assert outage.allowed(100.0, untried=True) is Allowed.CHECK
    outage.start_call(Allowed.CHECK, "", 100.0)
    assert not outage.on_check(answered=False, now=100.0, jitter=1.0)
    assert not outage.of_single_users
    assert outage.allowed(100.5, untried=True) is Allowed.NOTHING


@pytest.mark.fills("deliver.schedule.outage.TRIALS_MAX")
def test_after_many_lanes_that_fail_others_are_tried_one_by_one() -> None:
    """Only GET /me works: each lane must not cost a call at full speed."""
    outage = checked(answered=True)
    tried = FAILURES_MIN
    while outage.allowed(100.0, untried=True) is not Allowed.NOTHING:
        kind = outage.allowed(100.0, untried=True)
        outage.start_call(kind, f"{tried}", 100.0)
        if kind is Allowed.CHECK:
            outage.on_check(answered=True, now=100.0, jitter=1.0)
        else:
            outage.on_failure(f"{tried}", 100.0, 1.0)
            tried += 1
    assert tried == TRIALS_MAX + 1
    outage.start_call(Allowed.PROBE, "a", 101.0)
    assert outage.next_at(untried=True) == 100.0 + TRIAL_SECONDS
    assert outage.allowed(100.0 + TRIAL_SECONDS, untried=True) is Allowed.UNTRIED
