"""Health, readiness and metrics over HTTP: GET and HEAD, read-only, without personal data.

Live: every part of the daemon makes progress. Ready: calls are answered; an outage of Intercom or a full spool does not
change that.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Sequence
from types import MappingProxyType

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
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


Authenticate = Callable[[Handler], Handler]
"""Puts a handler behind a credential."""
_PAGES = frozenset({"/", "/healthz", "/readyz", "/metrics"})
_INDEX = """intercomd

/healthz  200 while every part works
/readyz   200 while calls are accepted
/metrics  metrics in Prometheus' text format
"""


class HealthPages:
    """`/healthz`, `/readyz`, `/metrics`, and `/`, which lists them."""

    def __init__(
        self, daemon: DaemonStatus, registry: CollectorRegistry, authenticate: Authenticate | None = None
    ) -> None:
        """`registry` holds the metrics that `/metrics` shows; `authenticate` puts a handler behind a credential."""
        self._daemon = daemon
        self._registry = registry
        self._authenticate = authenticate

    def add_to(self, application: web.Application) -> None:
        """Adds the pages to an application; aiohttp answers HEAD for each as well."""
        authenticate = self._authenticate or _open
        application.router.add_get("/healthz", self.healthz)
        application.router.add_get("/readyz", self.readyz)
        application.router.add_get("/", authenticate(self.index))
        application.router.add_get("/metrics", authenticate(self.metrics))
        if self._authenticate is not None:
            # Other paths need a credential too, so that a refusal does not tell which ones exist.
            application.router.add_route("*", "/{path:.*}", authenticate(self.not_found))

    async def index(self, _request: web.Request) -> web.Response:
        """Returns the pages that exist here, for a person who opens the address."""
        return web.Response(text=_INDEX)

    async def not_found(self, request: web.Request) -> web.Response:
        """Returns 404, or 405 for another method of a page."""
        if request.path in _PAGES:
            return web.Response(status=405, headers={"Allow": "GET,HEAD"}, text="405: Method Not Allowed")
        return web.Response(status=404, text="404: Not Found")

    async def healthz(self, _request: web.Request) -> web.Response:
        """Returns 200 while every part is alive, else 503, and lists the parts."""
        checks = self._daemon.checks()
        alive = all(check.moves for check in checks)
        return _json(alive, {"alive": alive, "checks": [check._asdict() for check in checks]})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Returns 200 while calls are answered, else 503, and lists the connections' states, which do not affect it."""
        state = self._daemon.state()
        ready = state is DaemonState.SERVING
        connections = {status.name: status.state.name.lower() for status in self._daemon.statuses()}
        return _json(ready, {"ready": ready, "state": state.name.lower(), "connections": connections})

    async def metrics(self, _request: web.Request) -> web.Response:
        """Returns the registry in Prometheus' text format."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def health_application(
    daemon: DaemonStatus, registry: CollectorRegistry, authenticate: Authenticate | None = None
) -> web.Application:
    """Returns the application of the operations and health addresses; without `authenticate` every page is open."""
    application = web.Application()
    HealthPages(daemon, registry, authenticate).add_to(application)
    application.on_response_prepare.append(_harden)
    return application


class HttpListener:
    """An HTTP server with one or more addresses."""

    def __init__(self, runner: web.AppRunner) -> None:
        """`runner` has been set up."""
        assert runner.server is not None  # noqa: S101 - set by `setup`
        self._runner = runner
        self._limiter = ConnectionLimiter(runner.server)
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
        await self._runner.cleanup()


async def listen_http(
    application: web.Application,
    addresses: Sequence[str],
    access: unix_socket.SocketPermissions | None = None,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> HttpListener:
    """Serves an application on addresses of the form `host:port`, `[host]:port` or `unix:/path`.

    `tls` returns the context of each new TCP connection; None: plain text.

    Raises:
        OSError: an address, its `filename`, cannot be bound; then no address is served.
    """
    logging.getLogger(_HTTP_LOGGER).addFilter(_is_server_error)
    # No access log: probes and scrapers call several times a minute.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_SECONDS)
    await runner.setup()
    listener = HttpListener(runner)
    try:
        for address in addresses:
            await listener.listen(address, access or unix_socket.SocketPermissions(), tls)
    except BaseException:
        await listener.close()
        raise
    return listener


def _open(handler: Handler) -> Handler:
    return handler


def _host_port(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _json(ok: bool, body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", status=200 if ok else 503)


def _is_server_error(record: logging.LogRecord) -> bool:
    """Suppresses errors about malformed HTTP: the client gets a 400, and aiohttp would log a stack for each."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
