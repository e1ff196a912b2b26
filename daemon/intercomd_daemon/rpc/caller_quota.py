"""The quota of a caller: buckets of envelopes and bytes that refill all the time. Pure.

A request passes while the buckets are positive, and may overdraw them by itself, so a request that is larger than a
bucket is possible too.
"""

from collections.abc import Mapping
from math import ceil

ENVELOPES, BYTES = "envelopes_per_second", "bytes_per_second"
"""The settings of a caller."""
BUCKET_SECONDS = 2.0
"""The size of a bucket: what its rate gives in this time."""
_THREE_DIGITS = 1_000
"""Waits have three significant digits: above 1 s less than 1 % too long, so that refusals share their status."""
_POSITIVE_SECONDS = 1e-7
"""How long after it was empty a bucket is positive: more than the resolution of the clock after years of uptime."""


def retry_seconds(seconds: float) -> float:
    """Returns the wait of a refused caller, rounded up to milliseconds and to three significant digits."""
    milliseconds = ceil(seconds * 1000)
    unit = 1
    while milliseconds > _THREE_DIGITS * unit:
        unit *= 10
    return ceil(milliseconds / unit) * unit / 1000


class Bucket:
    """One bucket. `now` is in seconds of a clock that never goes back.

    It is stored as the time at which it was or will be empty, as in the generic cell rate algorithm: what it holds is
    what its rate has given since then.
    """

    def __init__(self, per_second: float, now: float) -> None:
        """The bucket is full."""
        self.per_second = per_second
        self._empty_at = now - BUCKET_SECONDS

    def wait_seconds(self, now: float) -> float:
        """Returns the time until the bucket is positive; 0.0: it is."""
        seconds = self._empty_at - now
        return 0.0 if seconds < 0 else seconds + _POSITIVE_SECONDS

    def take(self, amount: float, now: float) -> None:
        """Takes an amount, which may overdraw the bucket."""
        self._empty_at = max(self._empty_at, now - BUCKET_SECONDS) + amount / self.per_second

    def change_rate(self, per_second: float) -> None:
        """Changes the rate; the bucket stays as full as it is, as a part of its size."""
        self.per_second = per_second


class CallerQuota:
    """The quota of one caller."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def configure(self, rates: Mapping[str, float], now: float) -> None:
        """Sets the rates by the name of their setting; 0: no quota. Buckets that exist keep their fill ratio."""
        for name, rate in rates.items():
            if not rate:
                self._buckets.pop(name, None)
            elif name in self._buckets:
                self._buckets[name].change_rate(rate)
            else:
                self._buckets[name] = Bucket(rate, now)

    def wait(self, now: float) -> tuple[float, str]:
        """Returns the time until a request can pass, and the setting that it waits for; 0.0: it can pass now."""
        longest, setting = 0.0, ""
        for name, bucket in self._buckets.items():
            seconds = bucket.wait_seconds(now)
            if seconds >= longest:
                longest, setting = seconds, name
        return longest, setting

    def rate(self, name: str) -> float:
        """Returns the rate per second of a setting that has one."""
        return self._buckets[name].per_second

    def take(self, name: str, amount: float, now: float) -> None:
        """Takes an amount from the bucket of a setting, if there is one."""
        bucket = self._buckets.get(name)
        if bucket is not None:
            bucket.take(amount, now)

    def __bool__(self) -> bool:
        return bool(self._buckets)
