"""The pace step by step: what it learns from a response, and when the next call may leave."""

import pytest

from intercomd_daemon.deliver.intercom.messages import RateHeaders, Response
from intercomd_daemon.deliver.schedule.pacing import (
    BURST,
    LATE_SECONDS,
    LIMIT_PLAUSIBLE,
    TAKEOVER_CALLS,
    VERIFY_SECONDS,
    WAIT_MAX_SECONDS,
    Pace,
)
from intercomd_daemon.spool.rows import PacingState

UNIX = 1_795_000_000.0


def response(remaining: int = 100, reset: float = UNIX + 10, status: int = 200, after: float | None = None) -> Response:
    return Response(status, rate=RateHeaders(167, remaining, reset), date=UNIX, retry_after_seconds=after)


@pytest.mark.fills("deliver.schedule.pacing.BURST")
def test_first_calls_leave_at_once_then_evenly() -> None:
    pace = Pace(167, 1.0, 0.0)
    for _ in range(BURST):
        assert pace.next_at(0.0) == pytest.approx(0.0)
        pace.take(0.0)
    assert pace.next_at(0.0) == pytest.approx(10 / 164)
    assert pace.plan == 164
    assert pace.remaining(0.0) == 166 - BURST
    assert pace.window_ends == 10.0


@pytest.mark.parametrize(
    ("limit", "share", "plan"),
    [(1, 1.0, 1), (2, 1.0, 1), (20, 1.0, 19), (83, 1.0, 82), (167, 0.5, 82), (167, 0.001, 1)],
)
def test_plan_leaves_a_reserve_and_keeps_to_the_share(limit: int, share: float, plan: int) -> None:
    assert Pace(limit, share, 0.0).plan == plan


def test_429_stops_the_calls_until_the_reset_and_halves_the_plan_once() -> None:
    pace = Pace(167, 1.0, 0.0)
    for _ in range(3):
        pace.take(0.0)
    for _ in range(3):
        pace.on_response(response(remaining=0, reset=UNIX + 7, status=429), 0.0, 0.1)
    assert pace.next_at(0.1) == pytest.approx(7.1)
    assert pace.plan == 82
    pace.take(8.0)
    pace.on_response(response(remaining=0, reset=UNIX + 17, status=429), 8.0, 8.1)
    assert pace.plan == 41


def test_plan_recovers_by_a_twentieth_in_each_window_without_a_429() -> None:
    pace = Pace(101, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(429), 0.0, 0.0)
    plans = []
    for window in range(1, 14):
        pace.take(10.0 * window + 0.1)
        plans.append(pace.plan)
    assert plans == [49, 54, 59, 64, 69, 74, 79, 84, 89, 94, 99, 99, 99]


def test_one_call_in_each_window_is_tried_after_any_number_of_429s() -> None:
    pace = Pace(167, 1.0, 0.0)
    for window in range(20):
        pace.take(100.0 * window)
        pace.on_response(Response(429, retry_after_seconds=99.0), 100.0 * window, 100.0 * window)
    assert pace.plan >= 1
    assert pace.remaining(100_000.0) >= 1


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (Response(429), 10.0),
        (response(0, status=429), 10.0),
        (response(0, UNIX + 55, status=429), 55.0),
        (response(0, UNIX + 500, status=429), 10.0),
        (response(0, UNIX - 5, status=429), 10.0),
        (response(0, status=429, after=3.0), 10.0),
        (response(0, status=429, after=30.0), 30.0),
        (response(5, status=429, after=3.0), 3.0),
        (Response(429, retry_after_seconds=3.0), 3.0),
        (Response(429, retry_after_seconds=0.0), 1.0),
        (Response(429, retry_after_seconds=0.3), 1.0),
        (Response(429, retry_after_seconds=3600.0), WAIT_MAX_SECONDS),
    ],
)
@pytest.mark.fills("deliver.schedule.pacing.WAIT_MAX_SECONDS")
def test_429_stops_the_calls_until_the_reset_or_for_retry_after(refusal: Response, wait: float) -> None:
    """Without a usable reset for a window. `Retry-After` is honoured, capped, but does not add calls to a window."""
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(refusal, 0.0, 0.0)
    assert pace.next_at(0.0) == pytest.approx(wait)


def test_zero_limits_and_responses_of_earlier_windows_are_ignored() -> None:
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(200, rate=RateHeaders(0, 0, UNIX + 5), date=UNIX), 0.0, 0.1)
    assert pace.limit == 167
    for _ in range(2):
        pace.take(0.2)
    pace.on_response(response(50, UNIX + 20), 0.2, 0.3)
    pace.on_response(response(10, UNIX + 10), 0.2, 0.3)
    assert pace.remaining(0.3) == 49
    pace.on_response(response(51, UNIX + 20), 0.2, 0.3)
    assert pace.remaining(0.3) == 49


