"""Outages of Intercom and failures of single users, as sequences of failures, successes and results of `GET /me`."""

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
        # With a success in between, the failures are not in a row.
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


def test_failures_of_calls_without_a_user_bring_the_connection_down() -> None:
    outage = OutageDetector()
    assert [outage.on_failure("", 0.0, 1.0) for _ in range(FAILURES_MIN)] == [False] * (FAILURES_MIN - 1) + [True]


def test_lanes_that_failed_often_by_themselves_do_not_count() -> None:
    outage = OutageDetector()
    for failures in range(STUCK_FAILURES, 50):
        for lane in "abc":
            assert not outage.on_failure(lane, 0.0, 1.0, failures)
    for lane in "abcd":
        assert not outage.on_failure(lane, 0.0, 1.0, STUCK_FAILURES - 1)
    assert outage.on_failure("e", 0.0, 1.0)


def down_detector() -> OutageDetector:
    """Returns a detector that went down at 100 s, before its check."""
    outage = OutageDetector()
    assert outage.allowed(100.0, untried=True) is Allowed.ANY
    became = [outage.on_failure(lane, 100.0, 1.0) for lane in "abcde"]
    assert became == [False] * (FAILURES_MIN - 1) + [True]
    return outage


def checked_detector(*, reachable: bool) -> OutageDetector:
    outage = down_detector()
    assert outage.allowed(100.0, untried=True) is Allowed.CHECK
    outage.start_call(Allowed.CHECK, "", 100.0)
    assert outage.allowed(1e9, untried=True) is Allowed.NOTHING
    assert outage.next_at(untried=True) == inf
    assert not outage.on_check(reachable=reachable, now=100.0, jitter=1.0)
    return outage


@pytest.mark.fills("deliver.schedule.outage.PROBE_SECONDS_MAX")
def test_probes_slow_down_to_one_in_30_seconds() -> None:
    """If all lanes have failed, a lane and `GET /me` probe in turns."""
    outage = checked_detector(reachable=False)
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
            assert not outage.on_check(reachable=False, now=now, jitter=1.0)
        else:
            assert not outage.on_failure("a", now, 1.0, STUCK_FAILURES)
    assert waits == [2, 4, 8, 16, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX]
    assert kinds == [Allowed.PROBE, Allowed.CHECK] * 3 + [Allowed.PROBE]


def test_lanes_that_have_not_failed_probe_an_outage() -> None:
    outage = checked_detector(reachable=False)
    for _ in range(4):
        now = outage.next_at(untried=True)
        assert outage.allowed(now, untried=True) is Allowed.PROBE
        outage.start_call(Allowed.PROBE, "z", now)
        outage.on_failure("z", now, 1.0)


def test_calls_in_flight_at_the_start_of_an_outage_do_not_count_as_probes() -> None:
    outage = checked_detector(reachable=False)
    for lane in map(str, range(60)):
        assert not outage.on_failure(lane, 100.5, 1.0)
    assert outage.next_at(untried=False) == 102.0


def test_failure_without_a_user_counts_as_the_probe_that_was_due() -> None:
    outage = checked_detector(reachable=False)
    outage.on_failure("", 101.0, 1.0)
    assert outage.next_at(untried=False) == 102.0
    outage.on_failure("", 102.0, 1.0)
    assert outage.next_at(untried=False) == 106.0


def test_another_probe_may_leave_after_one_without_a_result() -> None:
    outage = checked_detector(reachable=False)
    outage.start_call(Allowed.PROBE, "a", 102.0)
    outage.abandon_probe("b")
    assert outage.next_at(untried=False) == inf
    outage.abandon_probe("a")
    assert outage.allowed(102.0, untried=False) is Allowed.PROBE


def test_first_success_ends_the_outage_and_the_next_one_starts_over() -> None:
    outage = checked_detector(reachable=False)
    assert outage.on_success()
    assert not outage.on_success()
    assert not outage.down
    for lane in "abcde":
        outage.on_failure(lane, 200.0, 0.5)
    assert outage.down
    assert outage.allowed(200.0, untried=False) is Allowed.CHECK


def test_get_me_that_succeeds_after_a_failure_ends_the_outage() -> None:
    outage = checked_detector(reachable=False)
    outage.start_call(Allowed.CHECK, "", 102.0)
    assert outage.on_check(reachable=True, now=102.0, jitter=1.0)


def test_check_overtaken_by_a_success_changes_nothing() -> None:
    outage = down_detector()
    outage.start_call(Allowed.CHECK, "", 100.0)
    outage.on_success()
    assert not outage.on_check(reachable=False, now=100.0, jitter=1.0)
    assert outage.allowed(100.0, untried=False) is Allowed.ANY


def test_lanes_that_have_not_failed_leave_at_once_while_get_me_succeeds() -> None:
    """Lanes that have failed wait for the probes."""
    outage = checked_detector(reachable=True)
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


def test_get_me_is_called_again_after_every_five_failing_lanes() -> None:
    outage = checked_detector(reachable=True)
    for number in range(FAILURES_MIN):
        assert outage.allowed(100.0, untried=True) is Allowed.UNTRIED
        outage.on_failure(f"{number}", 100.0, 1.0)
    assert outage.allowed(100.0, untried=True) is Allowed.CHECK
    outage.start_call(Allowed.CHECK, "", 100.0)
    assert not outage.on_check(reachable=False, now=100.0, jitter=1.0)
    assert not outage.of_single_users
    assert outage.allowed(100.5, untried=True) is Allowed.NOTHING


@pytest.mark.fills("deliver.schedule.outage.TRIALS_MAX")
def test_lanes_are_tried_one_by_one_after_many_failures() -> None:
    """Only `GET /me` works: not every lane may cost a call without a pause."""
    outage = checked_detector(reachable=True)
    tried = FAILURES_MIN
    while outage.allowed(100.0, untried=True) is not Allowed.NOTHING:
        kind = outage.allowed(100.0, untried=True)
        outage.start_call(kind, f"{tried}", 100.0)
        if kind is Allowed.CHECK:
            outage.on_check(reachable=True, now=100.0, jitter=1.0)
        else:
            outage.on_failure(f"{tried}", 100.0, 1.0)
            tried += 1
    assert tried == TRIALS_MAX + 1
    outage.start_call(Allowed.PROBE, "a", 101.0)
    assert outage.next_at(untried=True) == 100.0 + TRIAL_SECONDS
    assert outage.allowed(100.0 + TRIAL_SECONDS, untried=True) is Allowed.UNTRIED


@pytest.mark.parametrize("untried", [False, True])
def test_operator_makes_the_next_probe_due(untried: bool) -> None:
    outage = checked_detector(reachable=False)
    assert outage.allowed(100.0, untried=untried) is Allowed.NOTHING
    outage.probe_now()
    assert outage.allowed(100.0, untried=untried) is Allowed.PROBE
    outage.start_call(Allowed.PROBE, "a", 100.0)
    outage.probe_now()
    assert outage.allowed(100.0, untried=untried) is Allowed.NOTHING


def test_check_is_due_from_the_outage_until_it_leaves_and_again_after_more_failures() -> None:
    outage = OutageDetector()
    assert not outage.check_due
    outage = down_detector()
    assert outage.check_due
    outage.start_call(Allowed.CHECK, "", 100.0)
    assert not outage.check_due
    outage.on_check(reachable=True, now=100.0, jitter=1.0)
    assert not outage.check_due
    for lane in "fghij":
        outage.on_failure(lane, 101.0, 1.0)
    assert outage.check_due
