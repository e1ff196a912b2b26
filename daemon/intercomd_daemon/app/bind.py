"""Addresses that cannot be listened on: the error with its fix, and a check before a daemon starts."""

import errno
import socket
from collections.abc import Iterator
from typing import Any

from intercomd_daemon import unix_socket
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.unix_socket import SCHEME, SocketPermissions

_FIXES = {
    errno.EACCES: "choose a port from 1024 on, or give the process CAP_NET_BIND_SERVICE",
    errno.EADDRINUSE: "stop the process that listens there, perhaps a running daemon, or choose another address",
}


class ListenerUnavailable(IntercomdError):
    """The daemon cannot listen on an address."""

    def __init__(self, address: str, error: OSError) -> None:
        """`error` is that of the system."""
        super().__init__(f"cannot listen on {address}: {error.strerror or error}; {_fix(address, error)}")
        self.taken = error.errno == errno.EADDRINUSE
        """Another process listens on the address; it may end."""


def check_address(address: str, access: SocketPermissions) -> None:
    """Checks that a listener could open on an address, without listening; `access` is that of Unix sockets.

    Raises:
        ListenerUnavailable: it could not.
    """
    try:
        if address.startswith(SCHEME):
            unix_socket.check(address, access)
            return
        errors = [*_errors(address, listening=False)]
    except OSError as error:
        raise ListenerUnavailable(address, error) from error
    # A name may stand for several addresses. gRPC listens on those that it can bind.
    failed = [error for error in errors if error is not None]
    taken = [error for error in failed if error.errno == errno.EADDRINUSE]
    if taken or len(failed) == len(errors):
        raise ListenerUnavailable(address, (taken or failed)[0])


def bind_error(address: str) -> OSError:
    """Returns the system's error for an address, which gRPC does not pass on, by binding it again."""
    try:
        errors = [error for error in _errors(address, listening=True) if error is not None]
    except OSError as error:
        return error
    return errors[0] if errors else OSError("gRPC names no cause")


def _errors(address: str, *, listening: bool) -> Iterator[OSError | None]:
    """Binds the path of a Unix socket, or each address that a TCP address stands for, and yields the error or None."""
    for family, kind, protocol, _name, place in _places(address):
        try:
            _bind(family, kind, protocol, place, listening=listening)
        except OSError as error:
            yield error
        else:
            yield None


def _places(address: str) -> list[tuple[int, int, int, str, Any]]:
    if address.startswith(SCHEME):
        return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", address.removeprefix(SCHEME))]
    host, _, port = address.rpartition(":")
    return [*socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]


def _bind(family: int, kind: int, protocol: int, place: Any, *, listening: bool) -> None:  # noqa: ANN401
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(place)
        if listening:
            trial.listen()


def _fix(address: str, error: OSError) -> str:
    if address.startswith(SCHEME) and error.errno != errno.EADDRINUSE:
        return "correct the path, its folder or unix_group"
    return _FIXES.get(error.errno or 0, "write an address of this host")
