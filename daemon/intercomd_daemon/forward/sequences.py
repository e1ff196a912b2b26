"""The sequences of an agent's requests on one connection: they rise, also over restarts. Pure.

They follow the clock, so that an agent whose spool was restored from a copy does not reuse one. They never fall when
the clock is set back: the gateway would take a new request with a lower sequence for one that came late. So the agent
stores a limit before it uses the sequences up to it, and a restarted one begins above this limit.
"""

RESERVED = 60_000_000
"""Sequences reserved at once, 60 s of the clock: while the agent forwards, it stores a limit about once a minute."""


class Sequences:
    """The sequences of one connection. Times are in microseconds since 1970."""

    def __init__(self) -> None:
        self._last = 0
        self._limit = 0

    def restore(self, limit: int) -> None:
        """Continues above the limit that an earlier run stored; 0: none."""
        self._last = self._limit = max(self._limit, limit)

    def reserve(self, now: int) -> int:
        """Returns the limit to store before `take` is called; 0: the stored one is high enough."""
        following = max(self._last + 1, now)
        if following < self._limit:
            return 0
        self._limit = following + RESERVED
        return self._limit

    def take(self, now: int) -> int:
        """Returns the next sequence. It is not above the limit, even if the clock was moved since `reserve`."""
        self._last = min(max(self._last + 1, now), self._limit)
        return self._last
