"""The bounds of Intercom's clock, from whole-second dates; `ahead` is what it is really ahead of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.deliver.intercom.server_clock import ServerClock


def test_server_time_is_unknown_before_the_first_date() -> None:
    assert ServerClock().until(100.0, 0.0) is None


def test_one_date_bounds_when_a_time_is_reached() -> None:
    clock = ServerClock()
    clock.seen(1000.0, sent=10.0, received=10.5)
    assert clock.until(1005.0, 10.5) == 5.0
    assert clock.until(1005.0, 12.5) == 3.0
    assert clock.until(990.0, 10.5) == -10.0


def test_many_dates_close_in() -> None:
    clock, ahead = ServerClock(), 1234.6789
    for tenth in range(40):
        at = 5.0 + tenth / 10
        clock.seen(float(int(at + 0.005 + ahead)), sent=at, received=at + 0.01)
    left = clock.until(2000.0, 9.0)
    assert left is not None
    assert left == pytest.approx(2000.0 - (9.0 + ahead), abs=0.12)
    assert left >= 2000.0 - (9.0 + ahead)


@given(
    st.floats(-4000, 4000),
    st.lists(st.tuples(st.floats(0.01, 30), st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_time_is_never_reached_too_early(ahead: float, calls: list[tuple[float, float, float]]) -> None:
    clock, now = ServerClock(), 10_000.0
    for pause, latency, written in calls:
        sent = now + pause
        now = sent + latency
        clock.seen(float(int(sent + written * latency + ahead)), sent, now)
        left = clock.until(20_000.0, now)
        assert left is not None
        assert left >= 20_000.0 - (now + ahead) - 1e-6


def test_bounds_restart_if_the_server_clock_is_set() -> None:
    clock = ServerClock()
    clock.seen(1000.0, sent=10.0, received=10.1)
    clock.seen(5000.0, sent=11.0, received=11.1)
    assert clock.until(5001.0, 11.1) == pytest.approx(1.0)
    clock.seen(1002.0, sent=12.0, received=12.1)
    assert clock.until(1003.0, 12.1) == pytest.approx(1.0)


def test_old_bounds_widen_with_time_so_that_drifting_clocks_are_followed() -> None:
    clock = ServerClock()
    clock.seen(1000.0, sent=0.0, received=0.0)
    clock.seen(11_000.0, sent=10_000.0, received=10_000.8)
    left = clock.until(11_010.0, 10_000.8)
    assert left == pytest.approx(10.0)
