"""Authentication of calls over a real channel: what is read of a refused call, and what a removed caller loses."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from intercomd_daemon.errors import Unauthenticated
from intercomd_daemon.rpc.authentication import Authenticator, Guard, MethodGate, Revocation
from intercomd_daemon.rpc.callers import ANYONE, Callers, hash_of
from intercomd_daemon.rpc.handlers import ServiceHandlers
from intercomd_daemon.rpc.settings import CallerSettings

TOKEN = "t" * 32
SHOP = CallerSettings(name="shop", token_sha256=(hash_of(TOKEN),))
METADATA = (("authorization", f"Bearer {TOKEN}"),)


class Echo:
    """Returns the caller's name, and counts the bytes that it reads."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.read_bytes = 0
        self.handlers = ServiceHandlers("Echo", (), guard.on_call)
        self.handlers.unary("Say", self.say, self.decode)

    def decode(self, data: bytes) -> bytes:
        self.read_bytes += len(data)
        return data

    async def say(self, _request: bytes) -> StringValue:
        return StringValue(value=self._guard.caller.name)


async def served(authenticator: Authenticator, refused: list[str]) -> tuple[grpc.aio.Server, Echo, str]:
    server = grpc.aio.server()
    gate = MethodGate(authenticator, refused.append, certificates=False)
    echo = Echo(Guard(ANYONE, authenticator))
    echo.handlers.add_to(gate)
    server.add_generic_rpc_handlers((gate,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, echo, f"127.0.0.1:{port}"


async def test_refused_request_is_not_decoded() -> None:
    """`tests/e2e/test_callers.py` shows that it is not even received."""
    refused: list[str] = []
    server, echo, address = await served(Authenticator(Callers({"shop": SHOP}, {})), refused)
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/Echo/Say")(bytes(1 << 20))
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused == ["/Echo/Say"]
    assert echo.read_bytes == 0
    await server.stop(None)


async def test_call_knows_its_caller() -> None:
    authenticator = Authenticator(Callers({}, {}))
    server, _, address = await served(authenticator, [])
    async with grpc.aio.insecure_channel(address) as channel:
        say = channel.unary_unary("/Echo/Say", response_deserializer=StringValue.FromString)
        assert (await say(b"", metadata=METADATA)).value == ""
        authenticator.replace(Callers({"shop": SHOP}, {}))
        assert (await say(b"", metadata=METADATA)).value == "shop"
        with pytest.raises(grpc.aio.AioRpcError):
            await say(b"")
    await server.stop(None)


async def test_removed_caller_is_reported_to_its_open_calls() -> None:
    authenticator = Authenticator(Callers({"shop": SHOP}, {}))
    guard = Guard(ANYONE, authenticator)
    ended: list[Unauthenticated] = []
    wake = asyncio.Event()
    revocation = Revocation(wake)

    async def wait(_request: bytes) -> StringValue:
        with guard.revocable(revocation):
            started.set()
            await wake.wait()
            revocation.check()
        return StringValue()

    started = asyncio.Event()
    waiting = ServiceHandlers("Waiting")
    waiting.unary("Wait", wait, bytes)
    gate = MethodGate(authenticator, lambda _: None, certificates=False)
    waiting.add_to(gate)
    other = grpc.aio.server()
    other.add_generic_rpc_handlers((gate,))
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/Waiting/Wait")(b"", metadata=METADATA)
        await started.wait()
        raised = CallerSettings(name="shop", token_sha256=(hash_of(TOKEN),), operations="write")
        authenticator.replace(Callers({"shop": raised}, {}))
        assert not wake.is_set()
        authenticator.replace(Callers({"other": CallerSettings(name="other")}, {}))
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    with guard.revocable(ended.append):
        authenticator.replace(Callers({}, {}))
    assert ended == []  # A call without a credential has none to lose.
    await other.stop(None)
