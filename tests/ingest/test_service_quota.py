"""Quotas of callers, at each time at which IngestService checks them."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from ingest.server import envelope
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.ingest.service import SERVICE
from intercomd_daemon.rpc.authentication import Authenticator, Guard, MethodGate
from intercomd_daemon.rpc.callers import ANYONE, Callers, hash_of
from intercomd_daemon.rpc.refused_call import Handler
from intercomd_daemon.rpc.settings import CallerSettings
from listeners import ingest_service

TOKEN = "t" * 32
METADATA = (("authorization", f"Bearer {TOKEN}"),)
ONE = PublishRequest(envelopes=[envelope("a")]).SerializeToString()
MANY = PublishRequest(envelopes=[envelope(str(number)) for number in range(100)]).SerializeToString()


class Listener(grpc.GenericRpcHandler):
    """A listener for one caller, who may send an envelope per second."""

    def __init__(self) -> None:
        settings = CallerSettings(name="shop", token_sha256=(hash_of(TOKEN),), envelopes_per_second=1)
        authenticator = Authenticator(Callers({"shop": settings}, {}))
        self._ended: list[tuple[str, ...]] = []
        self._changed = asyncio.Event()
        self._gate = MethodGate(authenticator, lambda _: None, certificates=False)
        ingest_service(Guard(ANYONE, authenticator, self._on_end)).add_to(self._gate)
        self._arrived = asyncio.Semaphore(0)

    def _on_end(self, *call: str) -> None:
        self._ended.append(call)
        self._changed.set()

    async def ended(self, count: int) -> list[tuple[str, ...]]:
        """Returns method, code and caller of each call that has ended, once there are that many.

        A caller may receive its status before.
        """
        while len(self._ended) < count:
            self._changed.clear()
            await self._changed.wait()
        return self._ended

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        handler = self._gate.service(details)
        self._arrived.release()
        return handler

    async def next_call(self) -> None:
        """Waits until another call has arrived."""
        await self._arrived.acquire()


@pytest.fixture
async def listener() -> Listener:
    return Listener()


@pytest.fixture
async def channel(listener: Listener) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(handlers=(listener,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(None)


@pytest.mark.parametrize("method", ["Publish", "Preview"])
async def test_call_above_the_quota_is_refused_before_its_request(
    listener: Listener, channel: grpc.aio.Channel, method: str
) -> None:
    await channel.unary_unary(f"/{SERVICE}/Publish")(MANY, metadata=METADATA)
    call = channel.stream_unary(f"/{SERVICE}/{method}")(metadata=METADATA)
    assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await listener.ended(2) == [("Publish", "OK", "shop"), (method, "RESOURCE_EXHAUSTED", "shop")]


@pytest.mark.parametrize("method", ["Publish", "Preview"])
async def test_request_is_refused_if_the_quota_was_used_up_while_it_was_sent(
    listener: Listener, channel: grpc.aio.Channel, method: str
) -> None:
    early = channel.stream_unary(f"/{SERVICE}/{method}")(metadata=METADATA)
    await listener.next_call()
    await channel.unary_unary(f"/{SERVICE}/Publish")(MANY, metadata=METADATA)
    await early.write(ONE)
    await early.done_writing()
    assert await early.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await listener.ended(2) == [("Publish", "OK", "shop"), (method, "RESOURCE_EXHAUSTED", "shop")]


async def test_stream_above_the_quota_is_not_refused(listener: Listener, channel: grpc.aio.Channel) -> None:
    await channel.unary_unary(f"/{SERVICE}/Publish")(MANY, metadata=METADATA)
    stream = channel.stream_stream(f"/{SERVICE}/PublishStream")(metadata=METADATA)
    for _ in range(2):
        await listener.next_call()
    await stream.done_writing()
    assert await listener.ended(1) == [("Publish", "OK", "shop")]
    stream.cancel()
