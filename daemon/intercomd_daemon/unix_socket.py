"""Paths of listening Unix sockets: a live socket is never replaced, a stale one is, and a clean stop removes the path.

The socket is bound at a temporary path in the same folder, gets its group and mode there, and then appears at its path
in one step. So no client can connect before the permissions are set, and an existing path is never overwritten.
"""

import errno
import grp
import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SCHEME = "unix:"
# Linux: struct sockaddr_un has 108 bytes for the path, its final NUL included.
PATH_BYTES_MAX = 107
_BIND_UMASK = 0o177
# Linux: 32 bits, of which the highest number means "no group".
_GID_MAX = 2**32 - 2


class SocketPermissions(NamedTuple):
    """Who may connect to a socket."""

    mode: int = 0o600
    group: str = ""
    """A group's name or number; empty: the process's."""


@dataclass(frozen=True)
class SocketFile:
    """The path of a socket that this process listens on."""

    path: Path
    identity: tuple[int, int]
    """Device and inode: another process may have published its own socket at the path since."""

    def remove(self) -> None:
        """Removes the path, unless it is gone or belongs to another socket."""
        with suppress(FileNotFoundError):
            if _identity(self.path.lstat()) == self.identity:
                self.path.unlink()


def check(address: str, access: SocketPermissions) -> None:
    """Checks that `publish` could publish a socket at the path of a `unix:` address, without changing anything.

    Raises:
        OSError: as `publish`; EADDRINUSE if a process listens there.
    """
    path = Path(address.removeprefix(SCHEME))
    with _named(address):
        _check_length(_beside(path))
        _check_folder(path.parent)
        _stale_at(path)
        gid = _gid(access.group)
        # "The owner of a file may change the group of the file to any group of which that owner is a member."
        if gid is not None and os.geteuid() != 0 and gid not in {os.getegid(), *os.getgroups()}:
            raise OSError(errno.EPERM, f"this user is not a member of the group {access.group} (unix_group)")


def publish(address: str, access: SocketPermissions, listen: Callable[[str], object]) -> SocketFile:
    """Publishes a socket at the path of a `unix:` address; when this returns, clients can connect.

    `listen` gets a temporary path; it must bind a socket there and listen on it.

    Raises:
        OSError: the path cannot be used; `strerror` gives the cause, and `filename` is the address. EADDRINUSE: another
            process listens there, or has created the path meanwhile.
    """
    path = Path(address.removeprefix(SCHEME))
    temporary = _beside(path)
    with _named(address):
        _check_length(temporary)
        _check_folder(path.parent)
        stale = _stale_at(path)
        gid = _gid(access.group)
        try:
            previous = os.umask(_BIND_UMASK)
            try:
                listen(str(temporary))
            finally:
                os.umask(previous)
            if gid is not None:
                os.chown(temporary, -1, gid)
            temporary.chmod(access.mode)
            identity = _identity(temporary.lstat())
            if stale is not None:
                _remove_stale(path, stale)
            # Unlike rename, link fails where another process has created the path meanwhile.
            path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
    return SocketFile(path, identity)


def listening_socket(address: str, access: SocketPermissions) -> tuple[socket.socket, SocketFile]:
    """Returns a socket that listens at a `unix:` address, and its path.

    Raises:
        OSError: as `publish`.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def listen(temporary: str) -> None:
        listening.bind(temporary)
        # Before the path exists: a socket that is bound and does not listen refuses connections, as a stale one does.
        listening.listen()

    try:
        return listening, publish(address, access, listen)
    except BaseException:
        listening.close()
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(4)}")


def _check_length(path: Path) -> None:
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise OSError(errno.ENAMETOOLONG, "the path of its folder is too long for a socket")


def _check_folder(folder: Path) -> None:
    # `stat` names a missing folder.
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise OSError(errno.ENOTDIR, f"{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise OSError(errno.EACCES, f"this user may not write to the folder {folder}")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@contextmanager
def _named(address: str) -> Iterator[None]:
    """Replaces the temporary path in errors by the address."""
    try:
        yield
    except FileExistsError as error:
        raise OSError(errno.EADDRINUSE, "another process has created the path just now", address) from error
    except OSError as error:
        raise OSError(error.errno or errno.EADDRINUSE, error.strerror or str(error), address) from error


def _stale_at(path: Path) -> tuple[int, int] | None:
    """Returns the identity of a stale socket at the path; None if the path is free.

    Raises:
        OSError: a live socket is at the path, or a file that is not a socket.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.ENOTSOCK, "a file that is not a socket is there, which the daemon leaves alone")
    if _is_live(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    return _identity(found)


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as trial:
        try:
            trial.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True  # Its queue is full, so a process listens.
    return True


def _remove_stale(path: Path, stale: tuple[int, int]) -> None:
    """Removes the path of a stale socket, unless another process has published its own socket there since the probe."""
    removed = _beside(path)
    try:
        path.rename(removed)
    except FileNotFoundError:
        return
    if _identity(removed.lstat()) != stale:
        path.hardlink_to(removed)
    removed.unlink()


def _gid(group: str) -> int | None:
    if not group:
        return None
    if group.isdecimal() and int(group) <= _GID_MAX:
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, f"unknown group {group!r}") from None
