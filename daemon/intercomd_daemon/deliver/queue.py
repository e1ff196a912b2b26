"""The waiting envelopes of one lane, in order, normal before bulk."""

from collections import deque

from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import Priority


class Queue:
    """What of a lane is in memory."""

    def __init__(self) -> None:
        self._queues: dict[Priority, deque[Waiting]] = {Priority.NORMAL: deque(), Priority.BULK: deque()}

    def __len__(self) -> int:
        """How many envelopes wait."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def of_head(self) -> deque[Waiting]:
        """The queue whose turn it is: normal before bulk, but a bulk envelope that has begun is finished first."""
        normal, bulk = self._queues[Priority.NORMAL], self._queues[Priority.BULK]
        return bulk if bulk and (not normal or bulk[0].attempts) else normal

    @property
    def head(self) -> Waiting | None:
        """The envelope whose turn it is."""
        queue = self.of_head
        return queue[0] if queue else None

    def add(self, waiting: Waiting) -> None:
        """Takes an envelope at the end."""
        self._queues[waiting.priority].append(waiting)

    def remove_first(self, priority: Priority) -> None:
        """The first envelope of this priority is done."""
        self._queues[priority].popleft()

    def keys(self) -> list[int]:
        """The rows of all that wait here."""
        return [waiting.key for queue in self._queues.values() for waiting in queue]

    def make_way(self) -> bool:
        """Bulk envelopes that have not begun leave, and must be fed again after what goes before; whether one did."""
        bulk = self._queues[Priority.BULK]
        waited = len(bulk)
        while bulk and not bulk[-1].attempts:
            bulk.pop()
        return len(bulk) < waited

    def truncate(self, rows: int) -> None:
        """Keeps at most so many rows of the queue whose turn it is, and none of the other, nor any that go after those.

        The rest must be fed again, in order.
        """
        normal, bulk = self._queues[Priority.NORMAL], self._queues[Priority.BULK]
        if self.of_head is normal:
            bulk.clear()
        elif normal:
            normal.clear()
            self.make_way()
        while len(self.of_head) > rows:
            self.of_head.pop()
