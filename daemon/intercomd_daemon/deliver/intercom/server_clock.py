"""Estimates the offset of Intercom's clock from the `Date` of its responses. Our times are of a monotonic clock.

`Date` is cut to whole seconds, so a response gives bounds only: when it was written, between sending and receiving,
Intercom's clock was in [Date, Date + 1). The intersection of such bounds shrinks to a round trip within seconds.
"""

from math import inf

# Two clocks drift apart. The bounds widen by this share of the time since, so that an old response loses its weight.
DRIFT = 1e-4


class ServerClock:
    """The bounds of (Intercom's clock - ours)."""

    def __init__(self) -> None:
        self._low = -inf
        self._high = inf
        self._at = 0.0

    def seen(self, date: float, sent: float, received: float) -> None:
        """Narrows the bounds by the `Date` of a response that was `received` to a call that was `sent`."""
        widened = DRIFT * max(0.0, received - self._at)
        low, high = date - received, date + 1.0 - sent
        self._low = max(self._low - widened, low)
        self._high = min(self._high + widened, high)
        self._at = received
        if self._low > self._high:
            # Intercom's clock was set, or another machine responded: the earlier bounds are void.
            self._low, self._high = low, high

    def until(self, server_time: float, now: float) -> float | None:
        """Returns the seconds until Intercom's clock certainly shows `server_time`; None before the first `Date`."""
        if self._low == -inf:
            return None
        return server_time - self._low - now
