"""The publisher for threads: the asyncio publisher on an event loop in a thread of its own.

How envelopes are sent is decided there alone; here is only how threads reach it.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from intercomd.errors import PublishError
from intercomd.framing import frame, unframe
from intercomd.inbox import Inbox
from intercomd.publisher import CLOSE_SECONDS, DEFAULT_TARGET, Publisher, raise_if_left
from intercomd.sender import Metadata, RejectedCallback, ResultsCallback
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import EnvelopeResult

Result = TypeVar("Result")


class BlockingPublisher:
    """`Publisher` for code without an event loop. Any number of threads may share one.

    `publish` hands over and returns; it blocks only while the buffer is full, which here holds one batch more.
    Envelopes of one thread keep their order. Close it, best with `with`: what was published and not sent when the
    process ends is lost. After `os.fork` the child needs one of its own.

    The arguments are those of `Publisher`. Callbacks run on the publisher's own thread, and must not call it.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        settings: PublisherSettings | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Metadata = (),
        on_results: ResultsCallback | None = None,
        on_rejected: RejectedCallback | None = None,
    ) -> None:
        settings = settings or PublisherSettings()
        self._closing = threading.Lock()
        self._passing_on = asyncio.Lock()
        self._filled = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._inbox = Inbox(settings.batch_bytes_max, lambda: self._loop.call_soon_threadsafe(self._filled.set))
        self._thread = threading.Thread(target=self._loop.run_forever, name="intercomd-publisher", daemon=True)
        self._thread.start()

        async def start() -> tuple[Publisher, asyncio.Task[None]]:
            publisher = Publisher(
                target,
                settings=settings,
                credentials=credentials,
                metadata=metadata,
                on_results=on_results,
                on_rejected=on_rejected,
            )
            return publisher, asyncio.create_task(self._empty_inbox())

        try:
            self._publisher, self._emptying = self._run(start())
        except BaseException:
            self._end_loop()
            raise

    def publish(self, envelope: Envelope) -> None:
        """Takes an envelope, to send it soon. Blocks only while the buffer is full. See `Publisher.publish`.

        Raises:
            PublishError: the publisher is closed or has stopped; the envelope was not taken.
        """
        self._inbox.put(frame(envelope))

    def publish_and_wait(self, envelope: Envelope, timeout_seconds: float | None = None) -> EnvelopeResult:
        """Takes an envelope, and waits until intercomd has answered.

        Raises:
            TimeoutError: there was no answer in time; the envelope is still sent.
            PublishError: the publisher was closed or stopped before there was an answer.
        """
        waiter: Future[EnvelopeResult] = Future()
        self._inbox.put(frame(envelope), waiter)
        return waiter.result(timeout_seconds)

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Waits until everything that was published so far is answered.

        Raises:
            TimeoutError: not all of it was answered in time; it is still sent.
            PublishError: the publisher is closed or has stopped.
        """
        with self._closing:
            if self._loop.is_closed():
                raise PublishError("the publisher is closed")
            flushing = asyncio.run_coroutine_threadsafe(self._flush(timeout_seconds), self._loop)
        flushing.result()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> list[Envelope]:
        """Flushes, for as long as it is given, and ends. It never raises for what could not be sent.

        Returns:
            The envelopes without an answer, in their order, with their ids. See `Publisher.close`.
        """
        with self._closing:
            if self._loop.is_closed():
                return []
            self._inbox.refuse(PublishError("the publisher is closed"))
            left = self._run(self._close(timeout_seconds))
            self._end_loop()
            return left

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _empty_inbox(self) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._pass_on()
        except PublishError as error:
            self._inbox.fail(error)

    async def _pass_on(self) -> None:
        """Moves what is in the inbox into the publisher's buffer; each item is in one of the two, also if cancelled."""
        async with self._passing_on:
            while (item := self._inbox.first()) is not None:
                framed, waiter = item
                await self._publisher.publish_frame(framed, waiter)
                self._inbox.drop_first()

    async def _flush(self, timeout_seconds: float | None) -> None:
        async with asyncio.timeout(timeout_seconds):
            await self._pass_on()
            await self._publisher.flush()

    async def _close(self, timeout_seconds: float) -> list[Envelope]:
        deadline = self._loop.time() + timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._pass_on()
        except (TimeoutError, PublishError):
            pass  # what is left says it
        left = await self._publisher.close(max(0.0, deadline - self._loop.time()))
        self._emptying.cancel()
        await asyncio.gather(self._emptying, return_exceptions=True)
        self._inbox.fail(PublishError("the publisher is closed"))
        return left + [unframe(framed) for framed in self._inbox.left()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes. What is left raises PublishError, unless another exception is on its way."""
        left = self.close()
        if error is None:
            raise_if_left(left, self._publisher.failure)
