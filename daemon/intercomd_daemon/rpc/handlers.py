"""Turns methods that take decoded requests and raise IntercomdErrors into handlers of a gRPC server.

Errors of methods become statuses here, and only here. Interceptors wrap every method of a service.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc.aio import Server

from intercomd_daemon.errors import IntercomdError, QuotaExceeded, RequestRefused
from intercomd_daemon.rpc.authentication import MethodGate
from intercomd_daemon.rpc.refused_call import Context, Handler, end_call, grpc_status_of

Request = TypeVar("Request")
Method = Callable[[Any, Context], Awaitable[Message | None]]
"""Takes the request, or the iterator of requests, and the context; returns the response, or None if it wrote them.

A function that returns another's coroutine costs less than a coroutine around it, which each of its waits passes."""
Interceptor = Callable[[str, Method], Method]
"""Wraps a method, given its name. Its IntercomdErrors become the status of the call, like those of the method."""
OnCall = Callable[[str, str], None]
"""Called at the end of each call, with the method's name and the name of the status code."""
Refuse = Callable[[], Handler | None]
"""Returns what refuses the current call before its request is read; None: the call may go on."""


class ServiceHandlers(grpc.GenericRpcHandler):
    """The methods of one gRPC service, and the number of its open calls."""

    def __init__(self, service: str, interceptors: Sequence[Interceptor] = (), on_call: OnCall | None = None) -> None:
        """`service` is the full name. The first interceptor is the outermost."""
        self._service = service
        self._interceptors = tuple(interceptors)
        self._on_call = on_call or _ignore_call
        self._handlers: dict[str, Handler] = {}
        self._refuse: dict[str, Refuse] = {}
        self._open_calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def add_to(self, server: Server | MethodGate) -> None:
        """Registers the service with a server, or with the gate before it; call it before the server starts."""
        server.add_generic_rpc_handlers((self,))

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        """Returns the handler of a call, or one that refuses it; None: the method is another service's."""
        refuse = self._refuse.get(details.method)
        return (refuse and refuse()) or self._handlers.get(details.method)

    async def wait_idle(self) -> None:
        """Waits until no call is open."""
        await self._idle.wait()

    def unary(
        self,
        name: str,
        perform: Callable[[Request], Awaitable[Message]],
        decode: Callable[[bytes], Request],
        refuse: Refuse | None = None,
    ) -> None:
        """Adds a method with one request and one response."""
        if refuse is not None:
            self._refuse[self._path(name)] = refuse

        def call(request: Request, _context: Context) -> Awaitable[Message]:
            return perform(request)

        handle = self._handle(name, _with_valid_request(call))
        self._handlers[self._path(name)] = grpc.unary_unary_rpc_method_handler(handle, deserializer(decode), _encode)

    def server_stream(
        self, name: str, perform: Callable[[Request, Context], Awaitable[None]], decode: Callable[[bytes], Request]
    ) -> None:
        """Adds a method with one request, which writes its responses to the context."""
        handle = self._handle(name, _with_valid_request(perform))
        self._handlers[self._path(name)] = grpc.unary_stream_rpc_method_handler(handle, deserializer(decode), _encode)

    def bidirectional_stream(
        self,
        name: str,
        perform: Callable[[AsyncIterator[Request | RequestRefused], Context], Awaitable[None]],
        decode: Callable[[bytes], Request],
    ) -> None:
        """Adds a method with a stream of requests, which writes its responses to the context.

        A malformed message is an item of the stream: the method responds to those before it, then raises it.
        """
        handle = self._handle(name, perform)
        self._handlers[self._path(name)] = grpc.stream_stream_rpc_method_handler(handle, deserializer(decode), _encode)

    def _path(self, name: str) -> str:
        return f"/{self._service}/{name}"

    def _handle(self, name: str, method: Method) -> Callable[[Any, Context], Awaitable[Any]]:
        for interceptor in reversed(self._interceptors):
            method = interceptor(name, method)

        async def handle(request: Any, context: Context) -> Message | None:  # noqa: ANN401 - the request of any method
            self._open_calls += 1
            self._idle.clear()
            outcome = "UNKNOWN"
            try:
                response = await method(request, context)
                outcome = "OK"
            except IntercomdError as error:
                code, message, trailers = grpc_status_of(error)
                outcome = code.name
                await end_call(context, code, message, trailers)
                # Its frames may hold the error itself, as a request that could not be decoded.
                error.__traceback__ = None
                return None
            except asyncio.CancelledError:
                outcome = "CANCELLED"
                raise
            else:
                return response
            finally:
                self._on_call(name, outcome)
                self._open_calls -= 1
                if not self._open_calls:
                    self._idle.set()

        return handle


def _ignore_call(_name: str, _code: str) -> None:
    pass


def deserializer(decode: Callable[[bytes], Request]) -> Callable[[bytes], Request | RequestRefused | QuotaExceeded]:
    """Returns a deserializer that returns its error: gRPC ends a call as UNKNOWN if its deserializer raises.

    `decode` raises DecodeError or RequestRefused, which both become INVALID_ARGUMENT, or QuotaExceeded.
    """

    def deserialize(data: bytes) -> Request | RequestRefused | QuotaExceeded:
        try:
            return decode(data)
        except QuotaExceeded as error:
            return error
        except RequestRefused as error:
            refused = error
        except DecodeError as error:
            refused = RequestRefused("", f"the request cannot be decoded: {error}")
        refused.size_bytes = len(data)
        return refused

    return deserialize


def _with_valid_request(perform: Callable[[Request, Context], Awaitable[Any]]) -> Method:
    def method(request: Request | IntercomdError, context: Context) -> Awaitable[Any]:
        if isinstance(request, IntercomdError):
            raise request
        return perform(request, context)

    return method


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