@pytest.mark.parametrize("limit", [0, LIMIT_PLAUSIBLE + 1, 1 << 31, 10**15 - 1])
def test_implausible_limits_are_ignored(limit: int) -> None:
    """No message can hold them: the status could not be shown, and nothing would limit the calls."""
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(200, rate=RateHeaders(limit, 0, UNIX + 5), date=UNIX), 0.0, 0.1)
    assert pace.limit == 167
    pace.restore(PacingState(limit, UNIX + 5, 0, UNIX + 5), 0.0, UNIX)
    assert pace.limit == 167


@pytest.mark.parametrize("remaining", [168, 10**15 - 1])
def test_more_remaining_than_the_limit_allows_no_more_calls(remaining: int) -> None:
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(200, rate=RateHeaders(167, remaining, UNIX + 5), date=UNIX), 0.0, 0.1)
    assert 0 < pace.remaining(0.2) <= 166


def test_response_to_a_call_that_was_not_taken_still_counts() -> None:
    """A call that was made without the budget: its headers are valid all the same."""
    pace = Pace(167, 1.0, 0.0)
    pace.on_response(response(50), 0.0, 0.1)
    assert pace.remaining(0.1) == 49


def test_calls_that_intercom_has_not_counted_yet_are_added_to_its_count() -> None:
    pace = Pace(167, 1.0, 0.0)
    for at in (0.0, 0.5, 0.5):
        pace.take(at)
    pace.on_response(response(50), 0.0, 1.0)
    assert pace.remaining(1.0) == 49 - 2
    pace.take(1.0)
    assert pace.remaining(1.0) == 49 - 3
    # The response to a later call: all calls that left before it are in its count.
    pace.on_response(response(48), 0.5, 1.1)
    assert pace.remaining(1.1) == 47 - 1


def test_calls_in_flight_count_in_the_next_window_until_their_responses() -> None:
    pace = Pace(20, 1.0, 0.0)
    for _ in range(5):
        pace.take(9.9)
    assert pace.remaining(9.9) == 19 - 5
    assert pace.remaining(10.0) == 19 - 5
    pace.take(10.0)
    assert pace.remaining(10.0) == 19 - 6
    for _ in range(6):
        pace.on_response(Response(200), 10.0, 10.5)
    assert pace.remaining(10.5) == 19 - 1
    assert pace.remaining(20.0) == 19


def test_share_is_used_up_by_our_own_calls_only() -> None:
    pace = Pace(100, 0.1, 0.0)
    for at in (1.0, 2.0, 3.0):
        pace.take(at)
    assert pace.remaining(3.0) == 9 - 3
    pace.on_response(Response(200, rate=RateHeaders(100, 60, UNIX + 9), date=UNIX), 1.0, 3.5)
    assert pace.remaining(3.5) == 9 - 3
    pace.on_response(Response(200, rate=RateHeaders(100, 99, UNIX + 19), date=UNIX + 9.5), 2.0, 13.0)
    assert pace.remaining(13.0) == 9 - 2
    assert Pace(167, 0.001, 0.0).remaining(0.0) == 1


def test_idle_windows_pass() -> None:
    pace = Pace(20, 1.0, 0.0)
    pace.take(1.0)
    pace.on_response(Response(200), 1.0, 1.1)
    pace.take(1234.5)
    assert pace.window_ends == 1240.0
    assert pace.remaining(1234.5) == 18


@pytest.mark.parametrize(
    ("step", "left", "window"),
    [(10, 10.0, 10), (5, 5.0, 5), (12, 12.0, 12), (20, 10.0, 10), (60, 10.0, 10), (60, 60.0, 56), (1, 10.0, 10)],
)
def test_window_length_is_the_step_between_resets_if_plausible(step: int, left: float, window: float) -> None:
    """Of what is left of a longer window, 2 s may be rounding, and 2 s a late reset."""
    pace = Pace(167, 1.0, 0.0)
    pace.on_response(response(reset=UNIX + 10), 0.0, 0.0)
    at = 10.0 + step - left
    later = Response(200, rate=RateHeaders(167, 100, UNIX + 10 + step), date=UNIX + at)
    pace.on_response(later, at, at)
    assert pace.window_seconds == window


def use_up_a_window(pace: Pace, others: int) -> None:
    """Take what other apps leave of the first 10 s, evenly; each response has a reset that is 2 s late."""
    own = 166 - others
    for number in range(own):
        at = 10.0 * number / own
        pace.take(at)
        rate = RateHeaders(167, 167 - others - number - 1, UNIX + 12)
        pace.on_response(Response(200, rate=rate, date=UNIX + int(at)), at, at)
    assert pace.remaining(9.99) == 0


def leave_at_once(pace: Pace, now: float) -> int:
    """Take calls until the pace delays one; return their number."""
    calls = 0
    while pace.next_at(now) <= now + 1e-9:
        pace.take(now)
        calls += 1
    return calls


