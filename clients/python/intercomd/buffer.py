"""The frames between `publish` and the calls: in batches, in order, within a bound.

Pure: it decides when a batch is due and whether a frame has room. The publishers do the waiting, on an event loop or on
a condition.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from intercomd.errors import PublishError
from intercomd.settings import PublisherSettings
from intercomd.v1.ingest_pb2 import EnvelopeResult


class Waiter(Protocol):
    """A caller that waits for one result: the common methods of the futures of asyncio and of threads."""

    def done(self) -> bool: ...  # noqa: D102
    def set_result(self, result: EnvelopeResult, /) -> None: ...  # noqa: D102
    def set_exception(self, exception: BaseException, /) -> None: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class Batch:
    """Frames that are sent together, and the callers that wait for their results, by the frame's place."""

    due_at: float
    frames: list[bytes] = field(default_factory=list)
    waiters: dict[int, Waiter] = field(default_factory=dict)
    size_bytes: int = 0
    answered: int = 0
    """The number of frames, from the first on, that have their result."""


class Buffer:
    """Batches from their first frame to their last result."""

    def __init__(self, settings: PublisherSettings) -> None:
        self._settings = settings
        self._size_bytes = 0
        self._unfinished: dict[Batch, None] = {}
        self._untaken: deque[Batch] = deque()
        self._open: Batch | None = None  # the last of the untaken batches, while it has room
        self._refusal: PublishError | None = None
        self.failure: PublishError | None = None

    def has_room(self, size_bytes: int) -> bool:
        """Returns whether a frame may be put now. A frame above the whole bound may if the buffer is empty."""
        empty = self._size_bytes == 0
        return self._refusal is not None or empty or self._size_bytes + size_bytes <= self._settings.buffer_bytes_max

    def put(self, framed: bytes, waiter: Waiter | None, now: float) -> bool:
        """Adds a frame at the end.

        Returns:
            Whether the frame filled a batch, which is then due.

        Raises:
            PublishError: the buffer refuses frames.
        """
        if self._refusal is not None:
            raise self._refusal.again()
        filled = False
        batch = self._open
        if batch is None or batch.size_bytes + len(framed) > self._settings.batch_bytes_max:
            filled = batch is not None
            self.hasten()
            batch = self._open = Batch(now + self._settings.linger_seconds)
            self._untaken.append(batch)
            self._unfinished[batch] = None
        if waiter is not None:
            batch.waiters[len(batch.frames)] = waiter
        batch.frames.append(framed)
        batch.size_bytes += len(framed)
        self._size_bytes += len(framed)
        if len(batch.frames) >= self._settings.batch_envelopes_max:
            self.hasten()
            self._open = None
            filled = True
        return filled

    def hasten(self) -> None:
        """Makes the open batch due now, without its linger. It still accepts frames until it is taken."""
        if self._open is not None:
            self._open.due_at = float("-inf")

    def due_at(self) -> float | None:
        """Returns when the next batch is due; None: there is none."""
        return self._untaken[0].due_at if self._untaken else None

    def take(self, now: float) -> Batch | None:
        """Returns the next batch that is due, in the order in which they were filled; None: none is due."""
        if not self._untaken or self._untaken[0].due_at > now:
            return None
        batch = self._untaken.popleft()
        if batch is self._open:
            self._open = None
        return batch

    def put_back(self, batch: Batch) -> None:
        """Makes a batch the next one again. Its frames that have their results are not sent again."""
        self._untaken.appendleft(batch)

    def settle(self, batch: Batch) -> None:
        """Frees the room of a batch whose frames all have their results."""
        del self._unfinished[batch]
        self._size_bytes -= batch.size_bytes

    def unfinished(self) -> list[Batch]:
        """Returns the batches that have frames without a result."""
        return list(self._unfinished)

    def is_settled(self, batches: list[Batch]) -> bool:
        """Returns whether all of these batches have their results.

        Raises:
            PublishError: the buffer has failed, and some results will never come.
        """
        if self.failure is not None:
            raise self.failure.again()
        return not any(batch in self._unfinished for batch in batches)

    def refuse(self, refusal: PublishError) -> None:
        """Refuses further frames; those in the buffer are still sent. The first refusal stays."""
        self._refusal = self._refusal or refusal

    def fail(self, failure: PublishError) -> None:
        """Refuses further frames, sends no more, and ends the wait of all callers. The first failure stays."""
        self.failure = self.failure or failure
        self.refuse(failure)
        self._untaken.clear()
        self._open = None
        for batch in self._unfinished:
            for waiter in batch.waiters.values():
                if not waiter.done():
                    waiter.set_exception(failure.again())
            batch.waiters.clear()

    def unanswered(self) -> list[bytes]:
        """Returns the frames without a result, in their order."""
        return [framed for batch in self._unfinished for framed in batch.frames[batch.answered :]]
