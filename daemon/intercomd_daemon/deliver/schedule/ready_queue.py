"""Whose turn it is: the lanes that could go now, normal before bulk, round-robin, and those that rest until a time.

Pure. What a lane would do with its turn, it does not know.
"""

from collections import deque
from heapq import heappop, heappush
from itertools import count
from math import inf

from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.envelope import Priority


class ReadyQueue:
    """The lanes of one connection that have something to do and nothing under way."""

    def __init__(self) -> None:
        self._ready: dict[Priority, deque[Lane]] = {Priority.NORMAL: deque(), Priority.BULK: deque()}
        self._queued: dict[str, Priority | None] = {}
        """Where each lane is in line; None: it rests."""
        self._resting: list[tuple[float, int, Lane]] = []
        self._order = count()

    def ready(self, lane: Lane) -> None:
        """The lane may take a turn, if only to say that it is empty; busy, resting or in line it stays where it is.

        Except that a lane in line with bulk envelopes changes lines when its turn is for a normal one.
        """
        if lane.busy:
            return
        priority = lane.head.priority if lane.head else Priority.NORMAL
        if self._queued.get(lane.key) is Priority.BULK and priority is Priority.NORMAL:
            self._ready[Priority.BULK].remove(lane)
            del self._queued[lane.key]
        if lane.key not in self._queued:
            self._queued[lane.key] = priority
            self._ready[priority].append(lane)

    def leave(self, lane: Lane) -> bool:
        """Takes the lane out of line; False if it is not in one: it is busy, or rests."""
        priority = self._queued.get(lane.key)
        if priority is None:
            return False
        self._ready[priority].remove(lane)
        del self._queued[lane.key]
        return True

    def rest(self, lane: Lane, until: float) -> None:
        """The lane waits by itself until `until`."""
        self._queued[lane.key] = None
        heappush(self._resting, (until, next(self._order), lane))

    def wake(self, now: float) -> None:
        """Lines up the lanes whose rest is over."""
        while self._resting and self._resting[0][0] <= now:
            self._line_up(heappop(self._resting)[2])

    def wake_all(self) -> None:
        """Lines up every resting lane: what they rested for is over."""
        while self._resting:
            self._line_up(heappop(self._resting)[2])

    @property
    def untried(self) -> Lane | None:
        """The next lane in line whose call has not failed yet."""
        return next((lane for queue in self._ready.values() for lane in queue if not lane.failures), None)

    def take(self, *, untried: bool = False) -> Lane | None:
        """The next lane in line; with `untried` rather the next whose call has not failed yet, if there is one."""
        first = self.untried if untried else None
        if first is not None and self.leave(first):
            return first
        for queue in self._ready.values():
            if queue:
                lane = queue.popleft()
                del self._queued[lane.key]
                return lane
        return None

    @property
    def waiting(self) -> bool:
        """Whether a lane is in line."""
        return any(self._ready.values())

    @property
    def next_wake(self) -> float:
        """When the first rest ends; infinite if none rests."""
        return self._resting[0][0] if self._resting else inf

    def _line_up(self, lane: Lane) -> None:
        del self._queued[lane.key]
        self.ready(lane)
