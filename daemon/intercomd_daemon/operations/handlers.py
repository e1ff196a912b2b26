"""From methods that take a request and raise errors of ours to what a gRPC server calls.

It makes a status of every error of ours, and INVALID_ARGUMENT of bytes that are no message. What the methods do, it
does not know.
"""

from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc.aio import ServicerContext

from intercomd_daemon.errors import IntercomdError, RequestRefused
from intercomd_daemon.operations.refusal import refusal_of

Request = TypeVar("Request", bound=Message)
Context = ServicerContext[Any, Any]

_CODES = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})


def unary(
    perform: Callable[[Request], Awaitable[Message]], request_type: type[Request]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """A call with one answer."""

    async def handle(request: Request | DecodeError, context: Context) -> Message:
        try:
            return await perform(_decoded(request))
        except IntercomdError as error:
            await _refuse(context, error)

    return grpc.unary_unary_rpc_method_handler(handle, _reader_of(request_type), _encode)


def streaming(
    perform: Callable[[Request, Context], Awaitable[None]], request_type: type[Request]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """A call that `perform` answers through the context, as often as it has something to say."""

    async def handle(request: Request | DecodeError, context: Context) -> None:
        try:
            await perform(_decoded(request), context)
        except IntercomdError as error:
            await _refuse(context, error)

    return grpc.unary_stream_rpc_method_handler(handle, _reader_of(request_type), _encode)


async def _refuse(context: Context, error: IntercomdError) -> NoReturn:
    refusal = refusal_of(error)
    await context.abort(_CODES[refusal.code], refusal.message, refusal.trailers)


def _decoded(request: Request | DecodeError) -> Request:
    if isinstance(request, DecodeError):
        raise RequestRefused("", f"the request cannot be decoded: {request}")
    return request


def _reader_of(request_type: type[Request]) -> Callable[[bytes], Request | DecodeError]:
    """A deserializer that hands the error on: one that raises becomes UNKNOWN on the wire."""

    def read(data: bytes) -> Request | DecodeError:
        try:
            return request_type.FromString(data)
        except DecodeError as error:
            return error

    return read


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
