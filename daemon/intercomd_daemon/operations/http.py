"""Health, readiness and metrics over HTTP: GET and HEAD, read-only, without personal data.

Ready means that calls are answered: neither an outage of Intercom nor a full spool fails it. Live means progress.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from types import MappingProxyType

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from intercomd_daemon import unix_socket
from intercomd_daemon.operations.daemon import Observed, State
from intercomd_daemon.operations.door import Door
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
"""On every answer: none is to be kept, framed, guessed at or read by another site's page."""
_HTTP_LOGGER = "aiohttp.server"
_CLOSE_SECONDS = 1.0
"""For answers that are being written when the listener closes; each takes milliseconds."""


class HealthPages:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, observed: Observed, registry: CollectorRegistry) -> None:
        """`registry` holds all that `/metrics` shows."""
        self._observed = observed
        self._registry = registry

    def add_to(self, application: web.Application) -> None:
        """Adds the three to an application; each also answers HEAD."""
        application.router.add_get("/healthz", self.healthz)
        application.router.add_get("/readyz", self.readyz)
        application.router.add_get("/metrics", self.metrics)

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while every part moves, else 503; says which do."""
        checks = self._observed.checks()
        alive = all(check.moves for check in checks)
        return _json(alive, {"alive": alive, "checks": [check._asdict() for check in checks]})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while calls are answered, else 503; says how the connections stand, which changes nothing about that."""
        state = self._observed.state()
        ready = state is State.SERVING
        connections = {status.name: status.state.name.lower() for status in self._observed.statuses()}
        return _json(ready, {"ready": ready, "state": state.name.lower(), "connections": connections})

    async def metrics(self, _request: web.Request) -> web.Response:
        """The registry in Prometheus' text format, which every scraper reads."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def health_application(observed: Observed, registry: CollectorRegistry) -> web.Application:
    """What answers on the operations address, and alone on the health addresses."""
    application = web.Application()
    HealthPages(observed, registry).add_to(application)
    application.on_response_prepare.append(_harden)
    return application


class HttpListener:
    """An application that is being served."""

    def __init__(self, runner: web.AppRunner) -> None:
        """`runner` is set up."""
        self._runner = runner
        self._servers: list[asyncio.Server] = []
        self._files: list[SocketFile] = []
        self.addresses: tuple[str, ...] = ()
        """Where it answers, ports as the system gave them."""

    async def listen(self, door: Door, address: str, access: unix_socket.Access) -> None:
        """Listens on one more address."""
        loop = asyncio.get_running_loop()
        if address.startswith(unix_socket.SCHEME):
            listening, file = unix_socket.listening_socket(address, access)
            self._files.append(file)
            self._servers.append(await loop.create_unix_server(door, sock=listening))
            self.addresses += (address,)
            return
        host, _, port = address.rpartition(":")
        try:
            server = await loop.create_server(door, host.strip("[]"), int(port))
        except OSError as error:
            # asyncio's own text names the address as a tuple, and an unknown host has no number of the system's.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
            raise OSError(error.errno or 0, reason, address) from error
        self._servers.append(server)
        self.addresses += tuple(_written(listening.getsockname()) for listening in server.sockets)

    async def close(self) -> None:
        """Takes no more connections, and closes those that are open."""
        for file in self._files:
            file.remove()
        for server in self._servers:
            server.close()
        await self._runner.cleanup()


async def listen_http(
    application: web.Application, addresses: Sequence[str], access: unix_socket.Access | None = None
) -> HttpListener:
    """Serves an application on addresses of the form `host:port`, `[host]:port` or `unix:/path`.

    Raises:
        OSError: an address, its `filename`, cannot be had; nothing is served then.
    """
    logging.getLogger(_HTTP_LOGGER).addFilter(_is_a_fault)
    # Access logs tell nothing that the metrics don't, several times a minute.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_SECONDS)
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - it is what the set-up makes
    door = Door(runner.server)
    listener = HttpListener(runner)
    try:
        for address in addresses:
            await listener.listen(door, address, access or unix_socket.Access())
    except BaseException:
        await listener.close()
        raise
    return listener


def _written(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _json(well: bool, body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", status=200 if well else 503)


def _is_a_fault(record: logging.LogRecord) -> bool:
    """What is no HTTP is the caller's fault, who is answered 400: aiohttp would write an error with its stack."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
