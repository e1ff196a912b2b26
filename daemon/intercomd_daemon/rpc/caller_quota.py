"""The quota of a caller: buckets of envelopes and bytes that refill all the time. Pure.

A request passes while the buckets are positive, and may overdraw them by itself, so a request that is larger than a
bucket is possible too.
"""

from collections.abc import Mapping

ENVELOPES, BYTES = "envelopes_per_second", "bytes_per_second"
"""The settings of a caller."""
BUCKET_SECONDS = 2.0
"""The size of a bucket: what its rate gives in this time."""


class Bucket:
    """One bucket. `now` is in seconds of a clock that never goes back."""

    def __init__(self, per_second: float, now: float) -> None:
        """The bucket is full."""
        self.per_second = per_second
        self._level = per_second * BUCKET_SECONDS
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """Returns the time until the bucket is positive; 0.0: it is."""
        self._refill(now)
        # At 0 the bucket is empty; it is positive with the next unit.
        return 0.0 if self._level > 0 else (_POSITIVE - self._level) / self.per_second

    def take(self, amount: float, now: float) -> None:
        """Takes an amount, which may overdraw the bucket."""
        self._refill(now)
        self._level -= amount

    def change_rate(self, per_second: float, now: float) -> None:
        """Changes the rate; the bucket stays as full as it is, as a part of its size."""
        self._refill(now)
        self._level *= per_second / self.per_second
        self.per_second = per_second

    def _refill(self, now: float) -> None:
        full = self.per_second * BUCKET_SECONDS
        self._level = min(full, self._level + (now - self._at) * self.per_second)
        self._at = now


_POSITIVE = 1e-6
"""A positive level, in envelopes or bytes: it counts as positive at the time that `wait_seconds` names."""


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
                self._buckets[name].change_rate(rate, now)
            else:
                self._buckets[name] = Bucket(rate, now)

    def wait(self, now: float) -> tuple[float, str]:
        """Returns the time until a request can pass, and the setting that it waits for; 0.0: it can pass now."""
        return max(((bucket.wait_seconds(now), name) for name, bucket in self._buckets.items()), default=(0.0, ""))

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
