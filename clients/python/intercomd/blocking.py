"""The publisher for threads: its own threads send batches from the buffer to the daemon, by grpc's synchronous API.

`buffer` and `delivery` decide what is sent, repeated and given up, as for asyncio.
"""

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

import grpc

from intercomd import lifecycle
from intercomd.access import Access, FilePath, Metadata, Tls
from intercomd.buffer import Batch, Buffer
from intercomd.delivery import Delivery, RejectedCallback, Reply, ResultsCallback
from intercomd.errors import PublisherClosedError, PublishError
from intercomd.framing import frame, unframe
from intercomd.publisher import DEFAULT_TARGET, RESULT_SECONDS
from intercomd.settings import PublisherSettings
from intercomd.transport import StoppedError, ThreadTransport, perform
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import EnvelopeResult

CALLBACK_SECONDS = 1.0
"""How long `close` waits after its time for a callback that runs."""

logger = logging.getLogger("intercomd")


class BlockingPublisher:
    """`Publisher` for code without an event loop. Any number of threads may share one.

    `publish` hands over and returns; it blocks only while the buffer is full. Envelopes of one thread keep their order.
    Close it, best with `with`. It opens its channel and starts its threads at the first `publish`, and survives forks:
    in a child it starts anew, without the parent's envelopes, which the parent sends.

    The arguments are those of `Publisher`. Callbacks run on the publisher's own thread. They may publish, but not wait
    for room or results, or close: these raise RuntimeError there.
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
        self._inherited: list[object] = []
        self._closed = False
        self._unanswered: list[Envelope] = []
        self._start()
        lifecycle.survives_forks(self)

    def _start(self) -> None:
        self._delivery = Delivery(self._access.target, self._settings, *self._callbacks, is_plain=self._access.is_plain)
        self._transport = ThreadTransport(self._access)
        self._buffer = Buffer(self._settings)
        self._changed = threading.Condition()
        # Reentrant, because a signal handler may call `close` while the main thread waits in `close`.
        self._closing = threading.RLock()
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start_anew(self) -> None:
        """Forgets, in a forked child, what belongs to the parent.

        The parent's transport is kept and never closed: gRPC would use locks and sockets that the parent holds.
        """
        if self._threads:
            self._inherited += [self._transport]
        self._start()
        if self._closed:
            self._buffer.fail(PublisherClosedError())

    @property
    def failure(self) -> PublishError | None:
        """The reason why the publisher has stopped or was closed; None: it works."""
        return self._buffer.failure

    @property
    def unanswered(self) -> list[Envelope]:
        """The envelopes that `close` returned: those without a response, in their order, with their ids."""
        return list(self._unanswered)

    def publish(self, envelope: Envelope) -> None:
        """Takes an envelope, to send it soon. Blocks only while the buffer is full. See `Publisher.publish`.

        Raises:
            TypeError: the argument is not an `Envelope`.
            PublishError: the publisher is closed or has stopped; it does not send the envelope.
        """
        self._put(frame(envelope), None, None)

    def publish_and_wait(self, envelope: Envelope, timeout_seconds: float | None = RESULT_SECONDS) -> EnvelopeResult:
        """Takes an envelope, and waits for its result.

        Raises:
            TimeoutError: no result came in time. If the envelope is in the buffer, the publisher still sends it.
            PublishError: the publisher was closed or stopped before the result came.
        """
        self._check_callback("publish_and_wait")
        deadline = _deadline(timeout_seconds)
        waiter: Future[EnvelopeResult] = Future()
        framed = frame(envelope)
        try:
            self._put(framed, waiter, deadline)
            return waiter.result(_remaining(deadline))
        except TimeoutError:
            failure = self._delivery.last_failure
            raise lifecycle.late(timeout_seconds, failure) from failure

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Waits until every envelope that was published so far has its result.

        Raises:
            TimeoutError: not all results came in time; the publisher still sends the envelopes.
            PublishError: the publisher is closed or has stopped.
        """
        self._check_callback("flush")
        deadline = _deadline(timeout_seconds)
        with self._changed:
            batches = self._buffer.unfinished()
            self._buffer.hasten()
            self._changed.notify_all()
            try:
                while not self._buffer.is_settled(batches):
                    self._wait(deadline)
            except TimeoutError:
                failure = self._delivery.last_failure
                raise lifecycle.late(timeout_seconds, failure) from failure

    def close(self, timeout_seconds: float | None = None) -> list[Envelope]:
        """Flushes for at most `timeout_seconds` (default: `PublisherSettings.close_seconds`) and ends.

        It never raises for envelopes that could not be sent. If a signal handler raises while it waits, it ends at
        once, logs the count of envelopes without a response, and `unanswered` holds them. A handler may call it, too.

        Returns:
            The envelopes without a response, in their order, with their ids. See `Publisher.close`.
        """
        self._check_callback("close")
        with self._closing:
            if not self._closed:
                self._close(self._settings.close_seconds if timeout_seconds is None else timeout_seconds)
        return self.unanswered

    def _close(self, timeout_seconds: float) -> None:
        closed = PublisherClosedError()
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            self._buffer.refuse(closed)
            self._changed.notify_all()
        interrupted = True
        try:
            with suppress(TimeoutError, PublishError):  # `unanswered` holds the rest
                self.flush(timeout_seconds)
            interrupted = False
        finally:
            self._ending.set()
            with self._changed:
                self._changed.notify_all()
            self._transport.close()
            self._join_threads(deadline)
            self._fail(closed)
            with self._changed:
                self._unanswered = [unframe(framed) for framed in self._buffer.unanswered()]
            self._closed = True
            lifecycle.closed(self)
            if interrupted:
                lifecycle.log_interrupted(self._unanswered)

    def _join_threads(self, deadline: float) -> None:
        """Waits for the threads, whose calls and pauses have ended: only a callback may still run."""
        deadline = max(deadline, time.monotonic() + CALLBACK_SECONDS)
        for thread in self._threads:
            thread.join(_remaining(deadline))
        if any(thread.is_alive() for thread in self._threads):
            logger.warning("close does not wait any longer for a callback that still runs")

    def _check_callback(self, action: str) -> None:
        """Raises RuntimeError in a callback, which runs on the thread that would have to make progress."""
        if threading.current_thread() in self._threads:
            raise RuntimeError(f"{action} waits for results, and none comes during a callback: use another thread")

    def _put(self, framed: bytes, waiter: "Future[EnvelopeResult] | None", deadline: float | None) -> None:
        with self._changed:
            while not self._buffer.has_room(len(framed)):
                self._check_callback("publish with a full buffer")
                self._buffer.hasten()
                self._changed.notify_all()
                self._wait(deadline)
            had_none = self._buffer.due_at() is None
            if self._buffer.put(framed, waiter, time.monotonic()) or had_none:
                self._changed.notify_all()
            if not self._threads:
                self._open()

    def _wait(self, deadline: float | None) -> None:
        """Waits for a change. Raises TimeoutError after the deadline."""
        if not self._changed.wait(_remaining(deadline)) and _remaining(deadline) == 0.0:
            raise TimeoutError

    def _open(self) -> None:
        lifecycle.opened(self, uses_asyncio=False)
        for _ in range(self._settings.calls_in_flight_max):
            # A daemon thread does not keep a process alive whose publisher was not closed: that is flushed at exit.
            thread = threading.Thread(target=self._send_batches, name="intercomd-publisher", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _send_batches(self) -> None:
        try:
            while (batch := self._take()) is not None:
                perform(self._delivery.deliver(batch), self._call, lambda seconds: not self._ending.wait(seconds))
                with self._changed:
                    self._buffer.settle(batch)
                    self._changed.notify_all()
        except StoppedError:
            pass  # close returns what is left
        except PublishError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - the last frame of the thread: callers get the error
            self._fail(PublishError.of_stop(error))

    def _call(self, request: bytes) -> Reply:
        return self._transport.call(request, self._settings.call_seconds)

    def _take(self) -> Batch | None:
        """Waits for the next batch that is due, and returns it; None: the publisher ends."""
        with self._changed:
            while not self._ending.is_set():
                batch = self._buffer.take(time.monotonic())
                if batch is not None:
                    return batch
                due_at = self._buffer.due_at()
                self._changed.wait(None if due_at is None else max(0.0, due_at - time.monotonic()))
        return None

    def _fail(self, failure: PublishError) -> None:
        with self._changed:
            self._buffer.fail(failure)
            self._changed.notify_all()

    def end_at_exit(self, deadline: float) -> int:
        """Sends what is left when the process ends, and returns the count of envelopes without a response."""
        return len(self.close(max(0.0, deadline - time.monotonic())))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes. If envelopes have no response, raises PublishError with them, unless the block raised."""
        if self._closed:
            return  # the caller of `close` has the envelopes
        left = self.close()
        lifecycle.end_scope(error, left, self.failure, self._delivery.last_failure, self._settings.close_seconds)


def _deadline(timeout_seconds: float | None) -> float | None:
    return None if timeout_seconds is None else time.monotonic() + timeout_seconds


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
