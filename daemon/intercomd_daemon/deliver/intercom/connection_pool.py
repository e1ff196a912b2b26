"""The connections to Intercom: aiohttp's pool, without its session.

A call is one write and one response, without redirects, cookies and repeats. aiohttp's session prepares all of these
for each call, which takes half of its processor time.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from functools import partial

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from intercomd_daemon.deliver.intercom.call_protocol import CallProtocol, RawResponse
from intercomd_daemon.deliver.intercom.time_limit import TimeLimit

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What `exchange` raises. A timeout is an OSError."""
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS)


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
        """`check` is called before the first byte of a call is sent; it raises if the call must not be made."""
        super().__init__(limit=connections_max, ttl_dns_cache=60, ssl=tls)
        protocol: Callable[..., ResponseHandler] = CallProtocol
        self._factory = partial(protocol, loop=self._loop)
        self.host = url.host_port_subcomponent or ""
        """The value of the header `Host`."""
        self._check = check
        self._time_limit = TimeLimit[CallProtocol]()
        self._free: list[Connection] = []
        """The connections of calls that have ended in this pass of the event loop.

        While calls wait, one leaves after each response and takes its connection, which costs less than aiohttp's pool.
        """
        self._releases = False
        """Whether `_release_free` will be called when this pass ends."""
        # The pool finds connections by the proxy's headers, and adds `Host` to them when it opens one.
        self._connect_request = aiohttp.ClientRequest(
            hdrs.METH_GET,
            url,
            loop=self._loop,
            proxy=proxy,
            proxy_headers={hdrs.HOST: self.host, **proxy_headers} if proxy else None,
        )

    async def exchange(self, request: bytes, body_bytes_max: int, *, must_end: bool) -> RawResponse:
        """Sends a request and returns the response, with its body up to a limit.

        `must_end`: a body that breaks off is a failure, too. The result of a write is known from its status alone.

        Raises:
            TimeoutError: the call took longer than CALL_SECONDS, or connecting longer than CONNECT_SECONDS.
            ClientError, HttpProcessingError, OSError: there is no response.
        """
        end = self._loop.time() + CALL_SECONDS
        connection = self._take_free() or await self._connect(end)
        protocol = _protocol(connection)
        self._time_limit.start(protocol, end)
        try:
            self._check()
            response = await protocol.call(request, body_bytes_max, must_end=must_end)
        except BaseException:
            _drop(connection)
            raise
        finally:
            self._time_limit.stop(protocol)
        if response.complete:
            self._give_back(connection)
        else:
            _drop(connection)
        return response

    async def end(self) -> None:
        """Closes the connections. Of open calls, bytes that were not sent yet are dropped."""
        for protocol in self._time_limit.calls:
            protocol.abort()
        self._release_free()
        await self.close()

    def _take_free(self) -> Connection | None:
        """Returns a connection of a call that has ended in this pass of the event loop, if one is open and free."""
        while self._free:
            connection = self._free.pop()
            if _is_clean(connection):
                return connection
            connection.release()  # closes it
        return None

    async def _connect(self, end: float) -> Connection:
        """Returns a connection of aiohttp's pool, or a new one, before this time of the event loop."""
        async with asyncio.timeout_at(end):
            connection = await self.connect(self._connect_request, [], _TIMEOUT)
        if not _is_clean(connection):
            _drop(connection)
            raise aiohttp.ServerDisconnectedError
        return connection

    def _give_back(self, connection: Connection) -> None:
        """Lets other calls use a connection, unless it is closing or a part of the request was not sent."""
        transport = connection.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            # The host has responded before it had the whole request, and may not read the rest. Over TLS, asyncio does
            # not count bytes that are already encrypted; a call that follows them may take until its deadline.
            _drop(connection)
        else:
            self._free.append(connection)
            if not self._releases:
                self._releases = True
                self._loop.call_soon(self._release_free)

    def _release_free(self) -> None:
        """Gives the connections that no call has taken back to aiohttp's pool.

        It closes those whose response was not read to its end or allows no other to follow, and later those that are
        not used.
        """
        self._releases = False
        while self._free:
            self._free.pop().release()


def _is_clean(connection: Connection) -> bool:
    """Whether a connection is open, its last response was read to its end, and nothing has arrived since.

    Bytes that arrive before a request would be taken for its response.
    """
    protocol = connection.protocol
    return protocol is not None and not connection.closed and not protocol.should_close


def _protocol(connection: Connection) -> CallProtocol:
    protocol = connection.protocol
    if not isinstance(protocol, CallProtocol):
        raise aiohttp.ServerDisconnectedError
    return protocol


def _drop(connection: Connection) -> None:
    """Closes a connection at once. An orderly close waits until the host has read the rest of the request."""
    if connection.transport is not None:
        connection.transport.abort()
    connection.close()
