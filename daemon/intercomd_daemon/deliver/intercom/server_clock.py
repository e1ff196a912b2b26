"""How far Intercom's clock is from ours, from the `Date` of its answers; our times are of a clock that never jumps.

`Date` is cut to whole seconds, so each answer only says: when it was written, between our sending and our receiving,
Intercom's clock stood in [Date, Date + 1). Such bounds, laid over each other, close to a round trip within seconds.
"""

from math import inf

# Two clocks drift apart; bounds widen by this share of the time since, so that an old answer never binds for ever.
DRIFT = 1e-4


class ServerClock:
    """The bounds of (Intercom's clock - ours)."""

    def __init__(self) -> None:
        self._low = -inf
        self._high = inf
        self._at = 0.0

    def seen(self, date: float, sent: float, received: float) -> None:
        """Learns from an answer with this `Date` to a call that left at `sent` and was answered at `received`."""
        widened = DRIFT * max(0.0, received - self._at)
        low, high = date - received, date + 1.0 - sent
        self._low = max(self._low - widened, low)
        self._high = min(self._high + widened, high)
        self._at = received
        if self._low > self._high:
            # The clock over there was set, or another machine answered: what was learned before does not hold.
            self._low, self._high = low, high

    def until(self, server_time: float, now: float) -> float | None:
        """Seconds until Intercom's clock surely shows `server_time`; None before the first `Date`."""
        if self._low == -inf:
            return None
        return server_time - self._low - now
