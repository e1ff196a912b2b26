"""Handlers that refuse calls, over a real channel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import Unauthenticated
from intercomd_daemon.rpc import refused_call
from intercomd_daemon.rpc.refused_call import Handler, refusing, refusing_above_quota, refusing_with


class One(grpc.GenericRpcHandler):
    """Has one handler for every method."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def service(self, _details: grpc.HandlerCallDetails) -> Handler:
        return self._handler


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(handlers=(One(handler),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def test_call_of_every_kind_is_refused_before_it_sends_a_request() -> None:
    async with served(refusing(Unauthenticated("CREDENTIALS_MISSING", "a token is missing"))) as channel:
        for call in (channel.stream_unary("/Any/Method")(), channel.stream_stream("/Any/Method")()):
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
            assert await call.details() == "a token is missing"
            assert await call.initial_metadata() == grpc.aio.Metadata()
        for call in (channel.unary_unary("/Any/Method")(b""), channel.unary_stream("/Any/Method")(b"")):
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
            info = ErrorInfo()
            status = Status.FromString(dict(await call.trailing_metadata())["grpc-status-details-bin"])
            assert status.details[0].Unpack(info)
            assert info.reason == "CREDENTIALS_MISSING"


async def test_handler_without_details_sends_code_and_message() -> None:
    async with served(refusing_with(grpc.StatusCode.UNIMPLEMENTED, "no such method")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/Any/Method")(bytes(1 << 20))
    assert (error.value.code(), error.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "no such method")


async def test_call_above_a_quota_receives_the_wait() -> None:
    async with served(refusing_above_quota("shop", "envelopes_per_second", 10, 12.4)) as channel:
        call = channel.unary_unary("/Any/Method")(b"")
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers = dict(await call.trailing_metadata())
    status, failure, retry = Status.FromString(trailers["grpc-status-details-bin"]), QuotaFailure(), RetryInfo()
    assert status.details[0].Unpack(failure)
    assert status.details[1].Unpack(retry)
    assert failure.violations[0].subject == "callers.shop.envelopes_per_second"
    assert retry.retry_delay.ToMilliseconds() == int(trailers["grpc-retry-pushback-ms"]) == 12_400


def test_equal_waits_share_a_handler() -> None:
    handler = refusing_above_quota("shop", "bytes_per_second", 10, 0.3)
    assert refusing_above_quota("shop", "bytes_per_second", 10, 0.3) is handler
    for other in (
        ("billing", "bytes_per_second", 10, 0.3),
        ("shop", "envelopes_per_second", 10, 0.3),
        ("shop", "bytes_per_second", 20, 0.3),
        ("shop", "bytes_per_second", 10, 0.4),
    ):
        assert refusing_above_quota(*other) is not handler


@pytest.mark.fills("rpc.refused_call.QUOTA_HANDLERS_MAX")
def test_handlers_of_other_waits_are_forgotten() -> None:
    for milliseconds in range(1, refused_call.QUOTA_HANDLERS_MAX + 5):
        refusing_above_quota("shop", "bytes_per_second", 10, milliseconds / 1000)
    assert refusing_above_quota.cache_info().currsize == refused_call.QUOTA_HANDLERS_MAX
