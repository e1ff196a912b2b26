"""The HTTP session with Intercom: sends one request and returns one response."""

import asyncio
import base64
import codecs
import os
import re
import ssl
import time
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy, istr

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.messages import Call, RateHeaders, Request, Response
from intercomd_daemon.deliver.intercom.proxy import Proxy, proxy_for
from intercomd_daemon.errors import IntercomdError

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
RESPONSE_BYTES_MAX = 1024 * 1024
ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024
# The status line decides before anything else is read: large headers do not undo a 202.
HEADER_BYTES_MAX = 64 * 1024
HEADERS_MAX = 1_000
_LIMIT, _REMAINING, _RESET = (istr(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))
_REQUEST_ID, _RETRY_AFTER, _DATE = map(istr, ("X-Request-Id", "Retry-After", "Date"))
_TYPE, _ENCODING = map(istr, ("Content-Type", "Content-Encoding"))
# Bytes that are not UTF-8 arrive as surrogates, which no record and no message can hold, and control characters would
# steer operators' terminals. RFC 9110, 5.5, limits new fields to "visible US-ASCII" characters.
_UNSAFE = re.compile(r"[^ -~]")
# RFC 9110, 15.5.8: "407 Proxy Authentication Required".
_PROXY_CREDENTIALS = 407
_BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)


class CertificatesUnusable(IntercomdError):
    """`ca_file` cannot be read or holds no certificates."""


class _Connector(aiohttp.TCPConnector):
    """Gets connections for calls that may be sent; aborts all of them."""

    def __init__(self, check: Callable[[], None], **options: Any) -> None:  # noqa: ANN401 - those of aiohttp
        super().__init__(**options)
        self._check = check
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """Gets a connection, which may take seconds; aiohttp writes the request right after this."""
        connection = await super().connect(req, traces, timeout)
        try:
            self._check()
        except BaseException:
            connection.close()
            raise
        if connection.transport is not None:
            self._transports.add(connection.transport)
        return connection

    def abort(self) -> None:
        """Closes all sockets at once; bytes that were not sent yet are dropped."""
        for transport in list(self._transports):
            transport.abort()


