"""The HTTP client for Intercom: sends one request and returns one response."""

import base64
import codecs
import os
import re
import ssl
import time
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy, istr
from yarl import URL

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.call_protocol import RawResponse, check_parser
from intercomd_daemon.deliver.intercom.connection_pool import FAILURES, ConnectionPool
from intercomd_daemon.deliver.intercom.messages import Call, RateHeaders, Request, Response
from intercomd_daemon.deliver.intercom.proxy import Proxy, proxy_for
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.watched_file import FileUnusable, check_regular

RESPONSE_BYTES_MAX = 1024 * 1024
ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024
_LIMIT, _REMAINING, _RESET = (istr(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))
_REQUEST_ID, _RETRY_AFTER, _DATE = map(istr, ("X-Request-Id", "Retry-After", "Date"))
_TYPE, _ENCODING = map(istr, ("Content-Type", "Content-Encoding"))
# Bytes that are not UTF-8 arrive as surrogates, which no record and no message can hold, and control characters would
# steer operators' terminals. RFC 9110, 5.5, limits new fields to "visible US-ASCII" characters.
_UNSAFE = re.compile(r"[^ -~]")
# Longer numbers are not used.
_DIGITS_MAX = 16
_USER_AGENT = "intercomd"
# RFC 9110, 15.5.8: "407 Proxy Authentication Required".
_PROXY_CREDENTIALS = 407


class CertificatesUnusable(IntercomdError):
    """`ca_file` cannot be read or holds no certificates."""


class UrlUnusable(IntercomdError):
    """The URL of Intercom or of a proxy names no host that can be looked up."""


class IntercomClient:
    """Makes the calls of one connection; use as an asynchronous context manager."""

    def __init__(
        self,
        settings: ConnectionSettings,
        token: AccessToken,
        connections_max: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Reads `ca_file` and the variables of proxies.

        `check` is called before the first byte of a call is sent; it raises if the call must not be made.

        Raises:
            ProxyInvalid: a variable does not name a proxy.
            CertificatesUnusable: `ca_file` cannot be read or holds no certificates.
            UrlUnusable: `base_url` or the proxy cannot be called.
            ParserMissing: aiohttp has no parser in C.
        """
        check_parser()
        self._settings = settings
        self._token = token
        self._token_used = ""
        self._problem_seen = ""
        self._connections_max = connections_max
        self._check = check
        self._pool: ConnectionPool | None = None
        self._url = _parsed(settings.url, f"connections.{settings.name}.base_url")
        self._path = self._url.raw_path.rstrip("/")
        self._head = b""
        """The header lines of every call, with the token in use."""
        proxy = proxy_for(settings.url, settings.proxy.reveal(), os.environ)
        self._proxy = _parsed(proxy.url, "the proxy") if proxy else None
        self._proxy_headers = _headers_for(proxy)
        # A ca_file is checked in any case.
        self._tls = _tls(settings) if self._url.scheme == "https" or settings.ca_file else True

    async def __aenter__(self) -> Self:
        self._pool = ConnectionPool(
            self._url,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            tls=self._tls,
            connections_max=self._connections_max,
            check=self._check,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.end()

    def token_changed(self) -> bool:
        """Returns whether the token, or the problem with its file, is another one than at the last call."""
        return self._token.current() != self._token_used or self._token.problem != self._problem_seen

    async def call(self, request: Request) -> Response:
        """Makes one call; a failure of the network becomes a response of status 0."""
        if self._pool is None:
            return Response(0, failure="the client is closed")
        token = self._token.current()
        self._problem_seen = self._token.problem
        if not token:
            return Response(0, failure=self._token.problem)
        limit = ATTRIBUTES_BYTES_MAX if request.call is Call.LIST_ATTRIBUTES else RESPONSE_BYTES_MAX
        if token != self._token_used:
            self._token_used, self._head = token, self._head_with(token, self._pool.host)
        try:
            raw = await self._pool.exchange(self._encode(request), limit, must_end=request.call.reads)
            return _response(raw, limit)
        except (*FAILURES, ValueError) as error:
            # A ValueError is a response that is not HTTP.
            # Of a response with malformed headers, such as two lengths, aiohttp's parser does not pass on the status,
            # and no option makes it lenient. So even a 202 is repeated. Intercom recognizes the event by its time.
            return Response(0, failure=_describe_proxy(error) or _describe(error))

    def _head_with(self, token: str, host: str) -> bytes:
        """Returns the header lines that do not depend on the request. No value can contain a line break."""
        headers = {
            "Host": host,
            "Accept-Encoding": "identity",
            # Without these two Intercom responds 406 (I2).
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Intercom-Version": self._settings.api_version,
            "User-Agent": _USER_AGENT,
            "Authorization": f"Bearer {token}",
        }
        return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()

    def _encode(self, request: Request) -> bytes:
        """Returns the request as HTTP/1.1 has it."""
        line = f"{request.call.method} {self._path}{request.path} HTTP/1.1\r\n".encode()
        if request.call.reads:
            return b"%b%b\r\n" % (line, self._head)
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (line, self._head, len(request.body), request.body)


def _parsed(url: str, origin: str) -> URL:
    try:
        return URL(url)
    except ValueError as error:  # UnicodeError is one: a label of the host's name is empty or too long.
        raise UrlUnusable(f"{origin}: {url} cannot be called ({error}); write https://host") from error


def _tls(settings: ConnectionSettings) -> ssl.SSLContext:
    if not settings.ca_file:
        return _system_tls()
    context = ssl.create_default_context()
    key = f"connections.{settings.name}.ca_file"
    try:
        check_regular(settings.ca_file)
        context.load_verify_locations(cafile=settings.ca_file)
    except FileUnusable as error:
        raise CertificatesUnusable(f"{key}: {error}") from error
    except OSError as error:  # ssl.SSLError is one.
        reason = "it holds no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        fix = "put certificates in PEM there, readable for the daemon"
        raise CertificatesUnusable(f"{key}: {settings.ca_file} cannot be used ({reason}); {fix}") from error
    return context


@cache
def _system_tls() -> ssl.SSLContext:
    """Trusts the system's certificates, or those that OpenSSL's variable SSL_CERT_FILE names.

    All connections without a `ca_file` share it. It takes 1 MiB, and reading the certificates 20 ms.
    """
    return ssl.create_default_context()


def _headers_for(proxy: Proxy | None) -> dict[str, str]:
    # Without a name, aiohttp sends its own and its version.
    headers = {"User-Agent": _USER_AGENT}
    if proxy is not None and proxy.user:
        # RFC 7617: "base64(user-id ":" password)"
        pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {pair}"
    return headers


def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Returns the body of a server that compresses although `identity` was requested; unchanged if it is damaged."""
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, limit)
    except zlib.error:
        return body


