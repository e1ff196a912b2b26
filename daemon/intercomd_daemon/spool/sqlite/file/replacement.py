"""Replaces a spool's file by a rebuilt one, and keeps what it replaces under another name.

A rebuilt file gets its final name once it is complete. Names then change in an order that a crash may cut off anywhere:
the next opening completes it. Nothing is deleted.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

WAL = "-wal"
"""SQLite's suffix of the write-ahead log."""
_PRESERVED_WAL = "-wal.damaged"
"""A write-ahead log that SQLite would not read to its end, preserved for the repair."""
_UNFINISHED = ".rebuilding"
_COPY = ".copy"
_REBUILT = ".rebuilt-"
_REPLACED = ".damaged-"


def real_path(path: str) -> str:
    """Returns the file that a symbolic link names: SQLite keeps the write-ahead log beside that file."""
    return os.path.realpath(path) if Path(path).is_symlink() else path


def unfinished(path: str) -> str:
    """Creates the file in which a new spool is built."""
    abandon(path)
    _make(path, _UNFINISHED)
    return path + _UNFINISHED


def copy(path: str) -> str:
    """Copies the spool's file, without its log; the copy may be changed, and `abandon` deletes it."""
    _make(path, _COPY)
    shutil.copyfile(path, path + _COPY)
    return path + _COPY


def abandon(path: str) -> None:
    """Deletes files that were not finished or are no longer needed."""
    for name in (_UNFINISHED, _COPY, _COPY + WAL):
        Path(path + name).unlink(missing_ok=True)


def _make(path: str, suffix: str) -> None:
    """Creates an empty file that only the spool's owner may read, as it will hold personal data."""
    descriptor = os.open(path + suffix, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        take_owner(descriptor, path)
    finally:
        os.close(descriptor)


def take_owner(descriptor: int, path: str) -> None:
    """Gives an open file the owner of the spool at `path`, if the process is root.

    Otherwise the daemon, another user, could not open what a command of root has left. SQLite does the same.
    """
    with suppress(FileNotFoundError):
        if os.geteuid() == 0:
            spool = os.stat(path)  # noqa: PTH116 - beside fchown, which pathlib lacks
            os.fchown(descriptor, spool.st_uid, spool.st_gid)


def replace(path: str, now: float) -> str:
    """Replaces the spool's file by the built one; returns the old file's new path. `now` is in Unix seconds."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    stamps = [moment, *(f"{moment}-{number}" for number in range(2, 1_000))]
    stamp = next(each for each in stamps if not Path(path + _REPLACED + each).exists())
    _rename(path + _UNFINISHED, path + _REBUILT + stamp)
    complete(path)
    return path + _REPLACED + stamp


def complete(path: str) -> None:
    """Completes a replacement that a crash cut off, if there is one."""
    spool = Path(path)
    start = spool.name + _REBUILT
    for rebuilt in [file for file in spool.absolute().parent.iterdir() if file.name.startswith(start)]:
        kept = path + _REPLACED + rebuilt.name.removeprefix(start)
        for suffix in (WAL, _PRESERVED_WAL, ""):
            if Path(path + suffix).exists():
                _rename(path + suffix, kept + suffix)
        _rename(str(rebuilt), path)


def preserve_wal(path: str) -> None:
    """Preserves a copy of the write-ahead log before SQLite overwrites what it does not recognize."""
    abandon(path)
    _make(path, _UNFINISHED)
    with Path(path + WAL).open("rb") as log, Path(path + _UNFINISHED).open("wb") as kept:
        shutil.copyfileobj(log, kept)
        kept.flush()
        os.fsync(kept.fileno())
    _rename(path + _UNFINISHED, path + _PRESERVED_WAL)


def has_preserved_wal(path: str) -> bool:
    """Whether a write-ahead log was preserved that SQLite would not read to its end."""
    return Path(path + _PRESERVED_WAL).exists()


def find_wal(path: str) -> str:
    """Returns the path of the write-ahead log whose commits the file lacks; empty if there is none."""
    return next((path + suffix for suffix in (_PRESERVED_WAL, WAL) if Path(path + suffix).exists()), "")


def _rename(one: str, other: str) -> None:
    """Renames a file and syncs the folder."""
    Path(one).rename(other)
    sync_folder(other)


def sync_folder(path: str) -> None:
    """Syncs the folder, so that its file names survive a power cut."""
    folder = os.open(Path(path).absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
