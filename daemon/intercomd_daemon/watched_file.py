"""A file that is read again when it changes, such as a certificate that a tool renews."""

import os
import stat
import time
from pathlib import Path

from intercomd_daemon.errors import IntercomdError

_SETTLED_NANOSECONDS = 1_000_000_000
# Inode and ctime too: a file may be replaced by one of the same size and mtime.
_Version = tuple[int, int, int, int, int]


class FileUnusable(IntercomdError):
    """A file that the settings name cannot be used; the message names it and the fix."""


def check_regular(path: str) -> None:
    """Checks that the event loop may read a file: a pipe would block it until somebody writes, a device for ever.

    Raises:
        FileUnusable: there is something else at the path.
        OSError: there is nothing, or it cannot be looked at.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise FileUnusable(f"{path} is not a regular file; put one there")


class WatchedFile:
    """One file, and the version of it that was read last."""

    def __init__(self, path: str, bytes_max: int, content: str = "") -> None:
        """Files of more than `bytes_max` bytes are refused; `content` is what errors ask to put there."""
        self.path = path
        self._path = Path(path)
        self._bytes_max = bytes_max
        self._content = content
        self._seen: _Version | None = None

    def changed(self) -> bool:
        """Returns whether the file may differ from what `read` returned last; costs one system call."""
        try:
            return _version(self._path.stat()) != self._seen
        except OSError:
            return True

    def read(self) -> bytes:
        """Returns the content.

        Raises:
            FileUnusable: the file cannot be read, is not a regular file, is empty or too large.
        """
        self._seen = None
        try:
            check_regular(self.path)
            with self._path.open("rb") as file:
                # Of the file that is open: another one may have been put at the path since.
                status = os.fstat(file.fileno())
                content = file.read(self._bytes_max + 1)
        except OSError as error:
            raise FileUnusable(
                f"{self.path}: {error.strerror}; put {self._content or 'it'} there, readable for the daemon"
            ) from error
        if not content.strip():
            raise FileUnusable(f"{self.path} is empty; put {self._content or 'its content'} there")
        if len(content) > self._bytes_max:
            raise FileUnusable(f"{self.path} is larger than {self._bytes_max} bytes, the limit; is it another file?")
        # Within a tick of the file system's clock a file can change twice with one ctime.
        if time.time_ns() - status.st_ctime_ns > _SETTLED_NANOSECONDS:
            self._seen = _version(status)
        return content


def _version(status: os.stat_result) -> _Version:
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size
