"""Turns methods that take decoded requests and raise IntercomdErrors into handlers of a gRPC server.

Errors of methods become statuses here, and only here. Interceptors wrap every method of a service.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc.aio import Server, ServicerContext

from intercomd_daemon.errors import IntercomdError, RequestRefused
from intercomd_daemon.rpc.status import status_of

Request = TypeVar("Request")
Context = ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Message | None]]
"""Takes the request, or the iterator of requests, and the context; returns the response, or None if it wrote them."""
Interceptor = Callable[[Method], Method]
"""Wraps a method. Its IntercomdErrors become the status of the call, like those of the method."""

_CODES = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})


class ServiceHandlers:
    """The methods of one gRPC service, and the number of its open calls."""

    def __init__(self, service: str, interceptors: Sequence[Interceptor] = ()) -> None:
        """`service` is the full name. The first interceptor is the outermost."""
        self._service = service
        self._interceptors = tuple(interceptors)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._open_calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def add_to(self, server: Server) -> None:
        """Registers the service; call it before the server starts."""
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self._service, self._handlers),))

    async def wait_idle(self) -> None:
        """Waits until no call is open."""
        await self._idle.wait()

    def unary(
        self, name: str, perform: Callable[[Request], Awaitable[Message]], decode: Callable[[bytes], Request]
    ) -> None:
        """Adds a method with one request and one response."""

        async def call(request: Request, _context: Context) -> Message:
            return await perform(request)

        handle = self._handle(_with_valid_request(call))
        self._handlers[name] = grpc.unary_unary_rpc_method_handler(handle, deserializer(decode), _encode)

    def server_stream(
        self, name: str, perform: Callable[[Request, Context], Awaitable[None]], decode: Callable[[bytes], Request]
    ) -> None:
        """Adds a method with one request, which writes its responses to the context."""
        handle = self._handle(_with_valid_request(perform))
        self._handlers[name] = grpc.unary_stream_rpc_method_handler(handle, deserializer(decode), _encode)

    def bidirectional_stream(
        self,
        name: str,
        perform: Callable[[AsyncIterator[Request | RequestRefused], Context], Awaitable[None]],
        decode: Callable[[bytes], Request],
    ) -> None:
        """Adds a method with a stream of requests, which writes its responses to the context.

        A message that cannot be decoded is an item of the stream: the method answers those before it, then raises it.
        """
        handle = self._handle(perform)
        self._handlers[name] = grpc.stream_stream_rpc_method_handler(handle, deserializer(decode), _encode)

    def _handle(self, method: Method) -> Callable[[Any, Context], Awaitable[Any]]:
        for interceptor in reversed(self._interceptors):
            method = interceptor(method)

        async def handle(request: Any, context: Context) -> Message | None:  # noqa: ANN401 - the request of any method
            self._open_calls += 1
            self._idle.clear()
            try:
                return await method(request, context)
            except IntercomdError as error:
                code, message, trailers = status_of(error)
                await context.abort(_CODES[code], message, trailers)
            finally:
                self._open_calls -= 1
                if not self._open_calls:
                    self._idle.set()

        return handle


def deserializer(decode: Callable[[bytes], Request]) -> Callable[[bytes], Request | RequestRefused]:
    """Returns a deserializer that returns its error: gRPC ends a call as UNKNOWN if its deserializer raises.

    `decode` raises DecodeError or RequestRefused; both become INVALID_ARGUMENT.
    """

    def deserialize(data: bytes) -> Request | RequestRefused:
        try:
            return decode(data)
        except RequestRefused as error:
            return error
        except DecodeError as error:
            return RequestRefused("", f"the request cannot be decoded: {error}")

    return deserialize


def _with_valid_request(perform: Callable[[Request, Context], Awaitable[Any]]) -> Method:
    async def method(request: Request | RequestRefused, context: Context) -> Any:  # noqa: ANN401 - as `perform`
        if isinstance(request, RequestRefused):
            raise request
        return await perform(request, context)

    return method


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
