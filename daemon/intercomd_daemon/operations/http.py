"""Health, readiness and metrics over HTTP: GET and HEAD, read-only, without personal data.

Live: every part of the daemon makes progress. Ready: calls are answered; an outage of Intercom or a full spool does not
change that.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from types import MappingProxyType

import msgspec
from aiohttp.http_exceptions import HttpProcessingError

# The low-level server. `aiohttp.web` would load applications, routes, files and argparse: 1 MiB of every daemon.
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse
from aiohttp.web_server import Server
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from intercomd_daemon import unix_socket
from intercomd_daemon.operations.connection_limiter import ConnectionLimiter
from intercomd_daemon.operations.daemon_control import DaemonState, DaemonStatus
from intercomd_daemon.unix_socket import SocketFile

HEADERS = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Server": "intercomd",
    }
)
"""Sent with every response: no caching, framing, content sniffing or reading by another site's page."""
_HTTP_LOGGER = "aiohttp.server"
_CLOSE_SECONDS = 1.0
"""Time for responses in progress when the listener closes; each takes milliseconds."""


Handler = Callable[[BaseRequest], Awaitable[Response]]
Authenticate = Callable[[Handler], Handler]
"""Puts a handler behind a credential."""
_METHODS = ("GET", "HEAD")
_INDEX = """intercomd

/healthz  200 while every part works
/readyz   200 while calls are accepted
/metrics  metrics in Prometheus' text format
"""


class HealthPages:
    """`/healthz`, `/readyz`, `/metrics`, and `/`, which lists them."""

    def __init__(
        self, status: DaemonStatus, registry: CollectorRegistry, authenticate: Authenticate | None = None
    ) -> None:
        """`registry` holds the metrics that `/metrics` shows; `authenticate` puts a handler behind a credential."""
        self._status = status
        self._registry = registry
        authenticate = authenticate or _open
        self._pages = MappingProxyType(
            {
                "/": authenticate(self.index),
                "/healthz": self.healthz,
                "/readyz": self.readyz,
                "/metrics": authenticate(self.metrics),
            }
        )
        # Other paths need a credential too, so that a refusal does not tell which ones exist.
        self._refuse = authenticate(self.not_found)

    async def respond(self, request: BaseRequest) -> Response:
        """Returns the response of a page, or a refusal. aiohttp leaves out the body of the response to HEAD."""
        page = self._pages.get(request.path) if request.method in _METHODS else None
        return await (page or self._refuse)(request)

    async def index(self, _request: BaseRequest) -> Response:
        """Returns the pages that exist here, for a person who opens the address."""
        return Response(text=_INDEX)

    async def not_found(self, request: BaseRequest) -> Response:
        """Returns 404, or 405 for another method of a page."""
        if request.path in self._pages:
            return Response(status=405, headers={"Allow": ",".join(_METHODS)}, text="405: Method Not Allowed")
        return Response(status=404, text="404: Not Found")

    async def healthz(self, _request: BaseRequest) -> Response:
        """Returns 200 while every part is alive, else 503, and lists the parts."""
        checks = self._status.checks()
        alive = all(check.moves for check in checks)
        return _json(alive, {"alive": alive, "checks": [check._asdict() for check in checks]})

    async def readyz(self, _request: BaseRequest) -> Response:
        """Returns 200 while calls are answered, else 503, and lists the connections' states, which do not affect it."""
        state = self._status.state()
        ready = state is DaemonState.SERVING
        connections = {status.name: status.state.name.lower() for status in self._status.statuses()}
        return _json(ready, {"ready": ready, "state": state.name.lower(), "connections": connections})

    async def metrics(self, _request: BaseRequest) -> Response:
        """Returns the registry in Prometheus' text format."""
        return Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class HttpListener:
    """An HTTP server with one or more addresses."""

    def __init__(self, handle: Handler) -> None:
        """`handle` responds to every request."""
        # No access log: probes and scrapers call several times a minute.
        self._server = _Server(_hardened(handle), access_log=None)
        self._limiter = ConnectionLimiter(self._server)
        self._servers: list[asyncio.Server] = []
        self._files: list[SocketFile] = []
        self.addresses: tuple[str, ...] = ()
        """Bound addresses, with the ports that the system chose."""

    async def listen(
        self, address: str, access: unix_socket.SocketPermissions, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        """Listens on one more address; `tls` returns the context of each new TCP connection."""
        loop = asyncio.get_running_loop()
        if address.startswith(unix_socket.SCHEME):
            listening, file = unix_socket.listening_socket(address, access)
            self._files.append(file)
            self._servers.append(await loop.create_unix_server(self._limiter, sock=listening))
            self.addresses += (address,)
            return
        host, _, port = address.rpartition(":")
        try:
            accept = self._limiter if tls is None else self._limiter.with_tls(tls)
            server = await loop.create_server(accept, host.strip("[]"), int(port))
        except OSError as error:
            # asyncio's message shows the address as a tuple, and a failed look-up of a host has no positive errno.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
            raise OSError(error.errno or 0, reason, address) from error
        self._servers.append(server)
        self.addresses += tuple(_host_port(listening.getsockname()) for listening in server.sockets)

    async def close(self) -> None:
        """Stops accepting connections and closes the open ones."""
        for file in self._files:
            file.remove()
        for server in self._servers:
            server.close()
        for handshake in self._limiter.handshakes:
            handshake.cancel()
        await asyncio.sleep(0)  # Requests that have arrived start, so that their connections do not close as idle ones.
        self._server.pre_shutdown()
        await self._server.shutdown(_CLOSE_SECONDS)


async def listen_http(
    handle: Handler,
    addresses: Sequence[str],
    access: unix_socket.SocketPermissions | None = None,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> HttpListener:
    """Serves HTTP on addresses of the form `host:port`, `[host]:port` or `unix:/path`.

    `tls` returns the context of each new TCP connection; None: plain text.

    Raises:
        OSError: an address, its `filename`, cannot be bound; then no address is served.
    """
    logging.getLogger(_HTTP_LOGGER).addFilter(_is_server_error)
    listener = HttpListener(handle)
    try:
        for address in addresses:
            await listener.listen(address, access or unix_socket.SocketPermissions(), tls)
    except BaseException:
        await listener.close()
        raise
    return listener


class _HttpConnection(RequestHandler):
    """Adds HEADERS to the responses to malformed requests, which reach no handler."""

    __slots__ = ()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """Returns aiohttp's response without the name of its version."""
        response = super().handle_error(request, status, exc, message)
        response.headers.update(HEADERS)
        return response


class _Server(Server):
    """Makes the connections above."""

    def __call__(self) -> RequestHandler:
        return _HttpConnection(self, loop=self._loop, **self._kwargs)


def _open(handler: Handler) -> Handler:
    return handler


def _host_port(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _json(ok: bool, body: object) -> Response:
    return Response(body=msgspec.json.encode(body), content_type="application/json", status=200 if ok else 503)


def _is_server_error(record: logging.LogRecord) -> bool:
    """Suppresses errors about malformed HTTP: the client gets a 400, and aiohttp would log a stack for each."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def _hardened(handle: Handler) -> Handler:
    """Adds HEADERS to every response, also to that of an error, which would name aiohttp's version."""

    async def respond(request: BaseRequest) -> Response:
        try:
            response = await handle(request)
        except Exception:  # top level: the daemon keeps serving the other pages
            logging.getLogger(_HTTP_LOGGER).exception("Error handling %s %s", request.method, request.path)
            response = Response(status=500, text="500: Internal Server Error")
        response.headers.update(HEADERS)
        return response

    return respond
