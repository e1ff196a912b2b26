"""The connections to Intercom: aiohttp's pool and parser, without its session.

A call is one write and one response, without redirects, cookies and repeats. aiohttp's session prepares all of these
for each call, which takes half of its processor time.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
# The status line decides before anything else is read: large headers do not undo a 202.
HEADER_BYTES_MAX = 64 * 1024
HEADERS_MAX = 1_000
FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What `exchange` raises. A timeout is an OSError."""
_READ_BYTES = 64 * 1024
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS)
_SWITCHING_PROTOCOLS = 101
_CONTINUE, _OK = 100, 200


class RawResponse(NamedTuple):
    """A response as it arrived."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    complete: bool
    """Whether the body arrived as a whole, or up to the bytes that were wanted; else it broke off."""


class OpenCall:
    """A call whose time runs."""

    __slots__ = ("deadline", "timed_out", "transport")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.transport: asyncio.Transport | None = None
        """What the deadline aborts, once there is a connection."""
        self.timed_out = False

    def on_connected(self, transport: asyncio.Transport | None) -> None:
        """Takes the connection, which the deadline aborts.

        Raises:
            TimeoutError: the deadline has passed.
        """
        if self.timed_out:
            raise TimeoutError
        self.transport = transport


class Deadlines:
    """Aborts the connections of calls that take longer than CALL_SECONDS.

    Calls reach their deadlines in the order in which they started, so one timer is enough for all.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: dict[OpenCall, None] = {}
        """The calls that have not ended, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> OpenCall:
        """Starts the time of a call."""
        call = OpenCall(self._loop.time() + CALL_SECONDS)
        self._calls[call] = None
        if self._timer is None:
            self._timer = self._loop.call_at(call.deadline, self._abort_late_calls)
        return call

    def end(self, call: OpenCall) -> None:
        """Ends the time of a call, which may have timed out."""
        self._calls.pop(call, None)

    def close(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _abort_late_calls(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call in list(self._calls):
            if call.deadline > now:
                self._timer = self._loop.call_at(call.deadline, self._abort_late_calls)
                return
            del self._calls[call]
            call.timed_out = True
            if call.transport is not None:
                call.transport.abort()


class ConnectionPool(aiohttp.TCPConnector):
    """The connections to one host, perhaps through a proxy."""

    def __init__(
        self,
        url: URL,
        *,
        proxy: URL | None,
        proxy_headers: Mapping[str, str],
        tls: ssl.SSLContext | bool,
        connections_max: int,
        check: Callable[[], None],
    ) -> None:
        """`check` raises an error that ends a call whose connection is there, but whose first byte must not be sent."""
        super().__init__(limit=connections_max, ttl_dns_cache=60, ssl=tls)
        self.host = url.host_port_subcomponent or ""
        """The value of the header `Host`."""
        self._check = check
        self._deadlines = Deadlines()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        # The pool finds connections by the proxy's headers, and adds `Host` to them when it opens one.
        self._initiator = aiohttp.ClientRequest(
            hdrs.METH_GET,
            url,
            loop=asyncio.get_running_loop(),
            proxy=proxy,
            proxy_headers={hdrs.HOST: self.host, **proxy_headers} if proxy else None,
        )

    async def exchange(self, request: bytes, body_bytes_max: int, *, must_end: bool) -> RawResponse:
        """Sends a request and returns the response, with its body up to a limit.

        `must_end`: a body that breaks off is a failure, too. For a write the status may show the result all the same.

        Raises:
            TimeoutError: the call took longer than CALL_SECONDS, or connecting longer than CONNECT_SECONDS.
            ClientError, HttpProcessingError, OSError: there is no response.
        """
        call = self._deadlines.start()
        try:
            return await self._exchange(call, request, body_bytes_max, must_end=must_end)
        except FAILURES as error:
            if call.timed_out:
                raise TimeoutError from error
            raise
        finally:
            self._deadlines.end(call)

    async def _exchange(self, call: OpenCall, request: bytes, body_bytes_max: int, *, must_end: bool) -> RawResponse:
        connection = await self.connect(self._initiator, [], _TIMEOUT)
        try:
            self._check()
            call.on_connected(connection.transport)
            response = await _send(connection, request, body_bytes_max, must_end=must_end)
        except BaseException:
            connection.close()
            raise
        # Closes the connection if the response was not read to its end, or if none can follow it.
        connection.release()
        return response

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> ResponseHandler:
        """Opens a connection. A call has to wait for the host's name, a proxy and TLS, too, so its timeout applies."""
        async with asyncio.timeout(CALL_SECONDS):
            protocol = await super()._create_connection(req, traces, timeout)
        protocol.set_response_params(
            read_until_eof=True,
            # A body in an encoding that was not requested does not undo a 202: it is decoded later, where possible.
            auto_decompress=False,
            read_bufsize=_READ_BYTES,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        if protocol.transport is not None:
            self._transports.add(protocol.transport)
        return protocol

    def abort(self) -> None:
        """Closes all sockets at once; bytes that were not sent yet are dropped."""
        for transport in list(self._transports):
            transport.abort()

    async def end(self) -> None:
        """Closes the connections."""
        self._deadlines.close()
        await self.close()


async def _send(connection: Connection, request: bytes, body_bytes_max: int, *, must_end: bool) -> RawResponse:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    transport.write(request)
    message, content = await protocol.read()
    while _CONTINUE <= message.code < _OK and message.code != _SWITCHING_PROTOCOLS:
        message, content = await protocol.read()
    body, complete = await _body(content, body_bytes_max, must_end=must_end)
    if transport.get_write_buffer_size():
        # The host has responded before it had the whole request, and may not read the rest.
        transport.abort()
        connection.close()
    return RawResponse(message.code, message.headers, body, complete)


async def _body(content: StreamReader, limit: int, *, must_end: bool) -> tuple[bytes, bool]:
    """Returns the body up to the limit, and whether it did not break off before."""
    body = bytearray()
    try:
        if content.is_eof():
            return content.read_nowait()[:limit], True
        while len(body) < limit and not content.at_eof():
            body += await content.readany()
    except FAILURES:
        if must_end:
            raise
        return bytes(body[:limit]), False
    return bytes(body[:limit]), True
