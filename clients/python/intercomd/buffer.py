"""What waits between `publish` and the calls: frames in batches, in order, within a bound.

It decides when a batch may leave and when a publisher must wait; of calls and answers it knows nothing. It lives on one
event loop.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from intercomd.errors import PublishError
from intercomd.settings import PublisherSettings
from intercomd.v1.ingest_pb2 import EnvelopeResult


class Waiter(Protocol):
    """Who waits for one result: what the futures of asyncio and of threads have in common."""

    def done(self) -> bool: ...  # noqa: D102
    def set_result(self, result: EnvelopeResult, /) -> None: ...  # noqa: D102
    def set_exception(self, exception: BaseException, /) -> None: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class Batch:
    """Frames that leave together, and those who wait for their results, by the frame's place."""

    settled: asyncio.Future[None]
    frames: list[bytes] = field(default_factory=list)
    waiters: dict[int, Waiter] = field(default_factory=dict)
    size_bytes: int = 0
    due: bool = False
    linger: asyncio.TimerHandle | None = None
    answered: int = 0
    """How many of the frames, from the first on, have their result."""


class Buffer:
    """Batches from their first frame to their last answer."""

    def __init__(self, settings: PublisherSettings) -> None:
        self._settings = settings
        self._size_bytes = 0
        self._unsettled: dict[Batch, None] = {}
        self._untaken: deque[Batch] = deque()
        self._open: Batch | None = None  # the last of the untaken, while it takes frames
        self._batch_due = asyncio.Event()
        self._room_freed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._in_turn = 0
        self._batch_filled = False
        self._refusal: PublishError | None = None
        self.failure: PublishError | None = None

    async def put(self, framed: bytes, waiter: Waiter | None = None) -> None:
        """Adds a frame at the end. Waits while there is no room; who waits keeps their place.

        A call that is cancelled has added nothing.

        Raises:
            PublishError: the buffer refuses.
        """
        if self._in_turn or self._batch_filled or not self._has_room(len(framed)):
            await self._put_in_turn(framed, waiter)
        else:
            self._append(framed, waiter)

    async def _put_in_turn(self, framed: bytes, waiter: Waiter | None) -> None:
        self._in_turn += 1
        try:
            async with self._turn:
                if self._batch_filled:
                    # A caller that never waits for anything else would keep full batches from leaving.
                    self._batch_filled = False
                    await asyncio.sleep(0)
                while not self._has_room(len(framed)) and self._refusal is None:
                    self._hasten()
                    self._room_freed.clear()
                    await self._room_freed.wait()
                self._append(framed, waiter)
        finally:
            self._in_turn -= 1

    def _has_room(self, size_bytes: int) -> bool:
        """A frame larger than the whole bound gets in when it is alone."""
        return self._size_bytes == 0 or self._size_bytes + size_bytes <= self._settings.buffer_bytes_max

    def _append(self, framed: bytes, waiter: Waiter | None) -> None:
        if self._refusal is not None:
            raise PublishError(str(self._refusal), self._refusal.code) from self._refusal
        batch = self._open
        if batch is None or batch.size_bytes + len(framed) > self._settings.batch_bytes_max:
            batch = self._start_batch()
        if waiter is not None:
            batch.waiters[len(batch.frames)] = waiter
        batch.frames.append(framed)
        batch.size_bytes += len(framed)
        self._size_bytes += len(framed)
        if len(batch.frames) >= self._settings.batch_envelopes_max:
            self._make_due(batch)
            self._open = None
            self._batch_filled = True

    def _start_batch(self) -> Batch:
        """Closes the open batch and opens another, which may leave after its linger."""
        if self._open is not None:
            self._make_due(self._open)
            self._batch_filled = True
        loop = asyncio.get_running_loop()
        batch = self._open = Batch(loop.create_future())
        batch.linger = loop.call_later(self._settings.linger_seconds, self._make_due, batch)
        self._untaken.append(batch)
        self._unsettled[batch] = None
        return batch

    def _make_due(self, batch: Batch) -> None:
        """Lets the batch leave. Until it is taken it goes on filling up."""
        batch.due = True
        if batch.linger is not None:
            batch.linger.cancel()
        self._batch_due.set()

    def _hasten(self) -> None:
        if self._open is not None:
            self._make_due(self._open)

    async def take(self) -> Batch:
        """The next batch that may leave, in the order in which they were filled. Waits for one."""
        while not (self._untaken and self._untaken[0].due):
            self._batch_due.clear()
            await self._batch_due.wait()
        batch = self._untaken.popleft()
        if batch is self._open:
            self._open = None
        return batch

    def settle(self, batch: Batch) -> None:
        """Every frame of the batch has its answer: its room is free."""
        del self._unsettled[batch]
        self._size_bytes -= batch.size_bytes
        batch.settled.set_result(None)
        self._room_freed.set()

    async def flush(self) -> None:
        """Lets everything leave that was put so far, and waits until it is answered.

        Raises:
            PublishError: the buffer has failed.
        """
        self._hasten()
        if self._unsettled and self.failure is None:
            await asyncio.wait([batch.settled for batch in self._unsettled])
        if self.failure is not None:
            raise PublishError(str(self.failure), self.failure.code) from self.failure

    def refuse(self, refusal: PublishError) -> None:
        """Takes nothing more; what is in it may still leave."""
        self._refusal = self._refusal or refusal
        self._room_freed.set()

    def fail(self, failure: PublishError) -> None:
        """Takes nothing more, and nothing leaves any more: all who wait are told. The first failure stays."""
        self.failure = self.failure or failure
        self.refuse(failure)
        for batch in self._unsettled:
            if not batch.settled.done():
                batch.settled.set_result(None)
            for waiter in batch.waiters.values():
                if not waiter.done():
                    waiter.set_exception(PublishError(str(failure), failure.code))

    def left(self) -> list[bytes]:
        """The frames without an answer, in their order."""
        return [framed for batch in self._unsettled for framed in batch.frames[batch.answered :]]
