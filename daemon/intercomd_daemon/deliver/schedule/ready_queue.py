"""Decides which lane takes the next turn: ready lanes in turn, normal before bulk; resting lanes wait for a time. Pure.

A lane has one place: ready, resting until a time, or busy with its turn: a call or a commit. A lane without a place is
empty or on its way out of memory. Only this module changes the place.

Lanes usually take turns in the order in which they became ready. While many calls hang or fail, that order would try
all users who are in trouble before the others. Then turns alternate, as `take` describes.
"""

from collections import deque
from enum import IntEnum, auto
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

import msgspec

from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.envelope import Priority

# While turns alternate, every eighth is of the lane that has waited longest.
OLDEST_EVERY = 8


class NotReady(IntEnum):
    """Why a lane is not ready."""

    RESTING = auto()
    BUSY = auto()


class History(IntEnum):
    """What is known of a ready lane."""

    ANSWERED = auto()
    """Its last call did not fail."""
    NEW = auto()
    """It has made no call since it was loaded."""
    FAILED = auto()
    """Its last call failed."""


class Ready(msgspec.Struct, frozen=True, gc=False):
    """The place of a ready lane: its line and its number, which shows the order over all lines."""

    priority: Priority
    history: History
    number: int


_Line = deque[tuple[int, Lane]]
_UNTRIED = (History.ANSWERED, History.NEW)


class ReadyQueue:
    """The places of the lanes of one connection."""

    def __init__(self) -> None:
        self._ready: dict[Priority, dict[History, _Line]] = {
            priority: {history: deque() for history in History} for priority in (Priority.NORMAL, Priority.BULK)
        }
        self._resting: list[tuple[float, int, Lane]] = []
        self._places: dict[Lane, NotReady | Ready] = {}
        self._ready_failed = 0
        """The number of ready lanes whose last call failed."""
        self._ready_untried = 0
        """The number of other ready lanes."""
        self.busy = 0
        """The number of busy lanes."""
        self._order = count()
        self._alternate_turns = 0

    @property
    def has_untried(self) -> bool:
        """Whether a lane is ready whose last call did not fail."""
        return self._ready_untried > 0

    @property
    def has_failed(self) -> bool:
        """Whether a lane is ready whose last call failed."""
        return self._ready_failed > 0

    @property
    def next_wake(self) -> float:
        """When the first rest ends; infinite if no lane rests."""
        return self._resting[0][0] if self._resting else inf

    def ready(self, lane: Lane, *, answered: bool = False) -> None:
        """Makes a lane ready that has no place. `answered`: its last call did not fail.

        A lane that is ready in a bulk line moves to a normal line if its head is a normal envelope now. An empty lane
        becomes ready as well: its turn finds that it is drained.
        """
        place = self._places.get(lane)
        if place is not None and (not isinstance(place, Ready) or place.priority is Priority.NORMAL):
            return
        head = lane.queue.head
        priority = head.priority if head else Priority.NORMAL
        if place is not None:
            if priority is Priority.BULK:
                return
            answered = place.history is History.ANSWERED
            self.leave(lane)
        history = History.FAILED if lane.failures else History.ANSWERED if answered else History.NEW
        number = next(self._order)
        self._places[lane] = Ready(priority, history, number)
        self._ready[priority][history].append((number, lane))
        self._count(history, 1)

    def take(self, *, untried: bool = True, failed: bool = True, alternate: bool = False) -> Lane | None:
        """Returns the next ready lane, which is busy now; normal before bulk.

        `untried`, `failed`: whether lanes may be taken whose last call did not fail, or failed.

        `alternate`: turns alternate between lanes whose last call did not fail and lanes that made none. Of the latter
        the newest is taken, at every eighth turn the oldest. If calls hang or fail, the next in order probably do, too.
        """
        histories = (_UNTRIED if untried else ()) + ((History.FAILED,) if failed else ())
        for lines in self._ready.values():
            if alternate and untried and any(lines[history] for history in _UNTRIED):
                lane = self._alternate(lines)
                self.leave(lane)
                return self.start(lane)
            ready = [history for history in histories if lines[history]]
            if ready:
                first = min(ready, key=lambda history: lines[history][0]) if len(ready) > 1 else ready[0]
                self._count(first, -1)
                return self.start(lines[first].popleft()[1])
        return None

    def _alternate(self, lines: dict[History, _Line]) -> Lane:
        self._alternate_turns += 1
        answered, new = lines[History.ANSWERED], lines[History.NEW]
        if not new or (answered and self._alternate_turns % 2):
            return answered[0][1]
        return new[-1 if self._alternate_turns % OLDEST_EVERY else 0][1]

    def leave(self, lane: Lane) -> bool:
        """Removes a ready lane; returns False if it is not ready."""
        place = self._places.get(lane)
        if not isinstance(place, Ready):
            return False
        line = self._ready[place.priority][place.history]
        if line[-1][1] is lane:
            line.pop()
        else:
            line.remove((place.number, lane))
        self._count(place.history, -1)
        del self._places[lane]
        return True

    def _count(self, history: History, change: int) -> None:
        if history is History.FAILED:
            self._ready_failed += change
        else:
            self._ready_untried += change

    def withdraw(self, lane: Lane) -> None:
        """Removes a ready or resting lane; it has no place now."""
        if not self.leave(lane) and self._places.get(lane) is NotReady.RESTING:
            self._resting = [entry for entry in self._resting if entry[2] is not lane]
            heapify(self._resting)
            del self._places[lane]

    def is_busy(self, lane: Lane) -> bool:
        """Whether the lane takes its turn: a call or a commit is under way."""
        return self._places.get(lane) is NotReady.BUSY

    def rests_until(self, lane: Lane) -> float:
        """Returns when the rest of a lane ends; 0.0 if it does not rest."""
        return next((until for until, _, resting in self._resting if resting is lane), 0.0)

    def start(self, lane: Lane) -> Lane:
        """Makes a lane without a place busy, and returns it."""
        self._places[lane] = NotReady.BUSY
        self.busy += 1
        return lane

    def finish(self, lane: Lane) -> None:
        """Ends the turn of a busy lane: it has no place now."""
        del self._places[lane]
        self.busy -= 1

    def rest(self, lane: Lane, until: float) -> None:
        """Makes a lane rest until `until`, by the clock of `wake`."""
        self._places[lane] = NotReady.RESTING
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