class IntercomClient:
    """An HTTP session for one connection; use as an asynchronous context."""

    def __init__(
        self,
        settings: ConnectionSettings,
        token: AccessToken,
        connections_max: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Reads `ca_file` and the variables of proxies.

        `check` raises an error that ends a call whose connection is there, but whose first byte must not be sent.

        Raises:
            ProxyInvalid: a variable does not name a proxy.
            CertificatesUnusable: `ca_file` cannot be read or holds no certificates.
        """
        self._settings = settings
        self._token = token
        self._token_used = ""
        self._connections_max = connections_max
        self._check = check
        self._connector: _Connector | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = settings.url
        self._proxy = proxy_for(self._url, settings.proxy.reveal(), os.environ)
        self._proxy_headers = _credentials(self._proxy)
        uses_tls = self._url.startswith("https:")
        # Loading the trusted certificates takes about 1 MiB. A ca_file is checked in any case.
        self._tls = _tls(settings) if uses_tls or settings.ca_file else True

    async def __aenter__(self) -> Self:
        self._connector = _Connector(self._check, limit=self._connections_max, ttl_dns_cache=60, ssl=self._tls)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=CONNECT_SECONDS),
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            # A body in an encoding that was not requested does not undo a 202: it is decoded later, where possible.
            auto_decompress=False,
            headers={
                "Accept-Encoding": "identity",
                # Without these two Intercom responds 406 (I2).
                "Accept": "application/json",
                "Content-Type": "application/json",
                "Intercom-Version": self._settings.api_version,
                "User-Agent": "intercomd",
            },
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None and self._connector is not None:
            if kind is not None:
                self._connector.abort()
            await self._session.close()
            self._session = None

    def token_replaced(self) -> bool:
        """Returns whether the token is another one than the last call was made with."""
        return self._token.current() != self._token_used

    async def call(self, request: Request) -> Response:
        """Makes one call; a failure of the network becomes a response of status 0."""
        if self._session is None:
            return Response(0, failure="the session is closed")
        token = self._token_used = self._token.current()
        if not token:
            return Response(0, failure=self._token.problem)
        limit = ATTRIBUTES_BYTES_MAX if request.call is Call.LIST_ATTRIBUTES else RESPONSE_BYTES_MAX
        try:
            async with self._session.request(
                request.call.method,
                self._url + request.path,
                data=request.body or None,
                # Not a header of the session: aiohttp sends those to a proxy, too.
                headers={"Authorization": f"Bearer {token}"},
                allow_redirects=False,
                proxy=self._proxy.url if self._proxy else None,
                proxy_headers=self._proxy_headers,
                middlewares=_ONCE if request.call.repeatable else (),
            ) as response:
                body, complete = await _body(response, limit, must_end=request.call.reads)
                body = _decoded(body, response.headers.get(_ENCODING, ""), limit)
                body = body.removeprefix(codecs.BOM_UTF8)
                return _response(response.status, response.headers, body, complete=complete)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ssl.SSLError, ValueError) as error:
            # A timeout is an OSError. A ValueError is a response that is not HTTP, or a token that headers cannot hold.
            # Of a response with malformed headers, such as two lengths, aiohttp's parser does not pass on the status,
            # and no option makes it lenient. So even a 202 is repeated. Intercom recognizes the event by its time.
            return Response(0, failure=_describe_proxy(error) or _describe(error))


def _tls(settings: ConnectionSettings) -> ssl.SSLContext:
    # This also loads the file that OpenSSL's own variable SSL_CERT_FILE names.
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(cafile=settings.ca_file)
        except OSError as error:  # ssl.SSLError is one.
            reason = "it holds no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            key, fix = f"connections.{settings.name}.ca_file", "put certificates in PEM there, readable for the daemon"
            raise CertificatesUnusable(f"{key}: {settings.ca_file} cannot be used ({reason}); {fix}") from error
    return context


def _credentials(proxy: Proxy | None) -> dict[str, str] | None:
    if proxy is None or not proxy.user:
        return None
    # RFC 7617: "base64(user-id ":" password)"
    pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {pair}"}


class _BrokenError(aiohttp.ClientError):
    """The connection broke during a call that aiohttp would repeat."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a GET or a PUT whose connection broke: the rate limit would not count that call."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise  # Never repeated.
    except _BROKEN as error:
        raise _BrokenError from error


_ONCE = (_once,)


async def _body(response: aiohttp.ClientResponse, limit: int, *, must_end: bool) -> tuple[bytes, bool]:
    """Returns the body up to the limit, and whether it did not break off before. That of a read must not.

    For a write the status may show the result all the same.
    """
    body, complete = bytearray(), True
    try:
        while not response.content.at_eof():
            body += await response.content.readany()
            if len(body) >= limit:
                response.close()
                break
    except (aiohttp.ClientError, HttpProcessingError, OSError):
        response.close()
        if must_end:
            raise
        complete = False
    return bytes(body[:limit]), complete


def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Returns the body of a server that compresses although `identity` was requested; unchanged if it is damaged."""
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, limit)
    except zlib.error:
        return body


def _response(status: int, headers: CIMultiDictProxy[str], body: bytes, *, complete: bool) -> Response:
    rate = None
    limit, remaining, reset = _number(headers, _LIMIT), _number(headers, _REMAINING), _number(headers, _RESET)
    if limit is not None and remaining is not None and reset is not None:
        rate = RateHeaders(int(limit), int(remaining), reset)
    return Response(
        status,
        body,
        request_id=_UNSAFE.sub("?", headers.get(_REQUEST_ID, "")[:128]),
        rate=rate,
        retry_after_seconds=_retry_after(headers),
        date=_date(headers.get(_DATE, "")),
        html="html" in headers.get(_TYPE, "").lower(),
        complete=complete,
    )


def _number(headers: CIMultiDictProxy[str], name: str) -> float | None:
    text = headers.get(name, "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _retry_after(headers: CIMultiDictProxy[str]) -> float | None:
    """`Retry-After` in seconds. An HTTP date counts from the response's own `Date` (RFC 9110, 10.2.3)."""
    if _RETRY_AFTER not in headers:
        return None
    seconds = _number(headers, _RETRY_AFTER)
    if seconds is not None:
        return seconds
    at = _date(headers.get(_RETRY_AFTER, ""))
    if at is None:
        return None
    sent = _date(headers.get(_DATE, ""))
    return max(0.0, at - (time.time() if sent is None else sent))


@lru_cache(maxsize=8)  # Many responses share a second, and so the text.
def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _describe_proxy(error: Exception) -> str:
    """Returns what failed at the proxy; empty if the failure is another one."""
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy cannot be reached"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        advice = ": put the user and the password for it into its URL" if error.status == _PROXY_CREDENTIALS else ""
        return f"the proxy responded {error.status}{advice}"
    return ""


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the TLS certificate was not accepted"
    if isinstance(error, ssl.SSLError):
        return "TLS could not be set up"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host is unknown"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the host cannot be reached"
    if isinstance(error, (_BrokenError, *_BROKEN, aiohttp.ClientPayloadError)):
        return "the connection broke"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the response is not valid HTTP"
    return type(error).__name__
