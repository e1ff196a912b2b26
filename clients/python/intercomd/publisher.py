"""The asyncio publisher: tasks that send batches from the buffer to the daemon."""

import asyncio
import os
from contextlib import suppress
from types import TracebackType
from typing import Self

import grpc

from intercomd import lifecycle
from intercomd.access import Access, FilePath, Metadata, Tls
from intercomd.buffer import Batch, Buffer, Waiter
from intercomd.delivery import Call, Delivery, RejectedCallback, Reply, ResultsCallback
from intercomd.errors import PublisherClosedError, PublishError
from intercomd.framing import frame, unframe
from intercomd.settings import PublisherSettings
from intercomd.transport import AsyncTransport, StoppedError, perform_at_exit
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import EnvelopeResult

DEFAULT_TARGET = "127.0.0.1:50051"
RESULT_SECONDS = 30.0


class Publisher:
    """Sends envelopes to intercomd: in batches, in the order of the calls to `publish`, until each has its result.

    Make it inside a running event loop, and close it, best with `async with`. It opens its channel at the first
    `publish`. It repeats calls that failed for a transient reason, for ever by default; a repeat carries the same
    envelope ids, so that the daemon accepts nothing twice. Rejected envelopes go to `on_rejected`, without callbacks to
    the log.

    Args:
        target: the address where intercomd listens, in gRPC's syntax: "host:port", "unix:/run/intercomd.sock".
        settings: bounds and times; the defaults suit most.
        credentials: gRPC's own, in place of `tls`.
        tls: `Tls` with PEM files, or True for the system's authorities; None: plain text, for a daemon beside the
            service.
        token: sent with every call as "authorization: Bearer ...".
        token_file: a file that holds the token, read again before each call.
        metadata: sent with every call.
        on_results: called with the results of each batch, in the order of publishing.
        on_rejected: called with each rejected envelope and its result.

    Callbacks run on the event loop and must be quick. If one raises, the error is logged and publishing goes on.

    Raises:
        RuntimeError: no event loop is running.
        ValueError: an argument can never work; the message names it.
        PublishError: the process was forked while its parent had an open `Publisher`.
    """

    def __init__(  # noqa: PLR0913 - each is optional
        self,
        target: str = DEFAULT_TARGET,
        *,
        settings: PublisherSettings | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tls: Tls | bool | None = None,
        token: str | None = None,
        token_file: FilePath | None = None,
        metadata: Metadata = (),
        on_results: ResultsCallback | None = None,
        on_rejected: RejectedCallback | None = None,
    ) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "Publisher needs a running event loop: make it inside `async def`, or use BlockingPublisher"
            ) from None
        lifecycle.check_asyncio_after_fork()
        self._settings = settings or PublisherSettings()
        self._access = Access(
            target,
            self._settings,
            credentials=credentials,
            tls=tls,
            token=token,
            token_file=token_file,
            metadata=metadata,
        )
        self._callbacks = (on_results, on_rejected)
        self._delivery = Delivery(target, self._settings, on_results, on_rejected, is_plain=self._access.is_plain)
        self._transport = AsyncTransport(self._access)
        self._buffer = Buffer(self._settings)
        self._batch_due = asyncio.Event()
        self._room_freed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._in_turn = 0
        self._batch_filled = False
        self._closing = asyncio.Lock()
        self._closed = False
        self._unanswered: list[Envelope] = []
        self._senders: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()

    @property
    def failure(self) -> PublishError | None:
        """The reason why the publisher has stopped or was closed; None: it works."""
        return self._buffer.failure

    @property
    def unanswered(self) -> list[Envelope]:
        """The envelopes that `close` returned: those without a response, in their order, with their ids."""
        return list(self._unanswered)

    async def publish(self, envelope: Envelope) -> None:
        """Takes an envelope, to send it soon. Waits only while the buffer is full.

        The envelope is encoded here and now, and may be used again afterwards. One without an id gets a new UUIDv7.

        Raises:
            TypeError: the argument is not an `Envelope`.
            PublishError: the publisher is closed or has stopped; it does not send the envelope.
        """
        await self._put(frame(envelope), None)

    async def publish_and_wait(
        self, envelope: Envelope, timeout_seconds: float | None = RESULT_SECONDS
    ) -> EnvelopeResult:
        """Takes an envelope, and waits for its result. Concurrent callers share calls.

        Raises:
            TimeoutError: no result came in time. If the envelope is in the buffer, the publisher still sends it.
            PublishError: the publisher was closed or stopped before the result came.
        """
        framed = frame(envelope)
        future: asyncio.Future[EnvelopeResult] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._put(framed, future)
                return await future
        except TimeoutError:
            failure = self._delivery.last_failure
            raise lifecycle.late(timeout_seconds, failure) from failure

    async def flush(self, timeout_seconds: float | None = None) -> None:
        """Waits until every envelope that was published so far has its result.

        Raises:
            TimeoutError: not all results came in time; the publisher still sends the envelopes.
            PublishError: the publisher has stopped.
        """
        batches = self._buffer.unfinished()
        if batches:
            self._open()
        self._buffer.hasten()
        self._batch_due.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._buffer.is_settled(batches):
                    self._room_freed.clear()
                    await self._room_freed.wait()
        except TimeoutError:
            failure = self._delivery.last_failure
            raise lifecycle.late(timeout_seconds, failure) from failure

    async def close(self, timeout_seconds: float | None = None) -> list[Envelope]:
        """Flushes for at most `timeout_seconds` (default: `PublisherSettings.close_seconds`) and ends.

        It never raises for envelopes that could not be sent.

        Returns:
            The envelopes without a response, in their order, with their ids, to be published elsewhere or kept.
            The daemon may have accepted some of them: with the same id they are then duplicates.
            Another `close` returns the same list.
        """
        if self._pid != os.getpid():
            return []  # a forked child: the envelopes are the parent's
        async with self._closing:
            if not self._closed:
                self._closed = True
                await self._close(self._settings.close_seconds if timeout_seconds is None else timeout_seconds)
        return self.unanswered

    async def _close(self, timeout_seconds: float) -> None:
        closed = PublisherClosedError()
        self._buffer.refuse(closed)
        self._room_freed.set()
        interrupted = True
        try:
            with suppress(TimeoutError, PublishError):  # `unanswered` holds the rest
                await self.flush(timeout_seconds)
            interrupted = False
        finally:
            for sender in self._senders:
                sender.cancel()
            await asyncio.gather(*self._senders, return_exceptions=True)
            self._fail(closed)
            self._unanswered = [unframe(framed) for framed in self._buffer.unanswered()]
            if interrupted:
                lifecycle.log_interrupted(self._unanswered)
            await self._transport.close()
            lifecycle.closed(self)

    async def _put(self, framed: bytes, waiter: Waiter | None) -> None:
        """Adds a frame at the end of the buffer. Callers that wait for room keep their order."""
        self._open()
        if self._in_turn or self._batch_filled or not self._buffer.has_room(len(framed)):
            await self._put_in_turn(framed, waiter)
        else:
            self._append(framed, waiter)

    async def _put_in_turn(self, framed: bytes, waiter: Waiter | None) -> None:
        self._in_turn += 1
        try:
            async with self._turn:
                if self._batch_filled:
                    # Lets the tasks send full batches, even if the caller never awaits anything else.
                    self._batch_filled = False
                    await asyncio.sleep(0)
                while not self._buffer.has_room(len(framed)):
                    self._buffer.hasten()
                    self._batch_due.set()
                    self._room_freed.clear()
                    await self._room_freed.wait()
                self._append(framed, waiter)
        finally:
            self._in_turn -= 1

    def _append(self, framed: bytes, waiter: Waiter | None) -> None:
        had_none = self._buffer.due_at() is None
        filled = self._buffer.put(framed, waiter, asyncio.get_running_loop().time())
        self._batch_filled = self._batch_filled or filled
        if filled or had_none:
            self._batch_due.set()

    def _open(self) -> None:
        """Starts the tasks at the first `publish`, and again if other code than `close` has cancelled them.

        Raises:
            PublishError: the publisher belongs to another process or event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop and self._pid == os.getpid():
            for place, sender in enumerate(self._senders):
                if sender.cancelled():  # by code that cancels all tasks
                    self._senders[place] = self._start_sender(loop)
            return
        lifecycle.check_asyncio_after_fork()
        if self._loop is not None:
            raise PublishError("this Publisher belongs to another event loop: make one in each, or BlockingPublisher")
        if self._closed:
            return
        self._loop, self._pid = loop, os.getpid()
        self._senders = [self._start_sender(loop) for _ in range(self._settings.calls_in_flight_max)]
        lifecycle.opened(self, uses_asyncio=True)

    def _start_sender(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        return loop.create_task(self._send_batches(), name="intercomd-publisher")

    async def _send_batches(self) -> None:
        batch: Batch | None = None
        try:
            while True:
                batch = await self._take()
                await self._deliver(batch)
                self._buffer.settle(batch)
                batch = None
                self._room_freed.set()
        except asyncio.CancelledError:
            if batch is not None:
                self._buffer.put_back(batch)
            raise
        except PublishError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(PublishError.of_stop(error))
            if not isinstance(error, Exception):
                raise  # SystemExit and KeyboardInterrupt, from a callback, end the event loop

    async def _take(self) -> Batch:
        """Waits for the next batch that is due, and returns it."""
        loop = asyncio.get_running_loop()
        while (batch := self._buffer.take(loop.time())) is None:
            self._batch_due.clear()
            try:
                async with asyncio.timeout_at(self._buffer.due_at()):
                    await self._batch_due.wait()
            except TimeoutError:
                pass  # the linger is over
        return batch

    async def _deliver(self, batch: Batch) -> None:
        steps = self._delivery.deliver(batch)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            if isinstance(step, Call):
                reply = await self._transport.call(step.request, self._settings.call_seconds)
            else:
                reply = None
                await asyncio.sleep(step.seconds)

    def _fail(self, failure: PublishError) -> None:
        self._buffer.fail(failure)
        self._room_freed.set()
        self._batch_due.set()

    def end_at_exit(self, deadline: float) -> int:
        """Sends what is left when the process ends. The event loop is gone: a new synchronous channel is used.

        Returns:
            The count of envelopes without a response.
        """
        self._closed = True
        rest = Buffer(self._settings)
        for framed in self._buffer.unanswered():
            rest.put(framed, None, 0.0)
        delivery = Delivery(self._access.target, self._settings, *self._callbacks, is_plain=self._access.is_plain)
        batches = rest.unfinished()
        try:
            if self.failure is None:
                steps = [delivery.deliver(batch) for batch in batches]
                perform_at_exit(steps, self._access, self._settings.call_seconds, deadline)
        except (StoppedError, PublishError):
            pass  # the count is the result
        return sum(len(batch.frames) - batch.answered for batch in batches)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes. If envelopes have no response, raises PublishError with them, unless the block raised."""
        if self._closed:
            return  # the caller of `close` has the envelopes
        left = await self.close()
        lifecycle.end_scope(error, left, self.failure, self._delivery.last_failure, self._settings.close_seconds)
