"""One daemon per spool: an exclusive lock on `<path>.lock`, held until it is released or the process ends.

The lock file is never deleted: two daemons could then lock two files of the same name.
"""

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.sqlite.file.replacement import sync_folder, take_owner

RETRY_SECONDS = 0.25
"""Between attempts while another daemon holds the lock; a stop takes seconds."""
_HOLDER_BYTES_MAX = 200
_OPEN = b"\n"
"""The mark behind the holder's name while the spool is open; the next holder finds it if the spool was not closed."""


class Lock:
    """A held lock."""

    def __init__(self, descriptor: int, path: str) -> None:
        """Takes the locked file; `path` is the spool's."""
        self._descriptor = descriptor
        self._path = path
        self._mark = _OPEN if os.pread(descriptor, _HOLDER_BYTES_MAX, 0).endswith(_OPEN) else b""
        self.left_open = bool(self._mark)
        """Whether the last daemon ended without closing the spool."""
        self._holder = f"process {os.getpid()} on {socket.gethostname()}".encode()
        self._write()

    def opened(self) -> None:
        """Marks the spool as open."""
        # Sync the write-ahead log's name first: the mark claims that the log exists.
        with suppress(OSError):
            sync_folder(self._path)
        self._mark = _OPEN
        self._write()

    def closing(self) -> None:
        """Removes the mark before the spool is closed: from here on, a missing write-ahead log is right."""
        self._mark = b""
        self._write()
        with suppress(OSError):
            os.fsync(self._descriptor)

    def release(self) -> None:
        """Releases the lock; called once."""
        self._holder = b""
        self._write()
        os.close(self._descriptor)

    def _write(self) -> None:
        # Without it a waiting daemon names no holder. A full disk must not keep a daemon from opening its spool.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, self._holder + self._mark, 0)


async def hold(path: str, wait_seconds: float, on_wait: Callable[[str], None] | None = None) -> Lock:
    """Locks the spool at `path`, waiting while another daemon holds it.

    Args:
        path: the spool's file.
        wait_seconds: how long to wait.
        on_wait: called once, with the holder's name, before the wait begins.

    Raises:
        SpoolLocked: another daemon still holds the spool.
        SpoolUnusable: the lock file cannot be created.
    """
    name = lock_path(path)
    try:
        descriptor = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolUnusable(
            f"{name} cannot be opened: {error.strerror}; check the folder and its permissions"
        ) from error
    try:
        take_owner(descriptor, path)
        await _wait(descriptor, path, wait_seconds, on_wait)
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor, path)


async def _wait(descriptor: int, path: str, wait_seconds: float, on_wait: Callable[[str], None] | None) -> None:
    if _locked(descriptor):
        return
    holder = name_of_holder(descriptor)
    if on_wait:
        on_wait(holder)
    ends = asyncio.get_running_loop().time() + wait_seconds
    while asyncio.get_running_loop().time() < ends:
        await asyncio.sleep(RETRY_SECONDS)
        if _locked(descriptor):
            return
    raise SpoolLocked(
        f"{holder} holds the spool {path}, also after {wait_seconds:g} s;"
        " one daemon per spool: stop the other one, or set spool.url to another file"
    )


def lock_path(path: str) -> str:
    """Returns the lock file of the spool at `path`."""
    return path + ".lock"


def name_of_holder(descriptor: int) -> str:
    """Returns the name that the holder wrote into an open lock file."""
    return os.pread(descriptor, _HOLDER_BYTES_MAX, 0).decode(errors="replace").strip() or "another process"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
