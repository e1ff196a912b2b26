"""Inspects a spool's file from outside, whether a daemon has it open or not; changes nothing."""

import fcntl
import os
import tempfile
from pathlib import Path

from intercomd_daemon.spool.maintenance import Inspection
from intercomd_daemon.spool.quota import reserved
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.admission import read_space
from intercomd_daemon.spool.sqlite.database import usable
from intercomd_daemon.spool.sqlite.file import header
from intercomd_daemon.spool.sqlite.file.replacement import WAL, real_path
from intercomd_daemon.spool.sqlite.lock import lock_path, name_of_holder


def inspect(settings: SpoolSettings) -> Inspection:
    """Inspects the folder, the file, its lock and the free space of its disk."""
    path = Path(real_path(settings.path)).absolute()
    folder = path.parent
    problem = type_problem(str(path)) or _access_problem(path) or _format_problem(path)
    if problem:
        return Inspection(str(path), problem)
    space = read_space(path)
    return Inspection(
        path=str(path),
        exists=path.exists(),
        holder=_holder(path),
        folder=str(folder),
        free_bytes=space.free_bytes,
        reserved_bytes=reserved(0, 0, space),
    )


def type_problem(path: str) -> str:
    """Returns why this path cannot hold a spool; empty if it names a file, or nothing yet."""
    place = Path(path)
    if place.is_symlink() and Path(real_path(path)).is_symlink():
        return f"{path}: a symbolic link that leads back to itself; set spool.url to a file"
    if not place.exists() or place.is_file():
        return ""
    kind = "Is a directory" if place.is_dir() else "Is a device, a pipe or a socket"
    return f"{path}: {kind}; set spool.url to a file"


def foreign_problem(path: str) -> str:
    """Returns why no spool can be at this path, so that not even a lock file is created beside it; empty if one can.

    A write-ahead log may hold the first page, and then the file's own says nothing.
    """
    if (problem := type_problem(path)) or not Path(path).exists() or Path(path + WAL).exists():
        return problem
    with usable(path):
        return header.foreign(path)


def _access_problem(path: Path) -> str:
    folder = path.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists():
            with path.open("r+b"):  # as the daemon will open it
                pass
    except OSError as error:
        # The error names the temporary file, which is of no use to an operator.
        place = path if folder.is_dir() and os.access(folder, os.W_OK) else folder
        return (
            f"{place}: {error.strerror}; create a folder that the daemon can write to, or set spool.url to another file"
        )
    return ""


def _format_problem(path: Path) -> str:
    if not path.exists() or not path.stat().st_size:
        return ""
    if problem := header.foreign(str(path)):
        return problem
    # 0: the header is still that of the file's creation, and the version is in the write-ahead log.
    version = header.version(str(path))
    return schema.version_problem(str(path), version) if version else ""


def _holder(path: Path) -> str:
    """Returns the process that has the spool open: takes the lock and releases it at once."""
    lock = Path(lock_path(str(path)))
    if not lock.exists():
        return ""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return name_of_holder(file.fileno())
    return ""
