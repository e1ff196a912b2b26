"""A gRPC proxy in front of the daemon: records when calls arrive, how they end, and what pause the daemon requests."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

Metadata = tuple[tuple[str, str | bytes], ...]
SERVICE, METHOD = "intercomd.v1.IngestService", "Publish"


@dataclass(slots=True)
class Refusal:
    """A call that the daemon refused with RetryInfo.

    Attributes:
        code: the name of its status.
        request: its bytes.
        requested: how many seconds the daemon asks to wait.
        at: when the refusal left for the client; in seconds of a monotonic clock.
        late: by how many seconds a timer of the proxy for the requested time was late, as the machine is busy.
    """

    code: str
    request: bytes
    requested: float
    at: float
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """The call after a refusal.

    Attributes:
        refusal: what it follows.
        same: whether it has the same bytes.
        waited: how many seconds after the refusal it arrived.
    """

    refusal: Refusal
    same: bool
    waited: float

    @property
    def share(self) -> float:
        """What was waited of the requested time: 1.0 is all of it. The machine's own delay does not count."""
        return (self.waited - self.refusal.late) / self.refusal.requested


class Relay:
    """The proxy of a client that makes one call at a time."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._repeats: list[Repeat] = []
        self._refusal: Refusal | None = None
        self._repeated = asyncio.Event()
        self._server = grpc.aio.server()
        self._channel: grpc.aio.Channel

    async def start(self) -> str:
        """Starts it; returns its address."""
        self._channel = grpc.aio.insecure_channel(self._target, [("grpc.max_reconnect_backoff_ms", 200)])
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._publish)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def close(self) -> None:
        """Ends it, and the calls in progress."""
        await self._server.stop(None)
        await self._channel.close()

    async def repeats(self, code: str, count: int) -> Sequence[Repeat]:
        """Returns the repeats after refusals with a status, as soon as there are `count`."""
        while len(found := [repeat for repeat in self._repeats if repeat.refusal.code == code]) < count:
            self._repeated.clear()
            await self._repeated.wait()
        return found

    async def _publish(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        arrived = time.monotonic()
        if refusal := self._refusal:
            self._repeats.append(Repeat(refusal, request == refusal.request, arrived - refusal.at))
            self._refusal = None
            self._repeated.set()
        publish: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{SERVICE}/{METHOD}")
        try:
            return await publish(
                request, timeout=context.time_remaining(), metadata=_own(context.invocation_metadata() or ())
            )
        except grpc.aio.AioRpcError as error:
            await self._refuse(request, context, error)

    async def _refuse(
        self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes], error: grpc.aio.AioRpcError
    ) -> NoReturn:
        trailers = _own(error.trailing_metadata())
        if (requested := _requested_seconds(trailers)) is not None:
            self._refusal = Refusal(error.code().name, request, requested, time.monotonic())
            asyncio.get_running_loop().call_later(requested, _measure_lateness, self._refusal)
        await context.abort(error.code(), error.details() or "", trailers)


def _measure_lateness(refusal: Refusal) -> None:
    refusal.late = time.monotonic() - refusal.at - refusal.requested


def _own(metadata: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """Returns the metadata without that of the connection itself."""
    return tuple((name, value) for name, value in metadata if name != "user-agent")


def _requested_seconds(trailers: Metadata) -> float | None:
    """Returns how long RetryInfo asks to wait; None without it."""
    encoded = dict(trailers).get("grpc-status-details-bin", b"")
    assert isinstance(encoded, bytes)
    retry = RetryInfo()
    for detail in Status.FromString(encoded).details:
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToTimedelta().total_seconds())
    return None
