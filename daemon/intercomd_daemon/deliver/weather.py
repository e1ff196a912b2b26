"""Is it this user's trouble or the connection's: the failures in a row, and over how many lanes.

It does not know what failed or why; only that a failure was not about one user (network, time-out, 5xx, 429).
"""

from intercomd_daemon.deliver.backoff import delay_seconds

# "Seen 5 times in a row over 3 lanes or more": then it is the connection's.
FAILURES_MIN = 5
LANES_MIN = 3
# A lane whose call has failed so often while the connection stood is stuck by itself: it says nothing of the others.
STUCK_FAILURES = 3
# One call each half minute costs nothing, and a recovery is noticed soon.
PROBE_SECONDS_MAX = 30.0


class Weather:
    """The recent failures of one connection. Down: one call probes at a time; the first success clears it."""

    def __init__(self) -> None:
        self._failures = 0
        self._lanes: set[str] = set()
        self._probes = 0
        self.down = False
        self.probe_at = 0.0
        """When the next probe may leave, by the clock of `now`; only where it is down."""

    def failed(self, lane: str, now: float, jitter: float, before: int = 0) -> bool:
        """Counts a failure, of no lane where it is about no user; True if this one made the connection down.

        `before`: how often this very call of the lane has failed before.
        """
        if before >= STUCK_FAILURES and not self.down:
            return False
        self._failures += 1
        if lane and len(self._lanes) < LANES_MIN:
            self._lanes.add(lane)
        if self.down:
            if now < self.probe_at:
                return False  # A call that left before: what it says is known.
            self._probes += 1
        elif self._failures < FAILURES_MIN or (lane and len(self._lanes) < LANES_MIN):
            return False
        became = not self.down
        self.down = True
        self.probe_at = now + min(PROBE_SECONDS_MAX, delay_seconds(self._probes + 1, jitter))
        return became

    def succeeded(self) -> bool:
        """Counts an answer that shows Intercom well, refusals included; True if it was down until now."""
        was_down = self.down
        self._failures = 0
        self._lanes.clear()
        self._probes = 0
        self.down = False
        return was_down
