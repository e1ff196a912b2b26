"""Is it this user's trouble or the connection's, as sequences of failures and successes."""

import pytest

from intercomd_daemon.deliver.weather import FAILURES_MIN, PROBE_SECONDS_MAX, STUCK_FAILURES, Weather


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
def test_failures_in_a_row_over_several_lanes_are_the_connection_s(lanes: str, down: bool) -> None:
    weather = Weather()
    for lane in lanes:
        if lane == "-":
            weather.succeeded()
        else:
            weather.failed(lane, 0.0, 1.0)
    assert weather.down is down


def test_failures_of_calls_about_no_user_are_the_connection_s() -> None:
    weather = Weather()
    assert [weather.failed("", 0.0, 1.0) for _ in range(FAILURES_MIN)] == [False] * (FAILURES_MIN - 1) + [True]


def test_lanes_that_have_failed_often_while_others_did_not_make_no_weather() -> None:
    weather = Weather()
    for failures in range(STUCK_FAILURES, 50):
        for lane in "abc":
            assert not weather.failed(lane, 0.0, 1.0, failures)
    for lane in "abcd":
        assert not weather.failed(lane, 0.0, 1.0, STUCK_FAILURES - 1)
    assert weather.failed("e", 0.0, 1.0)


def test_once_it_has_fallen_every_failed_probe_counts() -> None:
    weather = fallen()
    weather.failed("a", 101.0, 1.0, STUCK_FAILURES)
    assert weather.probe_at == 103.0


def fallen() -> Weather:
    weather = Weather()
    became = [weather.failed(lane, 100.0, 1.0) for lane in "abcde"]
    assert became == [False] * (FAILURES_MIN - 1) + [True]
    return weather


@pytest.mark.fills("deliver.weather.PROBE_SECONDS_MAX")
def test_probes_come_ever_slower_up_to_half_a_minute() -> None:
    weather = fallen()
    waits = [weather.probe_at - 100.0]
    for _ in range(6):
        at = weather.probe_at
        assert not weather.failed("a", at, 1.0)
        waits.append(weather.probe_at - at)
    assert waits == [1, 2, 4, 8, 16, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX]


def test_calls_that_were_under_way_when_it_fell_are_no_probes() -> None:
    weather = fallen()
    for _ in range(60):
        assert not weather.failed("z", 100.5, 1.0)
    assert weather.probe_at == 101.0


def test_the_first_success_clears_it_and_the_next_fall_starts_over() -> None:
    weather = fallen()
    weather.failed("a", 101.0, 1.0)
    assert weather.succeeded()
    assert not weather.succeeded()
    assert not weather.down
    for lane in "abcde":
        weather.failed(lane, 200.0, 0.5)
    assert weather.down
    assert weather.probe_at == 200.5
