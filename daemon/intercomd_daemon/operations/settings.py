"""The settings of the operations side: `[operations]` and `[health]`. Addresses are `host:port` or `unix:path`."""

from typing import Annotated

import msgspec

from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.setting import kinds, places
from intercomd_daemon.unix_socket import SocketPermissions


class OperationsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where operators call."""

    listen: Annotated[str, places.address()] = "127.0.0.1:9090"
    """HTTP: `/healthz`, `/readyz`, `/metrics`."""
    grpc_listen: Annotated[str, places.address()] = "127.0.0.1:9091"
    """OperationsService and grpc.health.v1."""
    insecure: Annotated[bool, kinds.boolean()] = False
    """Without callers: full access for everyone who reaches the addresses."""
    unix_mode: Annotated[str, places.socket_mode()] = "0600"
    unix_group: Annotated[str, kinds.text()] = ""
    """A group's name or number; empty: the process's."""
    channelz: Annotated[bool, kinds.boolean()] = False
    """Serve grpc.channelz.v1, which lists the gRPC connections of the daemon, on `grpc_listen`."""
    tls: TlsSettings = TlsSettings()

    @property
    def unix_access(self) -> SocketPermissions:
        """Who may connect to the Unix sockets."""
        return SocketPermissions(int(self.unix_mode, 8), self.unix_group)


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where probes and scrapers call, on addresses that others reach."""

    listen: Annotated[tuple[str, ...], places.addresses()] = ()
    """HTTP with health, readiness and metrics only."""
