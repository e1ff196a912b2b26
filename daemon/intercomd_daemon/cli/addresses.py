"""Finds the addresses of a daemon in its environment variables and its settings file.

Reads only the addresses and imports only the standard library: health checks run every few seconds and must start
fast.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.toml import TomlInvalid, parse


class AddressUnknown(IntercomdError):
    """The settings name no address that can be called; the message names the fix."""


class Listener(NamedTuple):
    """A listener of the daemon, by its setting."""

    section: str
    key: str
    default: str
    """The default of the setting."""

    @property
    def variable(self) -> str:
        """The environment variable that overrides the setting."""
        return f"INTERCOMD_{self.section}_{self.key}".upper()


INGEST = Listener("ingest", "listen", "127.0.0.1:50051")
OPERATIONS = Listener("operations", "grpc_listen", "127.0.0.1:9091")
PAGES = Listener("operations", "listen", "127.0.0.1:9090")
HEALTH = Listener("health", "listen", "")
"""Without a default: the listener is off."""


class HealthPage(NamedTuple):
    """Where a daemon answers probes."""

    address: str
    tls: bool


# A listener on every interface also listens on the loopback.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound


def address_of(listener: Listener, path: str | None, environment: Mapping[str, str]) -> str:
    """Returns the address of a listener: from the variable, the file or the default; the first of several.

    Args:
        listener: the listener.
        path: the settings file, if there is one.
        environment: the environment variables.

    Raises:
        AddressUnknown: the file cannot be read, or names no address that can be called.
    """
    value: object = environment.get(listener.variable, "").partition(",")[0].strip()
    if not value and path is not None:
        value = _read_setting(listener, path)
    address = value or listener.default
    if not isinstance(address, str):
        raise AddressUnknown(
            f"{listener.section}.{listener.key} in {path} is not an address; run `intercomd check` for details"
        )
    return _callable(address, listener)


def health_pages(path: str | None, environment: Mapping[str, str]) -> list[HealthPage]:
    """Returns where a daemon answers probes, by its settings; the health listener first, which is always plain text.

    Raises:
        AddressUnknown: as `address_of`.
    """
    configured = environment.get(HEALTH.variable) or (path and _read_setting(HEALTH, path))
    health = [HealthPage(address_of(HEALTH, path, environment), tls=False)] if configured else []
    address = address_of(PAGES, path, environment)
    tls = operations_use_tls(path, environment) and not address.startswith("unix:")
    return [*health, HealthPage(address, tls=tls)]


def operations_use_tls(path: str | None, environment: Mapping[str, str]) -> bool:
    """Returns whether the operations listeners on TCP addresses use TLS, by the settings.

    Raises:
        AddressUnknown: the file cannot be read.
    """
    certificate = Listener("operations", "tls", "")
    return bool(
        environment.get(f"{certificate.variable}_CERTIFICATE_FILE") or (path and _read_setting(certificate, path))
    )


def is_loopback(address: str) -> bool:
    """Returns whether an address is on this machine: a certificate for it is rarely made."""
    host = address.rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


def _read_setting(listener: Listener, path: str) -> object:
    try:
        section = parse(Path(path).read_bytes()).get(listener.section, {})
    except OSError as error:
        raise AddressUnknown(f"{path} cannot be read ({error.strerror}); give another file with --config") from error
    except TomlInvalid as error:
        raise AddressUnknown(f"{path}: {error}; run `intercomd check` for details") from error
    value = section.get(listener.key) if isinstance(section, dict) else None
    return value[0] if isinstance(value, list) and value else value


def _callable(address: str, listener: Listener) -> str:
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    if port == "0":
        raise AddressUnknown(f"{listener.section}.{listener.key} is any free port; give the one in the daemon's log")
    return f"{_WILDCARDS.get(host, host)}:{port}"
