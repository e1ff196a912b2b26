"""Where a daemon answers, from the variables and the file that it is configured with.

It looks at nothing but addresses, and needs nothing but the standard library: a probe that runs every few seconds must
start at once.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from intercomd_daemon.errors import IntercomdError


class AddressUnknown(IntercomdError):
    """The settings do not say where the daemon answers; the message holds the remedy."""


class Listener(NamedTuple):
    """One of the daemon's listeners, as the settings know it."""

    section: str
    key: str
    default: str
    """The contract's."""

    @property
    def variable(self) -> str:
        """The variable that overrides the key."""
        return f"INTERCOMD_{self.section}_{self.key}".upper()


INGEST = Listener("ingest", "listen", "127.0.0.1:50051")
OPERATIONS = Listener("operations", "grpc_listen", "127.0.0.1:9091")
PAGES = Listener("operations", "listen", "127.0.0.1:9090")

# A listener on every interface is reached on the loopback.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound


def address_of(listener: Listener, path: str | None, environment: Mapping[str, str]) -> str:
    """The address to call for a listener: the variable's, else the file's, else the default; the first of several.

    Args:
        listener: which one.
        path: the settings' file; None: there is none.
        environment: the process's variables.

    Raises:
        AddressUnknown: the file cannot be read, or names no address that can be called.
    """
    given: object = environment.get(listener.variable, "").partition(",")[0].strip()
    if not given and path is not None:
        given = _in_file(listener, path)
    address = given or listener.default
    if not isinstance(address, str):
        raise AddressUnknown(f"{listener.section}.{listener.key} in {path} is no address; `intercomd check` says more")
    return _callable(address, listener)


def _in_file(listener: Listener, path: str) -> object:
    try:
        section = tomllib.loads(Path(path).read_bytes().decode()).get(listener.section, {})
    except OSError as error:
        raise AddressUnknown(f"{path} cannot be read ({error.strerror}); name another file with --config") from error
    except ValueError as error:
        raise AddressUnknown(f"{path} is not TOML: {error}") from error
    given = section.get(listener.key) if isinstance(section, dict) else None
    return given[0] if isinstance(given, list) and given else given


def _callable(address: str, listener: Listener) -> str:
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    if port == "0":
        raise AddressUnknown(
            f"{listener.section}.{listener.key} takes any free port; name the one that the daemon's log tells"
        )
    return f"{_WILDCARDS.get(host, host)}:{port}"