def _response(raw: RawResponse, body_bytes_max: int) -> Response:
    """Reads what matters of a response."""
    headers = raw.headers
    body = raw.body
    html = False
    if body:
        body = _decoded(body, headers.get(_ENCODING, ""), body_bytes_max).removeprefix(codecs.BOM_UTF8)
        html = "html" in headers.get(_TYPE, "").lower()
    rate = None
    limit = _number(headers.get(_LIMIT, "")[:_DIGITS_MAX])
    remaining = _number(headers.get(_REMAINING, "")[:_DIGITS_MAX])
    reset = _number(headers.get(_RESET, "")[:_DIGITS_MAX])
    if limit is not None and remaining is not None and reset is not None:
        rate = RateHeaders(int(limit), int(remaining), reset)
    request_id = headers.get(_REQUEST_ID, "")[:128]
    return Response(
        raw.status,
        body,
        request_id=request_id if request_id.isascii() and request_id.isprintable() else _UNSAFE.sub("?", request_id),
        rate=rate,
        retry_after_seconds=_retry_after(headers),
        date=_date(headers.get(_DATE, "")),
        html=html,
        complete=raw.complete,
    )


@lru_cache(maxsize=256)  # Limits and resets repeat, and what remains of a limit repeats in each window.
def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX else None


def _retry_after(headers: CIMultiDictProxy[str]) -> float | None:
    """`Retry-After` in seconds. An HTTP date counts from the response's own `Date` (RFC 9110, 10.2.3)."""
    if _RETRY_AFTER not in headers:
        return None
    seconds = _number(headers.get(_RETRY_AFTER, "")[:_DIGITS_MAX])
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
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return "the response is not valid HTTP"
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return "the connection broke"
    return type(error).__name__
