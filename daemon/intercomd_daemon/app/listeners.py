"""The gRPC and HTTP listeners for senders, operators and probes, with their connection limits."""

import logging
from collections.abc import Sequence

import grpc
from prometheus_client import CollectorRegistry

from intercomd_daemon import unix_socket
from intercomd_daemon.app.bind import ListenerUnavailable, bind_error
from intercomd_daemon.app.security import ListenerSecurity
from intercomd_daemon.ingest.service import SERVICE as INGEST_SERVICE
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.daemon_control import DaemonStatus
from intercomd_daemon.operations.health import Health, add_channelz, add_health_and_reflection
from intercomd_daemon.operations.http import HealthPages, HttpListener, listen_http
from intercomd_daemon.operations.http_authentication import authentication
from intercomd_daemon.operations.service import SERVICE as OPERATIONS_SERVICE
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.rpc.authentication import Guard, MethodGate
from intercomd_daemon.rpc.tls import ServerTls
from intercomd_daemon.unix_socket import SocketFile

OPERATORS_MAX = 64
"""Connections of operators: people and their tools, one each."""
CALLS_MAX = 1_024
"""Calls open at once on one connection, which the channels of a process may share; RFC 9113, 6.5.2, recommends at least
100. A further call waits in the client's library, which learns the limit from HTTP/2 settings."""
METADATA_BYTES_MAX = 16 << 10
"""Metadata of one call; gRPC refuses more with RESOURCE_EXHAUSTED. Its default is half of this."""
RECEIVE_FACTOR = 4
"""gRPC itself refuses requests above this many times the limit; smaller ones get our error, which names the remedy."""
# Time for watchers to read the last outcomes.
_CLOSE_SECONDS = 1.0
HANDSHAKE_SECONDS = 10
"""Time for the HTTP/2 handshake: a connection that never sends anything is closed."""
KEEPALIVE_SECONDS = 60
KEEPALIVE_ANSWER_SECONDS = 20
"""Time for the answer to a keepalive ping: without pings, the streams of a dead machine stay open for hours."""
AGE_GRACE_SECONDS = 30
"""Time for the open calls of a connection that has reached `ingest.connection_age_max`."""
PENDING_CALLS_MAX = 4096
"""Calls that wait for a handler before gRPC starts to refuse some: enough for a fleet that reconnects at once."""
_OPTIONS = (
    # With SO_REUSEPORT two daemons could share a port, and each would see only some envelopes of a user.
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_SECONDS * 1000),
    # Meshes and clients in Go ping every 10 s, also without calls. By default gRPC takes that for abuse and closes the
    # connection (GOAWAY, ENHANCE_YOUR_CALM); answering a ping costs nothing.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.server.max_pending_requests", PENDING_CALLS_MAX),
    ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING_CALLS_MAX),
    ("grpc.max_concurrent_streams", CALLS_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
)
_CONNECTIONS = "grpc.max_allowed_incoming_connections"
_CHANNELZ = "grpc.enable_channelz"
_GRPC_LOGGER = "grpc._cython.cygrpc"


class GrpcListener:
    """A gRPC server with health and reflection."""

    def __init__(self, server: grpc.aio.Server, health: Health, tls: ServerTls | None) -> None:
        self._server = server
        self._tls = tls
        self._files: list[SocketFile] = []
        self.health = health
        self.addresses: tuple[str, ...] = ()
        """Bound addresses, with the ports that the system chose."""

    def listen(self, address: str, access: unix_socket.SocketPermissions) -> None:
        """Adds an address; call it before the server is started.

        Raises:
            ListenerUnavailable: the address cannot be bound.
        """
        if not address.startswith(unix_socket.SCHEME):
            port = self._bind(address, address)
            self.addresses += (f"{address.rpartition(':')[0]}:{port}",)
            return
        try:
            file = unix_socket.publish(
                address, access, lambda temporary: self._bind(unix_socket.SCHEME + temporary, address)
            )
        except OSError as error:
            raise ListenerUnavailable(address, error) from error
        self._files.append(file)
        self.addresses += (address,)

    def _bind(self, target: str, address: str) -> int:
        try:
            if self._tls is None or target.startswith(unix_socket.SCHEME):
                return int(self._server.add_insecure_port(target))
            return int(self._server.add_secure_port(target, self._tls.grpc_credentials()))
        except RuntimeError as error:
            raise ListenerUnavailable(address, bind_error(target)) from error

    async def close(self, grace_seconds: float | None) -> None:
        """Refuses new calls and gives open ones `grace_seconds` to end; None: they are cancelled at once."""
        for file in self._files:
            file.remove()
        self.health.close()
        await self._server.stop(grace_seconds)


