"""The calls of the publishers: one channel that opens at the first call, on an event loop or on threads."""

import random
import threading
import time
from collections.abc import Callable, Iterable

import grpc
from google.protobuf.message import DecodeError

from intercomd.access import Access
from intercomd.delivery import Call, Failure, Reply, Response, Steps
from intercomd.errors import PublishError
from intercomd.v1.ingest_pb2 import PublishResponse

PUBLISH_METHOD = "/intercomd.v1.IngestService/Publish"


class AsyncTransport:
    """Calls on the running event loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._channel: grpc.aio.Channel | None = None

    async def call(self, request: bytes, timeout_seconds: float) -> Reply:
        """Makes one call; returns its response or its error status."""
        if self._channel is None or self._access.tls_changed():
            previous, self._channel = self._channel, self._open()
            if previous is not None:
                await previous.close(timeout_seconds)  # calls of other tasks may end
        publish: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(PUBLISH_METHOD)
        try:
            response: bytes | None = await publish(request, timeout=timeout_seconds, metadata=self._access.metadata())
            # grpc.aio returns None for what its deserializer cannot read.
            return _no_message() if response is None else Response(PublishResponse.FromString(response))
        except grpc.aio.AioRpcError as error:
            return _failure(error.code(), error.details(), error.trailing_metadata(), error)
        except DecodeError as error:
            return _failure(grpc.StatusCode.INTERNAL, f"the response cannot be decoded: {error}", (), error)

    async def close(self) -> None:
        """Cancels the calls in flight and closes the connections."""
        if self._channel is not None:
            await self._channel.close()

    def _open(self) -> grpc.aio.Channel:
        credentials = self._access.channel_credentials()
        options = self._access.channel_options()
        if credentials is None:
            return grpc.aio.insecure_channel(self._access.target, options)
        return grpc.aio.secure_channel(self._access.target, credentials, options)


class ThreadTransport:
    """Calls on any number of threads, by grpc's synchronous API."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._closed = False

    def call(self, request: bytes, timeout_seconds: float) -> Reply:
        """Makes one call; returns its response or its error status; None: the transport is closed."""
        try:
            with self._lock:
                if self._closed:
                    return None
                metadata = self._access.metadata()
                if self._channel is None or self._access.tls_changed():
                    self._channel = self._open()  # calls on the previous channel end there
                publish: grpc.UnaryUnaryMultiCallable[bytes, PublishResponse] = self._channel.unary_unary(
                    PUBLISH_METHOD, request_serializer=_encoded, response_deserializer=PublishResponse.FromString
                )
            response: PublishResponse | None = publish(request, timeout=timeout_seconds, metadata=tuple(metadata))
            return _no_message() if response is None else Response(response)
        except grpc.RpcError as error:
            if self._closed or not isinstance(error, grpc.Call):
                return None
            return _failure(error.code(), error.details(), error.trailing_metadata() or (), error)
        except ValueError:  # "Cannot invoke RPC on closed channel!"
            if self._closed:
                return None
            raise

    def close(self) -> None:
        """Cancels the calls in flight and closes the connections."""
        with self._lock:
            self._closed = True
        if self._channel is not None:
            self._channel.close()

    def _open(self) -> grpc.Channel:
        credentials = self._access.channel_credentials()
        options = self._access.channel_options()
        if credentials is None:
            return grpc.insecure_channel(self._access.target, options)
        return grpc.secure_channel(self._access.target, credentials, options)


class StoppedError(Exception):
    """The publisher ends before the batch has its results."""


def perform(steps: Steps, call: Callable[[bytes], Reply], pause: Callable[[float], bool]) -> None:
    """Makes the calls and pauses of a delivery on this thread, until its batch has its results.

    Args:
        steps: the delivery.
        call: makes one call; None: the publisher ends.
        pause: waits this number of seconds; False: the publisher ends.

    Raises:
        StoppedError: the publisher ends.
        PublishError: the daemon refuses the batch.
    """
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration:
            return
        if isinstance(step, Call):
            reply = call(step.request)
            if reply is None:
                raise StoppedError
        else:
            reply = None
            if not pause(step.seconds):
                raise StoppedError


def perform_at_exit(deliveries: list[Steps], access: Access, call_seconds: float, deadline: float) -> None:
    """Performs deliveries over a new channel, until `deadline` of `time.monotonic` at most.

    Raises:
        StoppedError: the deadline has passed.
        PublishError: the daemon refuses a batch.
    """
    transport = ThreadTransport(access)

    def call(request: bytes) -> Reply:
        remaining = deadline - time.monotonic()
        return transport.call(request, min(call_seconds, remaining)) if remaining > 0 else None

    def pause(seconds: float) -> bool:
        if time.monotonic() + seconds >= deadline:
            return False
        time.sleep(seconds)
        return True

    try:
        for steps in deliveries:
            perform(steps, call, pause)
    finally:
        transport.close()


def _failure(
    code: grpc.StatusCode, details: str | None, trailers: Iterable[tuple[str, str | bytes]], error: Exception
) -> Failure:
    return Failure(
        code,
        details or "",
        tuple(trailers),
        error,
        time.monotonic(),
        random.random(),  # noqa: S311 - jitter, not a secret
    )


def _no_message() -> Failure:
    """Returns the failure of a call that ended with OK and without a message, for which grpc returns None."""
    text = "the response holds no message"
    return _failure(grpc.StatusCode.INTERNAL, text, (), PublishError(text, grpc.StatusCode.INTERNAL))


def _encoded(request: bytes) -> bytes:
    """Returns the request: frames are encoded already."""
    return request
