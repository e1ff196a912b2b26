"""What a gRPC server makes of methods that only know requests and errors of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.operations.handlers import Context, streaming, unary

UNDECODABLE = [b"\xff", b"\x0a\x05abc", b"\x0a\x01\xff"]


class Echo:
    """Says what it is told, unless that is a complaint."""

    async def say(self, request: StringValue) -> Message:
        if request.value == "refuse":
            raise RequestRefused("value", "is not to be said")
        return request

    async def say_twice(self, request: StringValue, context: Context) -> None:
        await context.write(request)
        await context.write(await self.say(request))


@asynccontextmanager
async def _served() -> AsyncIterator[grpc.aio.Channel]:
    echo = Echo()
    methods = {"Say": unary(echo.say, StringValue), "SayTwice": streaming(echo.say_twice, StringValue)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def test_a_method_is_asked_with_a_message_and_its_answers_are_sent() -> None:
    asked = StringValue(value="hello").SerializeToString()
    async with _served() as channel:
        assert await channel.unary_unary("/Echo/Say")(asked) == asked
        assert [answer async for answer in channel.unary_stream("/Echo/SayTwice")(asked)] == [asked, asked]


@pytest.mark.parametrize("data", UNDECODABLE, ids=["no field", "cut short", "no UTF-8"])
@pytest.mark.parametrize("method", ["Say", "SayTwice"])
async def test_bytes_that_are_no_message_are_the_callers_fault(method: str, data: bytes) -> None:
    async with _served() as channel:
        call = channel.unary_stream(f"/Echo/{method}")(data)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "cannot be decoded" in await call.details()


@pytest.mark.parametrize("method", ["Say", "SayTwice"])
async def test_an_error_of_ours_becomes_its_status_with_details(method: str) -> None:
    async with _served() as channel:
        call = channel.unary_stream(f"/Echo/{method}")(StringValue(value="refuse").SerializeToString())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [answer async for answer in call]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    detail = BadRequest()
    packed = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert detail.field_violations[0].field == "value"
