"""Bounds the calls in flight, so that users whose calls hang leave places to others. Pure.

A call that has no response yet is young or slow. Young calls hold the places of a pool, and slow ones only count to its
total. So any number of users whose calls hang delays the others by seconds, not by the timeout of a call.

1. The usual pool is for lanes whose last call did not fail: 64 places, and one falls vacant when a call is 0.5 s old.
2. When its total is reached, 160 calls hang. Then the reserve admits 2 calls a second that hang, so that it never fills
   up within the timeout of 30 s. Calls that end well free their places at once, and so pass at the usual rate.
3. Lanes whose last call failed have a pool of their own until one of their calls succeeds.
"""

from itertools import islice
from math import inf

from intercomd_daemon.deliver.lane.lane import Lane

# The usual pool: young calls, when a call is slow, and all of its calls.
OPEN_MAX = 64
SLOW_SECONDS = 0.5
USUAL_CALLS_MAX = 160
# The reserve: 4 calls in 2 s that hang, in 30 s at most 60.
RESERVE_OPEN_MAX = 4
RESERVE_SLOW_SECONDS = 2.0
RESERVE_CALLS_MAX = 64
# The pool of lanes whose last call failed.
FAILED_OPEN_MAX = 16
FAILED_SLOW_SECONDS = 1.0
FAILED_CALLS_MAX = 32
# A waiting call with TLS takes 0.3 MiB. `GET /me` needs connections of its own: one for access, one for outages.
CONNECTIONS_MAX = USUAL_CALLS_MAX + RESERVE_CALLS_MAX + FAILED_CALLS_MAX + 2


class Pool:
    """Calls in flight that share places."""

    def __init__(self, places: int, slow_seconds: float, calls_max: int) -> None:
        self._places = places
        self._slow_seconds = slow_seconds
        self._calls_max = calls_max
        self._started: dict[Lane, float] = {}
        """When the call of each lane started, in that order."""

    @property
    def full(self) -> bool:
        """Whether a call must end before another one starts."""
        return len(self._started) >= self._calls_max

    def next_at(self) -> float:
        """Returns when another call may start, 0.0 if at once; infinite if one must end first."""
        if self.full:
            return inf
        # The newest calls fill the places; the earliest of these is the first to become slow.
        last = next(islice(reversed(self._started.values()), self._places - 1, None), -inf)
        return max(0.0, last + self._slow_seconds)

    def start(self, lane: Lane, now: float) -> None:
        """Adds a call of this lane."""
        self._started[lane] = now

    def end(self, lane: Lane) -> None:
        """Removes the call of this lane."""
        del self._started[lane]


class OpenCalls:
    """The calls in flight of one connection, at most one for each lane."""

    def __init__(self) -> None:
        self._usual = Pool(OPEN_MAX, SLOW_SECONDS, USUAL_CALLS_MAX)
        self._reserve = Pool(RESERVE_OPEN_MAX, RESERVE_SLOW_SECONDS, RESERVE_CALLS_MAX)
        self._failed = Pool(FAILED_OPEN_MAX, FAILED_SLOW_SECONDS, FAILED_CALLS_MAX)
        self._pools: dict[Lane, Pool] = {}
        """The pool of each lane's call."""

    def __len__(self) -> int:
        return len(self._pools)

    @property
    def crowded(self) -> bool:
        """Whether so many calls hang that only the reserve is left."""
        return self._usual.full

    def next_at(self, *, failed: bool) -> float:
        """Returns when a call may start, 0.0 if at once; infinite if another one must end first.

        `failed`: of a lane whose last call failed.
        """
        return self._pool(failed=failed).next_at()

    def start(self, lane: Lane, now: float) -> None:
        """Notes that a call of this lane leaves."""
        pool = self._pools[lane] = self._pool(failed=bool(lane.failures))
        pool.start(lane, now)

    def end(self, lane: Lane) -> None:
        """Notes that the call of this lane has ended."""
        self._pools.pop(lane).end(lane)

    def _pool(self, *, failed: bool) -> Pool:
        if failed:
            return self._failed
        return self._reserve if self._usual.full else self._usual