@pytest.mark.fills("deliver.schedule.pacing.LATE_SECONDS")
def test_calls_that_waited_for_a_late_reset_leave_at_once() -> None:
    """Recorded: "X-RateLimit-Reset lies 2 s after the moment at which the count starts anew"."""
    pace = Pace(167, 1.0, 0.0)
    use_up_a_window(pace, others=0)
    ends = pace.next_at(9.99)
    assert 12.0 <= ends <= 14.0
    per_second = 164 / 10
    assert per_second * LATE_SECONDS <= leave_at_once(pace, ends) <= per_second * LATE_SECONDS + BURST


@pytest.mark.parametrize("others", [20, 60])
def test_at_most_a_burst_leaves_after_a_window_that_other_apps_used(others: int) -> None:
    pace = Pace(167, 1.0, 0.0)
    use_up_a_window(pace, others)
    assert leave_at_once(pace, pace.next_at(9.99)) <= BURST


def test_at_most_a_burst_leaves_long_after_a_used_up_window() -> None:
    pace = Pace(167, 1.0, 0.0)
    use_up_a_window(pace, others=0)
    assert leave_at_once(pace, 60.0) == BURST


def test_restored_window_keeps_its_calls_and_its_end() -> None:
    """Responses of the same window add to the calls of the previous process; the next window has the whole plan."""
    first, second = Pace(100, 0.5, 0.0), Pace(100, 0.5, 1_000.0)
    for _ in range(16):
        first.take(0.0)
        first.on_response(response(remaining=150, reset=UNIX + 8), 0.0, 0.0)
    state = first.state(1.0, UNIX + 1)
    assert state == PacingState(167, UNIX + 8, 16, UNIX + 8)
    second.restore(state, 1_000.0, UNIX + 1)
    assert (second.limit, second.plan, second.window_ends) == (167, first.plan, 1_007.0)
    assert second.remaining(1_000.0) == first.remaining(1.0)
    second.take(1_000.0)
    second.on_response(response(remaining=149, reset=UNIX + 8), 1_000.0, 1_000.0)
    assert second.remaining(1_000.0) == first.remaining(1.0) - 1
    assert second.remaining(1_009.0) == 83


@pytest.mark.parametrize(
    "state", [PacingState(167, UNIX, 9), PacingState(167, UNIX + 61, 9), PacingState(0, UNIX + 5, 9)]
)
def test_state_of_no_present_window_is_not_restored(state: PacingState) -> None:
    pace = Pace(100, 1.0, 0.0)
    pace.restore(state, 0.0, UNIX)
    assert (pace.limit, pace.window_ends, pace.remaining(0.0)) == (100, 10.0, 99)


def test_another_share_changes_the_plan_at_once() -> None:
    pace = Pace(100, 1.0, 0.0)
    before = pace.plan
    pace.set_share(0.5)
    assert (before, pace.plan) == (98, 49)


def taken_over(share: float = 1.0) -> Pace:
    """A pace after a take-over in a window that ends at 8.0, of which 5 calls are known."""
    pace = Pace(167, share, 0.0)
    pace.restore(PacingState(167, UNIX + 8, 5, UNIX + 8), 0.0, UNIX)
    pace.take_over()
    return pace


def test_one_call_leaves_after_a_take_over_until_it_is_answered() -> None:
    pace = taken_over(0.5)
    assert pace.next_at(0.0) == 0.0
    pace.take(0.0)
    assert pace.next_at(0.0) == VERIFY_SECONDS
    pace.on_response(Response(0), 0.0, 1.0)
    assert pace.next_at(1.0) == 1.0, "a call without a response shows nothing"
    pace.take(1.0)
    assert pace.next_at(20.0) == 20.0 + VERIFY_SECONDS, "however many windows pass"


def test_second_take_over_waits_for_the_end_of_a_window_that_the_first_one_verifies() -> None:
    """The previous owner left one call of the limit, which the first of them makes."""
    state = taken_over().state(1.0, UNIX + 1)
    assert state == PacingState(167, UNIX + 8, 167, UNIX + 8)
    second = Pace(167, 1.0, 2.0)
    second.restore(state, 2.0, UNIX + 2)
    second.take_over()
    assert second.next_at(2.0) == 8.0
    second.take(8.0)
    second.on_response(response(remaining=100, reset=UNIX + 18), 8.0, 8.1)
    assert second.state(8.1, UNIX + 8.1).calls_used == 67, "all that Intercom has counted"


def test_64_calls_of_the_previous_owner_count_until_the_first_window_ends() -> None:
    pace = taken_over()
    pace.take(0.0)
    pace.on_response(response(remaining=100, reset=UNIX + 9), 0.0, 0.1)
    assert pace.remaining(0.1) == 99 - TAKEOVER_CALLS
    assert pace.remaining(9.5) == 166
    pace.take(9.5)
    assert pace.remaining(9.6) == 165


def test_share_counts_as_spent_until_the_window_of_the_first_response_ends() -> None:
    pace = taken_over(0.5)
    pace.take(0.0)
    pace.on_response(response(remaining=160, reset=UNIX + 9), 0.0, 0.1)
    assert pace.remaining(0.1) == 0
    assert pace.next_at(0.1) == pytest.approx(9.1, abs=0.2)
    pace.take(9.5)
    assert pace.remaining(9.6) == 82
