"""Buckets of a caller's quota."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercomd_daemon.rpc.caller_quota import BUCKET_SECONDS, Bucket, CallerQuota, retry_seconds

ENVELOPES, BYTES = "envelopes_per_second", "bytes_per_second"


def quota(envelopes: float = 0, size_bytes: float = 0, now: float = 0.0) -> CallerQuota:
    made = CallerQuota()
    made.configure({ENVELOPES: envelopes, BYTES: size_bytes}, now)
    return made


def test_bucket_holds_two_seconds_and_is_overdrawn_by_one_request() -> None:
    made = quota(10)
    for _ in range(19):
        assert made.wait(0.0) == (0.0, ENVELOPES)
        made.take(ENVELOPES, 1, 0.0)
    made.take(ENVELOPES, 31, 0.0)
    seconds, name = made.wait(0.0)
    assert (round(seconds, 3), name) == (3.0, ENVELOPES)
    assert made.wait(2.9)[0] > 0
    assert made.wait(seconds)[0] == 0.0


def test_idle_bucket_is_full_and_not_more() -> None:
    bucket = Bucket(10, 0.0)
    bucket.take(21, 1_000.0)
    assert bucket.wait_seconds(1_000.0) == pytest.approx(0.1, abs=1e-6)


def test_fullest_wait_decides() -> None:
    made = quota(10, 1_000)
    made.take(ENVELOPES, 30, 0.0)
    made.take(BYTES, 5_000, 0.0)
    assert made.wait(0.0)[1] == BYTES
    assert (made.rate(ENVELOPES), made.rate(BYTES)) == (10, 1_000)
    assert made.wait(2.0)[0] == pytest.approx(1.0, abs=1e-6)


def test_change_of_the_rate_keeps_the_fill_ratio() -> None:
    made = quota(10)
    made.take(ENVELOPES, 10, 0.0)
    made.configure({ENVELOPES: 100, BYTES: 0}, 0.0)
    made.take(ENVELOPES, 100, 0.0)
    assert made.wait(0.0)[0] == pytest.approx(0.0, abs=1e-6)
    made.take(ENVELOPES, 100, 0.0)
    made.configure({ENVELOPES: 10, BYTES: 5}, 0.0)
    assert made.wait(0.0)[0] == pytest.approx(1.0, abs=1e-6)
    made.configure({ENVELOPES: 0, BYTES: 0}, 0.0)
    assert made.wait(0.0) == (0.0, "")
    assert not made


def test_no_quota_never_waits() -> None:
    made = quota()
    made.take(ENVELOPES, 1e9, 0.0)
    assert made.wait(0.0) == (0.0, "")


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(1e-9, 1), (0.0101, 11), (0.999, 999), (1.0, 1_000), (1.0001, 1_010), (98.04, 98_100), (490_000.1, 491_000_000)],
)
def test_wait_of_a_refused_caller_has_three_digits_and_is_never_too_short(seconds: float, milliseconds: int) -> None:
    assert retry_seconds(seconds) == milliseconds / 1000


@given(st.floats(1e-7, 1e6))
def test_wait_of_a_refused_caller_is_too_long_by_one_percent_at_most(seconds: float) -> None:
    assert seconds <= retry_seconds(seconds) <= max(seconds * 1.01, seconds + 0.001)


@pytest.mark.parametrize("now", [0.0, 5e8])
@pytest.mark.parametrize("rate", [0.001, 7, 1e9])
def test_bucket_is_positive_at_the_time_that_it_names(rate: float, now: float) -> None:
    bucket = Bucket(rate, now)
    bucket.take(rate * BUCKET_SECONDS, now)
    for amount in (0.0, rate / 3, rate * 5):
        bucket.take(amount, now)
        seconds = bucket.wait_seconds(now)
        assert seconds > 0
        assert bucket.wait_seconds(now + seconds) == 0.0
        bucket.take(rate * BUCKET_SECONDS, now := now + seconds + BUCKET_SECONDS)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1_000)), max_size=50))
def test_more_than_the_rate_never_passes_for_long(requests: list[tuple[float, int]]) -> None:
    """Beside the bucket and one request that overdraws it."""
    bucket, now, passed = Bucket(100, 0.0), 0.0, 0
    for pause, amount in requests:
        now += pause
        if not bucket.wait_seconds(now):
            bucket.take(amount, now)
            passed += amount
    assert passed <= 100 * (now + BUCKET_SECONDS) + 1_000
