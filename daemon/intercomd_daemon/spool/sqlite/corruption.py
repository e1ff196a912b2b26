"""Whether the file is what was written; where it is not, nothing is to be read from it before it has been rebuilt.

At the opening it looks at what every operation rests on, and at what waits if that is little; a large backlog is looked
at where it is read. What is then to be done, it does not know.
"""

import sqlite3
from pathlib import Path

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool.sqlite.file import replacement, wal

CHECKED_BYTES_MAX = 32 << 20
"""Of what waits: SQLite checks so much in some hundredths of a second."""
_VITAL = ("counters", "connections")
_WAITING = ("log", "parked", "lanes", "progress", "dead_letters")

_OF_THE_FILE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# "A generic error code": of our statements none is wrong, so it is the file that they do not fit.
_AT_THE_OPENING = {*_OF_THE_FILE, sqlite3.SQLITE_ERROR}
_PRIMARY = 0xFF


class SpoolCorrupt(IntercomdError):
    """The file is not what was written, in a way that makes more of it doubtful than one record."""


def is_corruption(error: BaseException, *, opening: bool = False) -> bool:
    """Whether the file, and neither the disk nor the program, is what is wrong."""
    # SQLite quotes in its errors what stands in the file, and Python takes that for UTF-8.
    if isinstance(error, SpoolCorrupt | UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in (_AT_THE_OPENING if opening else _OF_THE_FILE)


def preserve_unread_wal(path: str) -> None:
    """Keeps a write-ahead log that SQLite would delete unread, as the file that it belongs to is empty."""
    log = Path(path + replacement.LOG)
    if not Path(path).stat().st_size and log.exists() and log.stat().st_size:
        replacement.preserve_wal(path)


def check_wal(database: sqlite3.Connection, path: str) -> None:
    """Makes sure that SQLite has read the write-ahead log to the end of its commits; else the log is kept as it is.

    Raises:
        Malformed: it has not, now or at an earlier opening.
    """
    log = Path(path + replacement.LOG)
    if not replacement.has_preserved_wal(path) and log.exists():
        frames = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0][1]
        with log.open("rb") as file:
            beyond = wal.commits(file, max(frames, 0))
        if beyond and wal.certain(beyond, _commits(database)):
            replacement.preserve_wal(path)
    if replacement.has_preserved_wal(path):
        raise SpoolCorrupt("the write-ahead log is damaged, and commits stand behind the damage")


def _commits(database: sqlite3.Connection) -> int:
    """How many commits SQLite has read of."""
    try:
        return int(database.execute("SELECT commits FROM counters").fetchone()[0])
    except (sqlite3.Error, TypeError):  # It has not even read of the table.
        return 0


def check_tables(database: sqlite3.Connection, waiting_bytes: int) -> None:
    """Has SQLite check what every operation rests on, and what waits unless that takes long.

    Raises:
        Malformed: something is wrong; or SQLite's error.
    """
    for table in (*_VITAL, *(_WAITING if waiting_bytes <= CHECKED_BYTES_MAX else ())):
        # What the disk could not read, SQLite tells in the same words as damage: only what is found again is damage.
        if _found(database, table) and (found := _found(database, table)):
            raise SpoolCorrupt(found)


def _found(database: sqlite3.Connection, table: str) -> str:
    """The first of what SQLite finds wrong with a table; empty if it is sound."""
    found = str(database.execute(f"PRAGMA integrity_check({table})").fetchall()[0][0])
    return "" if found == "ok" else found
