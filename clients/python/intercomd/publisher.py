"""The asyncio publisher: a buffer, a channel, and the tasks that carry batches from the one to the other."""

import asyncio
from types import TracebackType
from typing import Self

import grpc

from intercomd.buffer import Buffer, Waiter
from intercomd.errors import PublishError
from intercomd.framing import frame, unframe
from intercomd.proxies import proxy_options
from intercomd.sender import Metadata, RejectedCallback, ResultsCallback, Sender
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import EnvelopeResult, PublishResponse

DEFAULT_TARGET = "127.0.0.1:50051"
PUBLISH_METHOD = "/intercomd.v1.IngestService/Publish"
CLOSE_SECONDS = 10.0


class Publisher:
    """Hands envelopes to intercomd: in batches, in the order of the calls to `publish`, each until it is answered.

    Make it inside a running event loop, and close it, best with `async with`. It repeats calls that failed for a
    passing reason, for ever by default; a repeat carries the same envelope ids, so that nothing is taken twice. What
    the daemon rejects is told to `on_rejected`, and logged where no callback would hear of it.

    Args:
        target: where intercomd listens, as gRPC writes it: "host:port", "unix:/run/intercomd.sock".
        settings: bounds and times; the defaults suit most.
        credentials: for TLS; None: plain text, for a daemon beside the service.
        metadata: sent with every call, such as ("authorization", "Bearer ...").
        on_results: called with the results of each batch, in the order of publishing.
        on_rejected: called with each rejected envelope and its result.

    Callbacks run on the event loop: they must be quick. One that raises stops the publisher.
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
        self._channel = open_channel(target, credentials, settings)
        call = self._channel.unary_unary(
            PUBLISH_METHOD,
            request_serializer=encoded,
            response_deserializer=PublishResponse.FromString,
        )
        self._sender = Sender(call, settings, metadata, on_results, on_rejected)
        self._buffer = Buffer(settings)
        self._closed = False
        loop = asyncio.get_running_loop()
        self._carriers = [loop.create_task(self._carry()) for _ in range(settings.calls_in_flight_max)]

    @property
    def failure(self) -> PublishError | None:
        """Why the publisher has stopped or was closed; None: it works."""
        return self._buffer.failure

    async def publish(self, envelope: Envelope) -> None:
        """Takes an envelope, to send it soon. Waits only while the buffer is full.

        The envelope is encoded here and now, and may be used again afterwards. One without an id gets a new UUIDv7.

        Raises:
            PublishError: the publisher is closed or has stopped; the envelope was not taken.
        """
        await self._buffer.put(frame(envelope))

    async def publish_and_wait(self, envelope: Envelope) -> EnvelopeResult:
        """Takes an envelope, and waits until intercomd has answered. Several at a time share their calls.

        Raises:
            PublishError: the publisher was closed or stopped before there was an answer.
        """
        future: asyncio.Future[EnvelopeResult] = asyncio.get_running_loop().create_future()
        await self._buffer.put(frame(envelope), future)
        return await future

    async def publish_frame(self, framed: bytes, waiter: Waiter | None = None) -> None:
        """As `publish`, for an envelope that `intercomd.framing.frame` encoded elsewhere, such as on another thread.

        Args:
            framed: the frame.
            waiter: a future of any kind that gets the result. It is set on this event loop.
        """
        await self._buffer.put(framed, waiter)

    async def flush(self) -> None:
        """Waits until everything that was published so far is answered. Bound it with `asyncio.timeout`.

        Raises:
            PublishError: the publisher has stopped.
        """
        await self._buffer.flush()

    async def close(self, timeout_seconds: float = CLOSE_SECONDS) -> list[Envelope]:
        """Flushes, for as long as it is given, and ends. It never raises for what could not be sent.

        Returns:
            The envelopes without an answer, in their order, with their ids: publish them again elsewhere, or keep them.
            Some may have been taken; with the same id they are then answered as duplicates. Closed again: none.
        """
        if self._closed:
            return []
        self._closed = True
        closed = PublishError("the publisher is closed")
        self._buffer.refuse(closed)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._buffer.flush()
        except (TimeoutError, PublishError):
            pass  # what is left says it
        finally:
            for carrier in self._carriers:
                carrier.cancel()
            await asyncio.gather(*self._carriers, return_exceptions=True)
            self._buffer.fail(closed)
            await self._channel.close()
        return [unframe(framed) for framed in self._buffer.left()]

    async def _carry(self) -> None:
        try:
            while True:
                batch = await self._buffer.take()
                await self._sender.send(batch)
                self._buffer.settle(batch)
        except PublishError as error:
            self._buffer.fail(error)
        except Exception as error:  # noqa: BLE001 - the task's last frame: a callback raised, and callers must hear of it
            failure = PublishError(f"the publisher stopped: {error!r}")
            failure.__cause__ = error
            self._buffer.fail(failure)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes. What is left raises PublishError, unless another exception is on its way."""
        left = await self.close()
        if error is None:
            raise_if_left(left, self.failure)


def raise_if_left(left: list[Envelope], failure: PublishError | None) -> None:
    """Raises PublishError where a publisher ended with envelopes that were not answered, because of what ended it."""
    if left:
        reason = f": {failure}" if failure else ""
        raise PublishError(
            f"{len(left)} envelopes were not answered{reason}", failure.code if failure else None
        ) from failure


def encoded(request: bytes) -> bytes:
    """Frames are encoded already."""
    return request


def open_channel(
    target: str, credentials: grpc.ChannelCredentials | None, settings: PublisherSettings
) -> grpc.aio.Channel:
    """A channel that leaves repeating to the publisher, and connects again when the publisher asks."""
    options = [
        ("grpc.enable_retries", 0),
        # A service configuration from DNS could turn retries, time-outs or waiting on again.
        ("grpc.service_config_disable_resolution", 1),
        # gRPC's own pause between connection attempts grows to two minutes, longer than ours.
        ("grpc.max_reconnect_backoff_ms", max(1000, int(settings.backoff_seconds_max * 1000))),
        # A connection that died in silence is noticed within a call, not by the kernel's quarter of an hour.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        *proxy_options(target),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, credentials, options)