async def open_ingest(
    service: IngestService,
    settings: IngestSettings,
    security: ListenerSecurity | None = None,
    *,
    channelz: bool = False,
) -> GrpcListener:
    """Opens the listener for senders, which is NOT_SERVING until its health is switched on.

    With `channelz` gRPC keeps records of its connections.

    Raises:
        ListenerUnavailable: an address cannot be bound; then no address is served.
    """
    options = [
        *_OPTIONS,
        (_CONNECTIONS, settings.connections_max),
        ("grpc.max_receive_message_length", RECEIVE_FACTOR * settings.request_bytes_max),
        (_CHANNELZ, int(channelz)),
    ]
    if settings.connection_age_seconds:
        options += [
            ("grpc.max_connection_age_ms", int(settings.connection_age_seconds * 1000)),
            ("grpc.max_connection_age_grace_ms", AGE_GRACE_SECONDS * 1000),
        ]
    server = grpc.aio.server(options=options)
    return await _open(server, settings.listen, service, INGEST_SERVICE, settings.unix_access, security)


class OperationsListeners:
    """HTTP for probes and scrapers, and gRPC for operators."""

    def __init__(self, service: OperationsService, grpc_listener: GrpcListener, http: Sequence[HttpListener]) -> None:
        self._service = service
        self._grpc = grpc_listener
        self._http = http

    @property
    def health(self) -> Health:
        """The health of the gRPC listener."""
        return self._grpc.health

    @property
    def grpc_address(self) -> str:
        """The address of OperationsService, with the port that the system chose."""
        return self._grpc.addresses[0]

    @property
    def http_address(self) -> str:
        """The address of `/healthz`, `/readyz` and `/metrics`, with the port that the system chose."""
        return self._http[0].addresses[0]

    @property
    def health_addresses(self) -> tuple[str, ...]:
        """The addresses of `health.listen`, with the ports that the system chose."""
        return tuple(address for listener in self._http[1:] for address in listener.addresses)

    async def close(self) -> None:
        """Ends the watches, then closes the listeners."""
        self._service.close()
        await self._grpc.close(_CLOSE_SECONDS)
        for listener in self._http:
            await listener.close()


async def open_operations(
    status: DaemonStatus,
    service: OperationsService,
    settings: OperationsSettings,
    health: HealthSettings,
    registry: CollectorRegistry,
    security: ListenerSecurity | None = None,
    http_guard: Guard | None = None,
) -> OperationsListeners:
    """Opens the listeners for operators and probes; `security` is that of `operations`, never of `health`.

    Raises:
        ListenerUnavailable: an address cannot be bound; then no address is served.
    """
    server = grpc.aio.server(options=(*_OPTIONS, (_CONNECTIONS, OPERATORS_MAX), (_CHANNELZ, int(settings.channelz))))
    grpc_listener = await _open(
        server,
        (settings.grpc_listen,),
        service,
        OPERATIONS_SERVICE,
        settings.unix_access,
        security,
        channelz=settings.channelz,
    )
    http: list[HttpListener] = []
    try:
        tls = security.tls if security else None
        context = None if tls is None else lambda: tls.context
        authenticate = authentication(security.authenticator, http_guard or security.guard) if security else None
        pages = HealthPages(status, registry, authenticate)
        http.append(await listen_http(pages.respond, (settings.listen,), settings.unix_access, context))
        if health.listen:
            http.append(await listen_http(HealthPages(status, registry).respond, health.listen, settings.unix_access))
    except OSError as error:
        for listener in http:
            await listener.close()
        await grpc_listener.close(None)
        raise ListenerUnavailable(str(error.filename), error) from error
    return OperationsListeners(service, grpc_listener, http)


async def _open(
    server: grpc.aio.Server,
    addresses: Sequence[str],
    service: IngestService | OperationsService,
    name: str,
    access: unix_socket.SocketPermissions,
    security: ListenerSecurity | None,
    *,
    channelz: bool = False,
) -> GrpcListener:
    logging.getLogger(_GRPC_LOGGER).addFilter(_is_server_error)
    methods = security.gate() if security else server
    service.add_to(methods)
    health = add_health_and_reflection(methods, (name,), security.guard if security else None)
    if channelz:
        add_channelz(methods)
    if isinstance(methods, MethodGate):
        server.add_generic_rpc_handlers((methods,))
    listener = GrpcListener(server, health, security.tls if security else None)
    try:
        for address in addresses:
            listener.listen(address, access)
        await server.start()
    except BaseException:
        await listener.close(None)
        raise
    return listener


def _is_server_error(record: logging.LogRecord) -> bool:
    """Suppresses gRPC errors for callers that have disconnected, each of which would log a stack."""
    return record.exc_info is None or not isinstance(record.exc_info[1], grpc.aio.InternalError)
