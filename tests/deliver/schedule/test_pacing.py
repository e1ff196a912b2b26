"""The pace step by step: what an answer teaches, and when the next call may leave."""

import pytest

from intercomd_daemon.deliver.intercom.messages import RateHeaders, Response
from intercomd_daemon.deliver.schedule.pacing import BURST, LATE_SECONDS, WAIT_MAX_SECONDS, Pace

UNIX = 1_795_000_000.0


def answer(remaining: int = 100, reset: float = UNIX + 10, status: int = 200, after: float | None = None) -> Response:
    return Response(status, rate=RateHeaders(167, remaining, reset), date=UNIX, retry_after_seconds=after)


@pytest.mark.fills("deliver.schedule.pacing.BURST")
def test_the_first_calls_leave_at_once_then_evenly() -> None:
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
def test_the_plan(limit: int, share: float, plan: int) -> None:
    assert Pace(limit, share, 0.0).plan == plan


def test_a_429_stops_the_connection_until_the_reset_and_halves_what_is_believed_once() -> None:
    pace = Pace(167, 1.0, 0.0)
    for _ in range(3):
        pace.take(0.0)
    for _ in range(3):
        pace.on_response(answer(remaining=0, reset=UNIX + 7, status=429), 0.0, 0.1)
    assert pace.next_at(0.1) == pytest.approx(7.1)
    assert pace.plan == 82
    pace.take(8.0)
    pace.on_response(answer(remaining=0, reset=UNIX + 17, status=429), 8.0, 8.1)
    assert pace.plan == 41


def test_what_is_believed_recovers_by_a_twentieth_a_clean_window_and_wholly() -> None:
    pace = Pace(101, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(429), 0.0, 0.0)
    plans = []
    for window in range(1, 14):
        pace.take(10.0 * window + 0.1)
        plans.append(pace.plan)
    assert plans == [49, 54, 59, 64, 69, 74, 79, 84, 89, 94, 99, 99, 99]


def test_however_often_it_is_refused_a_call_a_window_is_tried() -> None:
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
        (answer(0, status=429), 10.0),
        (answer(0, UNIX + 55, status=429), 55.0),
        (answer(0, UNIX + 500, status=429), 10.0),
        (answer(0, UNIX - 5, status=429), 10.0),
        (answer(0, status=429, after=3.0), 10.0),
        (answer(0, status=429, after=30.0), 30.0),
        (answer(5, status=429, after=3.0), 3.0),
        (Response(429, retry_after_seconds=3.0), 3.0),
        (Response(429, retry_after_seconds=0.0), 0.1),
        (Response(429, retry_after_seconds=3600.0), WAIT_MAX_SECONDS),
    ],
)
@pytest.mark.fills("deliver.schedule.pacing.WAIT_MAX_SECONDS")
def test_how_long_a_429_stops_it(refusal: Response, wait: float) -> None:
    """Until the reset, or as long as a window; `Retry-After` counts if it comes, capped, but makes no call left."""
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(refusal, 0.0, 0.0)
    assert pace.next_at(0.0) == pytest.approx(wait)


def test_a_limit_of_nothing_is_no_limit_and_answers_of_windows_that_are_over_teach_nothing() -> None:
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.on_response(Response(200, rate=RateHeaders(0, 0, UNIX + 5), date=UNIX), 0.0, 0.1)
    assert pace.limit == 167
    for _ in range(2):
        pace.take(0.2)
    pace.on_response(answer(50, UNIX + 20), 0.2, 0.3)
    pace.on_response(answer(10, UNIX + 10), 0.2, 0.3)
    assert pace.remaining(0.3) == 49
    pace.on_response(answer(51, UNIX + 20), 0.2, 0.3)
    assert pace.remaining(0.3) == 49


def test_an_answer_to_a_call_that_was_not_taken_is_none_of_ours() -> None:
    """A look-up made past the budget: what it says is true all the same."""
    pace = Pace(167, 1.0, 0.0)
    pace.on_response(answer(50), 0.0, 0.1)
    assert pace.remaining(0.1) == 49


def test_what_intercom_had_not_counted_when_it_said_so_counts_on_top() -> None:
    pace = Pace(167, 1.0, 0.0)
    for at in (0.0, 0.5, 0.5):
        pace.take(at)
    pace.on_response(answer(50), 0.0, 1.0)
    assert pace.remaining(1.0) == 49 - 2
    pace.take(1.0)
    assert pace.remaining(1.0) == 49 - 3
    # The answer to a later call: what left before it has been counted, answered or not.
    pace.on_response(answer(48), 0.5, 1.1)
    assert pace.remaining(1.1) == 47 - 1


def test_calls_under_way_count_in_the_next_window_until_it_is_known_better() -> None:
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


def test_of_a_share_only_our_own_calls_are_taken_also_where_a_new_window_is_met() -> None:
    pace = Pace(100, 0.1, 0.0)
    for at in (1.0, 2.0, 3.0):
        pace.take(at)
    assert pace.remaining(3.0) == 9 - 3
    pace.on_response(Response(200, rate=RateHeaders(100, 60, UNIX + 9), date=UNIX), 1.0, 3.5)
    assert pace.remaining(3.5) == 9 - 3
    pace.on_response(Response(200, rate=RateHeaders(100, 99, UNIX + 19), date=UNIX + 9.5), 2.0, 13.0)
    assert pace.remaining(13.0) == 9 - 2
    assert Pace(167, 0.001, 0.0).remaining(0.0) == 1


def test_idle_windows_pass_uncounted() -> None:
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
def test_a_step_from_reset_to_reset_is_a_window_unless_it_spans_several_or_less_than_is_left(
    step: int, left: float, window: float
) -> None:
    """Where a longer window is only seen by what is left of it, 2 s of that may be rounding, and 2 s a late reset."""
    pace = Pace(167, 1.0, 0.0)
    pace.on_response(answer(reset=UNIX + 10), 0.0, 0.0)
    at = 10.0 + step - left
    later = Response(200, rate=RateHeaders(167, 100, UNIX + 10 + step), date=UNIX + at)
    pace.on_response(later, at, at)
    assert pace.window_seconds == window


def use_up_a_window(pace: Pace, others: int) -> None:
    """Take what other apps leave of the first 10 s, evenly; each answer names the reset 2 s late."""
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
def test_no_more_than_a_burst_leaves_where_other_apps_used_the_window(others: int) -> None:
    pace = Pace(167, 1.0, 0.0)
    use_up_a_window(pace, others)
    assert leave_at_once(pace, pace.next_at(9.99)) <= BURST


def test_no_more_than_a_burst_leaves_long_after_a_used_up_window() -> None:
    pace = Pace(167, 1.0, 0.0)
    use_up_a_window(pace, others=0)
    assert leave_at_once(pace, 60.0) == BURST
