"""Decides which lane takes the next turn: ready lanes in turn, normal before bulk; resting lanes wait for a time. Pure.

A lane has one place: ready (normal or bulk), resting until a time, or busy with its turn: a call or a commit. A lane
without a place is empty or on its way out of memory. Only this module changes the place.
"""

from collections import deque
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.envelope import Priority


class Place(Enum):
    """The place of a lane."""

    READY_NORMAL = auto()
    READY_BULK = auto()
    RESTING = auto()
    BUSY = auto()


_READY = {Priority.NORMAL: Place.READY_NORMAL, Priority.BULK: Place.READY_BULK}


class ReadyQueue:
    """The places of the lanes of one connection."""

    def __init__(self) -> None:
        self._ready: dict[Place, deque[Lane]] = {Place.READY_NORMAL: deque(), Place.READY_BULK: deque()}
        self._resting: list[tuple[float, int, Lane]] = []
        self._places: dict[Lane, Place] = {}
        self.busy = 0
        """The number of busy lanes."""
        self._order = count()

    @property
    def has_ready(self) -> bool:
        """Whether a lane is ready."""
        return any(self._ready.values())

    @property
    def next_wake(self) -> float:
        """When the first rest ends; infinite if no lane rests."""
        return self._resting[0][0] if self._resting else inf

    @property
    def untried(self) -> Lane | None:
        """The next ready lane whose call has not failed yet."""
        return next((lane for queue in self._ready.values() for lane in queue if not lane.failures), None)

    def ready(self, lane: Lane) -> None:
        """Makes a lane ready that has no place.

        A lane that is ready in the bulk line moves to the normal line if its head is a normal envelope now. An empty
        lane becomes ready as well: its turn finds that it is drained.
        """
        head = lane.queue.head
        place = _READY[head.priority if head else Priority.NORMAL]
        if self._places.get(lane) is Place.READY_BULK and place is Place.READY_NORMAL:
            self.leave(lane)
        if lane not in self._places:
            self._places[lane] = place
            self._ready[place].append(lane)

    def take(self, *, untried: bool = False) -> Lane | None:
        """Returns the next ready lane, which is busy now; with `untried`, preferably one whose call has not failed."""
        lane = self.untried if untried else None
        if lane is None:
            lane = next((queue[0] for queue in self._ready.values() if queue), None)
        if lane is not None:
            self.leave(lane)
            self.start(lane)
        return lane

    def leave(self, lane: Lane) -> bool:
        """Removes a ready lane; returns False if it is not ready."""
        queue = self._ready.get(self._places.get(lane, Place.BUSY))
        if queue is None:
            return False
        queue.remove(lane)
        del self._places[lane]
        return True

    def withdraw(self, lane: Lane) -> None:
        """Removes a ready or resting lane; it has no place now."""
        if not self.leave(lane) and self._places.get(lane) is Place.RESTING:
            self._resting = [entry for entry in self._resting if entry[2] is not lane]
            heapify(self._resting)
            del self._places[lane]

    def is_busy(self, lane: Lane) -> bool:
        """Whether the lane takes its turn: a call or a commit is under way."""
        return self._places.get(lane) is Place.BUSY

    def rests_until(self, lane: Lane) -> float:
        """Returns when the rest of a lane ends; 0.0 if it does not rest."""
        return next((until for until, _, resting in self._resting if resting is lane), 0.0)

    def start(self, lane: Lane) -> None:
        """Makes a lane without a place busy."""
        self._places[lane] = Place.BUSY
        self.busy += 1

    def finish(self, lane: Lane) -> None:
        """Ends the turn of a busy lane: it has no place now."""
        del self._places[lane]
        self.busy -= 1

    def rest(self, lane: Lane, until: float) -> None:
        """Makes a lane rest until `until`, by the clock of `wake`."""
        self._places[lane] = Place.RESTING
        heappush(self._resting, (until, next(self._order), lane))

    def wake(self, now: float) -> None:
        """Makes the lanes ready whose rest is over."""
        while self._resting and self._resting[0][0] <= now:
            lane = heappop(self._resting)[2]
            del self._places[lane]
            self.ready(lane)

    def wake_all(self) -> None:
        """Makes all resting lanes ready, because Intercom works again."""
        self.wake(inf)
