"""The door between threads and the publisher's event loop: what threads have published and the loop has not taken yet.

It keeps order within a bound, and knows neither the loop nor the publisher.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from intercomd.errors import PublishError
from intercomd.v1.ingest_pb2 import EnvelopeResult

Item = tuple[bytes, Future[EnvelopeResult] | None]


class Inbox:
    """Threads put; the loop looks at the first item, passes it on, and drops it.

    Args:
        bytes_max: frames held; above it `put` blocks.
        on_filled: called when the inbox is no longer empty, on the thread that put.
    """

    def __init__(self, bytes_max: int, on_filled: Callable[[], object]) -> None:
        self._bytes_max = bytes_max
        self._on_filled = on_filled
        self._size_bytes = 0
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._refusal: PublishError | None = None

    def put(self, framed: bytes, waiter: Future[EnvelopeResult] | None = None) -> None:
        """Adds a frame at the end. Blocks while there is no room.

        Raises:
            PublishError: the inbox refuses.
        """
        with self._changed:
            while self._refusal is None and self._size_bytes and self._size_bytes + len(framed) > self._bytes_max:
                self._changed.wait()
            if self._refusal is not None:
                raise PublishError(str(self._refusal), self._refusal.code) from self._refusal
            self._items.append((framed, waiter))
            self._size_bytes += len(framed)
            if len(self._items) == 1:
                self._on_filled()

    def first(self) -> Item | None:
        """The oldest item, which stays until it is dropped; None: the inbox is empty."""
        return self._items[0] if self._items else None

    def drop_first(self) -> None:
        """The oldest item has been passed on: its room is free."""
        with self._changed:
            framed, _ = self._items.popleft()
            self._size_bytes -= len(framed)
            self._changed.notify_all()

    def refuse(self, refusal: PublishError) -> None:
        """Takes nothing more, and wakes those who wait for room. The first refusal stays."""
        with self._changed:
            self._refusal = self._refusal or refusal
            self._changed.notify_all()

    def fail(self, failure: PublishError) -> None:
        """Takes nothing more, and nothing will be passed on: those who wait for results are told."""
        self.refuse(failure)
        for _, waiter in self._items:
            if waiter is not None and not waiter.done():
                waiter.set_exception(PublishError(str(failure), failure.code))

    def left(self) -> list[bytes]:
        """The frames that were never passed on, in their order."""
        return [framed for framed, _ in self._items]
