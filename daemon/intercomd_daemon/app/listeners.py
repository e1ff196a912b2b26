"""The doors: the operations listeners, which open first and close last, and the ingest listener."""

import logging
from collections.abc import Sequence

import grpc
from prometheus_client import CollectorRegistry

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.ingest.service import SERVICE as INGEST_SERVICE
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.operations.daemon import Operated
from intercomd_daemon.operations.health import Health, add_health_and_reflection
from intercomd_daemon.operations.http import HttpListener, OperationsSettings, health_application, listen_http
from intercomd_daemon.operations.service import SERVICE as OPERATIONS_SERVICE
from intercomd_daemon.operations.service import OperationsService

CONNECTIONS_MAX = 512
"""Of senders, on each address: half of the 1,024 files that a process may usually have open. A further one is closed at
once, which is UNAVAILABLE to its owner."""
OPERATORS_MAX = 64
"""Connections of operators: people and their tools, each with one."""
CALLS_MAX = 1_024
"""Open at once on one connection, which the channels of a process may share; RFC 9113, 6.5.2, asks for 100 at least. A
further one waits at the client, whose library knows the number."""
METADATA_BYTES_MAX = 16 << 10
"""Of one call; gRPC refuses more with RESOURCE_EXHAUSTED. Its own default, at which it starts to refuse, is half."""
RECEIVE_FACTOR = 4
"""gRPC refuses by itself what is larger than this many times the limit; up to there we answer, with the remedy."""
# For watchers to read the last outcomes.
_CLOSE_SECONDS = 1.0
HANDSHAKE_SECONDS = 10
"""For a connection to say that it speaks HTTP/2; one that does not would be kept for ever."""
KEEPALIVE_SECONDS = 60
KEEPALIVE_ANSWER_SECONDS = 20
"""A connection is asked for a sign of life so often, and has so long for it: streams of a machine that is gone would
be kept for hours."""
PENDING_CALLS_MAX = 4096
"""Calls that wait to be looked at, after which gRPC begins to refuse; a fleet that comes back at once is let in."""
_OPTIONS = (
    # Two daemons on one port would share its calls, and each would know half of each user's order.
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_SECONDS * 1000),
    ("grpc.server.max_pending_requests", PENDING_CALLS_MAX),
    ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING_CALLS_MAX),
    ("grpc.max_concurrent_streams", CALLS_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
)
_CONNECTIONS = "grpc.max_allowed_incoming_connections"
_GRPC_LOGGER = "grpc._cython.cygrpc"


class ListenerUnavailable(IntercomdError):
    """An address cannot be listened on."""


class GrpcListener:
    """A gRPC server with health and reflection."""

    def __init__(self, server: grpc.aio.Server, health: Health, addresses: tuple[str, ...]) -> None:
        self._server = server
        self.health = health
        self.addresses = addresses

    async def close(self, grace_seconds: float | None) -> None:
        """Takes no new calls; open ones have so long to end."""
        self.health.close()
        await self._server.stop(grace_seconds)


async def open_ingest(service: IngestService, addresses: Sequence[str], request_bytes_max: int) -> GrpcListener:
    """Opens the door for senders; NOT_SERVING until its health is switched on."""
    receive = ("grpc.max_receive_message_length", RECEIVE_FACTOR * request_bytes_max)
    server = grpc.aio.server(options=(*_OPTIONS, (_CONNECTIONS, CONNECTIONS_MAX), receive))
    service.add_to(server)
    return await _open(server, addresses, INGEST_SERVICE)


class OperationsListeners:
    """HTTP for probes and scrapers, gRPC for operators."""

    def __init__(self, service: OperationsService, grpc_listener: GrpcListener, http: Sequence[HttpListener]) -> None:
        self._service = service
        self._grpc = grpc_listener
        self._http = http

    @property
    def health(self) -> Health:
        """What the gRPC listener says of itself."""
        return self._grpc.health

    @property
    def grpc_address(self) -> str:
        """Where operators call, the port as the system gave it."""
        return self._grpc.addresses[0]

    @property
    def http_address(self) -> str:
        """Where `/healthz`, `/readyz` and `/metrics` are, the port as the system gave it."""
        return self._http[0].addresses[0]

    async def close(self) -> None:
        """Ends the watches, then the listeners."""
        self._service.close()
        await self._grpc.close(_CLOSE_SECONDS)
        for listener in self._http:
            await listener.close()


async def open_operations(
    daemon: Operated, service: OperationsService, settings: OperationsSettings, registry: CollectorRegistry
) -> OperationsListeners:
    """Opens the listeners for operators and probes.

    Raises:
        ListenerUnavailable: an address cannot be had.
    """
    server = grpc.aio.server(options=(*_OPTIONS, (_CONNECTIONS, OPERATORS_MAX)))
    service.add_to(server)
    grpc_listener = await _open(server, (settings.grpc_listen,), OPERATIONS_SERVICE)
    http: list[HttpListener] = []
    try:
        for addresses in ((settings.listen,), settings.health_listen):
            if addresses:
                http.append(await listen_http(health_application(daemon, registry), addresses))
    except OSError as error:
        for listener in http:
            await listener.close()
        await grpc_listener.close(None)
        raise ListenerUnavailable(f"cannot listen on {', '.join(addresses)}: {error}") from error
    return OperationsListeners(service, grpc_listener, http)


async def _open(server: grpc.aio.Server, addresses: Sequence[str], service: str) -> GrpcListener:
    logging.getLogger(_GRPC_LOGGER).addFilter(_is_a_fault)
    health = add_health_and_reflection(server, (service,))
    bound = []
    for address in addresses:
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenerUnavailable(f"cannot listen on {address}: is another daemon there?") from error
        bound.append(address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}")
    await server.start()
    return GrpcListener(server, health, tuple(bound))


def _is_a_fault(record: logging.LogRecord) -> bool:
    """What could not be said to a caller who was gone is not: gRPC would write an error with its stack for each."""
    return record.exc_info is None or not isinstance(record.exc_info[1], grpc.aio.InternalError)
