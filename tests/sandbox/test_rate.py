"""The budget: fixed windows, what the headers say, and when a call is one too many."""

import pytest

from intercomd_daemon.sandbox.rate import UNLIMITED, Rate, RateWindows
from intercomd_daemon.sandbox.recorded import NONE


def windows(limit: int = 3, *, aligned: bool = True, other_apps_calls: int = 0) -> RateWindows:
    return RateWindows(
        limit=limit, window_seconds=10.0, aligned=aligned, other_apps_calls=other_apps_calls, recorded=NONE
    )


def test_calls_are_counted_down_and_refused_until_the_window_ends() -> None:
    rate = windows()
    assert [rate.take(1003.5 + step) for step in range(5)] == [
        Rate(3, 2, 1010, limited=False),
        Rate(3, 1, 1010, limited=False),
        Rate(3, 0, 1010, limited=False),
        Rate(3, 0, 1010, limited=True),
        Rate(3, 0, 1010, limited=True),
    ]
    assert rate.take(1010.0) == Rate(3, 2, 1020, limited=False)


def test_windows_may_begin_with_the_first_call() -> None:
    rate = windows(aligned=False)
    assert rate.take(1003.5).reset == 1014
    assert rate.take(1013.4).remaining == 1
    assert rate.take(1013.5) == Rate(3, 2, 1024, limited=False)


def test_unused_windows_pass() -> None:
    rate = windows()
    rate.take(1000.0)
    assert rate.take(1055.0) == Rate(3, 2, 1060, limited=False)


def test_other_apps_use_up_a_part_of_each_window() -> None:
    rate = windows(other_apps_calls=2)
    for start in (1000.0, 1010.0):
        assert rate.take(start) == Rate(3, 0, int(start) + 10, limited=False)
        assert rate.take(start).limited


def test_other_apps_may_use_up_the_present_window_at_once() -> None:
    rate = windows()
    rate.spend(5, 1000.0)
    assert rate.take(1001.0) == Rate(3, 0, 1010, limited=True)
    assert not rate.take(1010.0).limited


def test_no_limit_refuses_nothing_and_reports_a_huge_limit() -> None:
    rate = windows(limit=0)
    rate.spend(2 * UNLIMITED, 1000.0)
    assert rate.take(1001.0) == Rate(UNLIMITED, 0, 1010, limited=False)


@pytest.mark.parametrize(("seconds", "text"), [(10.0, "10_seconds"), (2.5, "2.5_seconds")])
def test_refusal_names_limit_and_window(seconds: float, text: str) -> None:
    rate = RateWindows(limit=167, window_seconds=seconds, aligned=True, other_apps_calls=0)
    assert rate.message == f"Exceeded rate limit of 167 in {text}"


def test_chosen_429_reports_an_empty_budget_and_counts_nothing() -> None:
    rate = windows()
    assert rate.exceeded(1003.0) == Rate(3, 0, 1010, limited=True)
    assert rate.take(1004.0).remaining == 2


def test_recorded_headers_count_before_the_call_and_reset_2_s_late() -> None:
    rate = RateWindows(limit=3, window_seconds=10.0, aligned=True, other_apps_calls=0)
    assert [rate.take(1003.5 + step) for step in range(4)] == [
        Rate(3, 3, 1012, limited=False),
        Rate(3, 2, 1012, limited=False),
        Rate(3, 1, 1012, limited=False),
        Rate(3, 0, 1012, limited=True),
    ]
    assert rate.exceeded(1009.9) == Rate(3, 0, 1012, limited=True)
    assert rate.take(1010.0) == Rate(3, 3, 1022, limited=False)
