"""The files beside a spool's: a rebuilt one is put in its place, and what it replaces is kept under another name.

A rebuilt file is whole once it has its name, and then names change in an order that a crash may cut off anywhere:
whoever opens the spool next completes it. Nothing is deleted. What is in the files, it does not know.
"""

import os
import shutil
import time
from pathlib import Path

LOG = "-wal"
"""SQLite's name for the write-ahead log."""
_SPOILT_LOG = "-wal.damaged"
"""A write-ahead log that SQLite would not read to its end, kept for the repair."""
_UNFINISHED = ".rebuilding"
_COPY = ".copy"
_REBUILT = ".rebuilt-"
_REPLACED = ".damaged-"


def unfinished(path: str) -> str:
    """Makes the file in which a new spool is built."""
    abandon(path)
    _make(path + _UNFINISHED)
    return path + _UNFINISHED


def copy(path: str) -> str:
    """A copy of the spool's file alone, to be changed and given up."""
    _make(path + _COPY)
    shutil.copyfile(path, path + _COPY)
    return path + _COPY


def abandon(path: str) -> None:
    """Gives back the room of files that were not finished, or are of no more use."""
    for name in (_UNFINISHED, _COPY, _COPY + LOG):
        Path(path + name).unlink(missing_ok=True)


def _make(path: str) -> None:
    """An empty file for its owner alone, as it is to hold personal data."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def replace(path: str, now: float) -> str:
    """Puts the file that was built in the spool's place; returns where the old one is kept. `now`: Unix seconds."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    stamps = [moment, *(f"{moment}-{number}" for number in range(2, 1_000))]
    stamp = next(each for each in stamps if not Path(path + _REPLACED + each).exists())
    _rename(path + _UNFINISHED, path + _REBUILT + stamp)
    complete(path)
    return path + _REPLACED + stamp


def complete(path: str) -> None:
    """Completes a replacement that was cut off, if there is one."""
    spool = Path(path)
    start = spool.name + _REBUILT
    for rebuilt in [file for file in spool.absolute().parent.iterdir() if file.name.startswith(start)]:
        aside = path + _REPLACED + rebuilt.name.removeprefix(start)
        for suffix in (LOG, _SPOILT_LOG, ""):
            if Path(path + suffix).exists():
                _rename(path + suffix, aside + suffix)
        _rename(str(rebuilt), path)


def preserve_wal(path: str) -> None:
    """Keeps the write-ahead log as it is, before SQLite writes over what it does not take for its content."""
    abandon(path)
    _make(path + _UNFINISHED)
    with Path(path + LOG).open("rb") as log, Path(path + _UNFINISHED).open("wb") as kept:
        shutil.copyfileobj(log, kept)
        kept.flush()
        os.fsync(kept.fileno())
    _rename(path + _UNFINISHED, path + _SPOILT_LOG)


def has_preserved_wal(path: str) -> bool:
    """Whether a write-ahead log was kept that SQLite would not read to its end."""
    return Path(path + _SPOILT_LOG).exists()


def find_wal(path: str) -> str:
    """Where the write-ahead log is that the file lacks; empty if there is none."""
    return next((path + suffix for suffix in (_SPOILT_LOG, LOG) if Path(path + suffix).exists()), "")


def _rename(one: str, other: str) -> None:
    """Renames, for good."""
    Path(one).rename(other)
    sync_folder(other)


def sync_folder(path: str) -> None:
    """Has it on the disk which files lie beside this one."""
    folder = os.open(Path(path).absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
