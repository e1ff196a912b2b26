"""Requests, errors and interceptors of a service, over a real channel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import QuotaExceeded, RequestRefused, RetryLater
from intercomd_daemon.rpc.handlers import Interceptor, Method, ServiceHandlers, deserializer
from intercomd_daemon.rpc.refused_call import Context, Handler, refusing_with

UNDECODABLE = [b"\xff", b"\x0a\x05abc", b"\x0a\x01\xff"]


class Echo:
    """Returns what it receives, and refuses one value."""

    async def say(self, request: StringValue) -> Message:
        if request.value == "refuse":
            raise RequestRefused("value", "refused value")
        return request

    async def say_twice(self, request: StringValue, context: Context) -> None:
        await context.write(request)
        await context.write(await self.say(request))

    async def say_all(self, requests: AsyncIterator[StringValue | RequestRefused], context: Context) -> None:
        async for request in requests:
            if isinstance(request, RequestRefused):
                raise request
            await context.write(await self.say(request))


@asynccontextmanager
async def _served(*interceptors: Interceptor) -> AsyncIterator[tuple[ServiceHandlers, grpc.aio.Channel]]:
    echo, handlers = Echo(), ServiceHandlers("Echo", interceptors)
    handlers.unary("Say", echo.say, StringValue.FromString)
    handlers.server_stream("SayTwice", echo.say_twice, StringValue.FromString)
    handlers.bidirectional_stream("SayAll", echo.say_all, StringValue.FromString)
    server = grpc.aio.server()
    handlers.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield handlers, channel
    await server.stop(None)


async def test_method_receives_a_message_and_its_responses_are_sent() -> None:
    asked = StringValue(value="hello").SerializeToString()
    async with _served() as (_, channel):
        assert await channel.unary_unary("/Echo/Say")(asked) == asked
        assert [answer async for answer in channel.unary_stream("/Echo/SayTwice")(asked)] == [asked, asked]


@pytest.mark.parametrize("data", UNDECODABLE, ids=["no field", "cut short", "no UTF-8"])
@pytest.mark.parametrize("method", ["Say", "SayTwice"])
async def test_malformed_bytes_are_invalid_argument(method: str, data: bytes) -> None:
    async with _served() as (_, channel):
        call = channel.unary_stream(f"/Echo/{method}")(data)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "cannot be decoded" in await call.details()


@pytest.mark.parametrize("method", ["Say", "SayTwice"])
async def test_error_becomes_its_status_with_details(method: str) -> None:
    async with _served() as (_, channel):
        call = channel.unary_stream(f"/Echo/{method}")(StringValue(value="refuse").SerializeToString())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [answer async for answer in call]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    detail = BadRequest()
    packed = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert detail.field_violations[0].field == "value"


@pytest.mark.parametrize(
    "last", [b"\xff", StringValue(value="refuse").SerializeToString()], ids=["undecodable", "refused"]
)
async def test_stream_responds_to_all_messages_before_a_malformed_one(last: bytes) -> None:
    async with _served() as (_, channel):
        hello = StringValue(value="hello").SerializeToString()
        call = channel.stream_stream("/Echo/SayAll")()
        # Nothing after the last one: a client that is writing when the server ends the call may not read its responses.
        for message in (hello, hello, last):
            await call.write(message)
        assert [await call.read(), await call.read()] == [hello, hello]
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["Say", "SayTwice", "SayAll"])
async def test_interceptor_can_end_every_kind_of_call(method: str) -> None:
    def refuse(_name: str, _method: Method) -> Method:
        async def call(_request: object, context: Context) -> None:
            names = dict(context.invocation_metadata() or ())
            raise RetryLater(f"not now, {names['name']}", 2.0)

        return call

    async with _served(refuse) as (_, channel):
        # A stream is ended before it is read: a client that is writing then may not read how.
        requests = [] if method == "SayAll" else [StringValue(value="hello").SerializeToString()]
        call = channel.stream_stream(f"/Echo/{method}")(iter(requests), metadata=(("name", "Ada"),))
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert await call.details() == "not now, Ada"


async def test_interceptors_are_called_in_their_order() -> None:
    order: list[str] = []

    def named(name: str) -> Interceptor:
        def intercept(_name: str, method: Method) -> Method:
            async def call(request: object, context: Context) -> Message | None:
                order.append(name)
                return await method(request, context)

            return call

        return intercept

    async with _served(named("first"), named("second")) as (_, channel):
        asked = StringValue(value="hello").SerializeToString()
        assert await channel.unary_unary("/Echo/Say")(asked) == asked
    assert order == ["first", "second"]


async def test_service_is_idle_when_the_last_call_has_ended() -> None:
    async with _served() as (handlers, channel):
        await handlers.wait_idle()
        call = channel.stream_stream("/Echo/SayAll")()
        await call.write(StringValue(value="hello").SerializeToString())
        await call.read()
        idle = asyncio.create_task(handlers.wait_idle())
        await channel.unary_unary("/Echo/Say")(b"")
        assert not idle.done()
        await call.done_writing()
        await idle


async def test_method_is_refused_before_its_request_while_the_service_wants_that() -> None:
    refusing: list[Handler] = []
    handlers = ServiceHandlers("Echo")
    for name in ("Say", "SayToo"):
        refuse = (lambda: next(iter(refusing), None)) if name == "Say" else None
        handlers.unary(name, Echo().say, StringValue.FromString, refuse)
    server = grpc.aio.server()
    handlers.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/Echo/Say")(b"") == b""
        refusing.append(refusing_with(grpc.StatusCode.RESOURCE_EXHAUSTED, "not now"))
        assert await channel.stream_unary("/Echo/Say")().details() == "not now"
        assert await channel.unary_unary("/Echo/SayToo")(b"") == b""
        assert await channel.unary_unary("/Other/Say")(b"").code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(None)


def test_deserializer_returns_that_the_quota_is_used_up() -> None:
    exceeded = QuotaExceeded("shop", "envelopes_per_second", 10.0, 1.0)

    def decode(_data: bytes) -> str:
        raise exceeded

    assert deserializer(decode)(b"request") is exceeded
