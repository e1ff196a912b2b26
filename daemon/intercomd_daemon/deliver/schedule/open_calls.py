"""Bounds the calls in flight, so that users whose calls hang leave places to others. Pure.

A call without a response is young until it reaches the age at which its pool counts it as slow. A pool limits the
number of its young calls (its places) and, far higher, of all its calls. So users whose calls hang, however many they
are, delay the others by seconds, not by the timeout of a call.
"""

from itertools import islice
from math import inf

from intercomd_daemon.deliver.lane.lane import Lane

# The main pool: young calls, the age at which a call is slow, and all calls.
OPEN_MAX = 64
SLOW_SECONDS = 0.5
MAIN_CALLS_MAX = 160
# The reserve: if all calls hang, 60 start in 30 s.
RESERVE_OPEN_MAX = 4
RESERVE_SLOW_SECONDS = 2.0
RESERVE_CALLS_MAX = 64
# The pool of lanes whose last call failed.
FAILED_OPEN_MAX = 16
FAILED_SLOW_SECONDS = 1.0
FAILED_CALLS_MAX = 32
# A waiting call with TLS takes 0.3 MiB. `GET /me` needs connections of its own: one for access, one for outages.
CONNECTIONS_MAX = MAIN_CALLS_MAX + RESERVE_CALLS_MAX + FAILED_CALLS_MAX + 2


class Pool:
    """Calls in flight that share a limit of young calls and one of all calls."""

    def __init__(self, places: int, slow_seconds: float, calls_max: int) -> None:
        self._places = places
        self._slow_seconds = slow_seconds
        self._calls_max = calls_max
        self._started: dict[Lane, float] = {}
        """When the call of each lane started, in that order."""
        self.full = False
        """Whether a call must end before another one starts."""

    def next_at(self) -> float:
        """Returns when another call may start, 0.0 if at once; infinite if one must end first."""
        if self.full:
            return inf
        if len(self._started) < self._places:
            return 0.0
        # The newest calls fill the places; the earliest of these is the first to become slow.
        last = next(islice(reversed(self._started.values()), self._places - 1, self._places))
        return max(0.0, last + self._slow_seconds)

    def start(self, lane: Lane, now: float) -> None:
        """Adds a call of this lane."""
        self._started[lane] = now
        self.full = len(self._started) >= self._calls_max

    def end(self, lane: Lane) -> None:
        """Removes the call of this lane."""
        del self._started[lane]
        self.full = False


class OpenCalls:
    """The calls in flight of one connection, at most one for each lane, in three pools.

    1. The main pool, for lanes whose last call did not fail: 64 young calls, 160 in all. A call is slow after 0.5 s.
    2. The reserve, used while the main pool has 160 calls: 4 young calls, and a call is slow after 2 s. If all of its
       calls hang, 2 start each second, 60 within the timeout of 30 s: its 64 are never all in use. Calls that get a
       response give up their places at once.
    3. The pool for lanes whose last call failed, until one of their calls succeeds: 16 young calls, 32 in all. A call
       is slow after 1 s.
    """

    def __init__(self) -> None:
        self._main = Pool(OPEN_MAX, SLOW_SECONDS, MAIN_CALLS_MAX)
        self._reserve = Pool(RESERVE_OPEN_MAX, RESERVE_SLOW_SECONDS, RESERVE_CALLS_MAX)
        self._failed = Pool(FAILED_OPEN_MAX, FAILED_SLOW_SECONDS, FAILED_CALLS_MAX)
        self._pools: dict[Lane, Pool] = {}
        """The pool of each lane's call."""

    def __len__(self) -> int:
        return len(self._pools)

    @property
    def uses_reserve(self) -> bool:
        """Whether the main pool is full, so that calls start in the reserve."""
        return self._main.full

    def next_at(self, *, failed: bool) -> float:
        """Returns when a call may start, in monotonic seconds: 0.0 for at once, infinite if another one must end first.

        `failed`: the last call of its lane failed.
        """
        return self._pool(failed=failed).next_at()

    def start(self, lane: Lane, now: float) -> None:
        """Adds the call of this lane, which starts now (monotonic seconds)."""
        pool = self._pools[lane] = self._pool(failed=bool(lane.failures))
        pool.start(lane, now)

    def end(self, lane: Lane) -> None:
        """Removes the call of this lane, which has ended."""
        self._pools.pop(lane).end(lane)

    def _pool(self, *, failed: bool) -> Pool:
        if failed:
            return self._failed
        return self._reserve if self._main.full else self._main
