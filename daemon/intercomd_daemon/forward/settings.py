"""The settings of an agent: `[upstream]`, the gateway that it forwards to, and `[upstream.tls]`."""

import re
from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds
from intercomd_daemon.setting.places import is_local

_PATH_CHARACTERS_MAX = 4_096
# gRPC's names of targets; a Unix socket, or one or several addresses with ports.
_TARGET = (
    r"|unix:.+|(?:dns:(?://[^/]*/)?|ipv4:|ipv6:)?(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):\d{1,5}"
    r"(?:,(?:\[[0-9A-Fa-f:.%]+\]|[0-9.]+):\d{1,5})*"
)
_RESOLVER = re.compile(r"dns:(?://[^/]*/)?|ipv4:|ipv6:")


class UpstreamTlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to the gateway. The files hold PEM and are read again when they change."""

    ca_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """Authorities of the gateway's certificate; empty: those of the system."""
    certificate_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """The agent's certificate, for gateways that require one."""
    key_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """The private key of that certificate."""
    server_name: Annotated[str, kinds.text("a host name", r"[A-Za-z0-9._-]*")] = ""
    """The name in the gateway's certificate, if the target has another one."""

    @property
    def given(self) -> bool:
        """Whether any of them is set."""
        return bool(self.ca_file or self.certificate_file or self.key_file or self.server_name)


class UpstreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway. With a target the daemon is an agent: it forwards to the gateway instead of calling Intercom."""

    target: Annotated[
        str, kinds.text('a target such as "dns:///gateway:50051" or "unix:/run/intercomd.sock"', _TARGET)
    ] = ""
    operations_target: Annotated[
        str, kinds.text('a target such as "dns:///gateway:9091" or "unix:/run/operations.sock"', _TARGET)
    ] = ""
    """The gateway's `operations.grpc_listen`, which `intercomd explain` asks with the agent's credential."""
    token_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """The agent's token at the gateway; read again before each call."""
    insecure: Annotated[bool, kinds.boolean()] = False
    """Plain text to a gateway that is not on this machine."""
    tls: UpstreamTlsSettings = UpstreamTlsSettings()

    @property
    def on(self) -> bool:
        """Whether the daemon is an agent."""
        return bool(self.target)

    @property
    def is_local(self) -> bool:
        """Whether the gateway is on this machine."""
        return is_local_target(self.target)

    @property
    def uses_tls(self) -> bool:
        """Whether to use TLS: always beyond this machine, unless the operator allows plain text."""
        return self.tls.given or not (self.insecure or self.is_local)

    @property
    def operations_use_tls(self) -> bool:
        """Whether to use TLS to the gateway's operations listener, by the same rule."""
        return self.tls.given or not (self.insecure or is_local_target(self.operations_target))


def is_local_target(target: str) -> bool:
    """Returns whether all addresses of a target are on this machine; those of an empty one are."""
    return not target or all(map(is_local, _RESOLVER.sub("", target, count=1).split(",")))
