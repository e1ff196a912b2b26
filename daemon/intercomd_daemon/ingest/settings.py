"""The settings of `[ingest]`."""

from typing import Annotated

import msgspec

from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.setting import kinds, places
from intercomd_daemon.setting.kinds import DAY, HOUR, KIB, MIB
from intercomd_daemon.unix_socket import SocketPermissions

# The spool's queue takes a request as a whole, and holds 32 MiB.
_REQUEST_BYTES_ALLOWED = 16 * MIB
# Ten thousand results of the usual size are a response of 1 MiB.
_ENVELOPES_ALLOWED = 10_000
CONNECTIONS_MAX = 4096
"""Pods of a large cluster that publish to one gateway. A connection needs a file, and memory while it is idle."""
# A process may open a million files on most systems; memory ends earlier.
_CONNECTIONS_ALLOWED = 100_000
# gRPC takes 32 bits of milliseconds: 24.8 days.
_AGE_ALLOWED = 24 * DAY
ENVELOPES_MAX = 500
"""Ours: 500 envelopes of the usual 300 bytes are 150 KB and one commit. For large ones, the limit of bytes is lower."""
REQUEST_BYTES_MAX = 4 * MIB
"""What gRPC lets a server receive by default in every language, so that senders know the number."""


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses that senders call, and the limits of a request."""

    listen: Annotated[tuple[str, ...], places.addresses(minimum=1)] = ("127.0.0.1:50051",)
    envelopes_max: Annotated[int, kinds.integer(1, _ENVELOPES_ALLOWED)] = ENVELOPES_MAX
    """In one request."""
    request_bytes_max: Annotated[int, kinds.size(KIB, _REQUEST_BYTES_ALLOWED)] = REQUEST_BYTES_MAX
    """Encoded."""
    insecure: Annotated[bool, kinds.boolean()] = False
    """Lets an address beyond loopback and Unix sockets start without callers and client CA."""
    unix_mode: Annotated[str, places.socket_mode()] = "0660"
    unix_group: Annotated[str, kinds.text()] = ""
    """A group's name or number; empty: the process's."""
    connection_age_max_seconds: Annotated[float, kinds.duration(1.0, _AGE_ALLOWED, none=True)] = msgspec.field(
        default=0.0, name="connection_age_max"
    )
    """Connections end after this time, so that a balancer spreads them anew; 0.0: no limit, or 1 h with a client CA."""
    connections_max: Annotated[int, kinds.integer(1, _CONNECTIONS_ALLOWED)] = CONNECTIONS_MAX
    """On each address."""
    tls: TlsSettings = TlsSettings()

    @property
    def connection_age_seconds(self) -> float:
        """How old a connection may become; 0.0: no limit.

        A certificate that a connection was opened with may be revoked since: "With a client CA `connection_age_max`
        defaults to "1h"."
        """
        return self.connection_age_max_seconds or (HOUR if self.tls.client_ca_file else 0.0)

    @property
    def unix_access(self) -> SocketPermissions:
        """Who may connect to the Unix sockets."""
        return SocketPermissions(int(self.unix_mode, 8), self.unix_group)
