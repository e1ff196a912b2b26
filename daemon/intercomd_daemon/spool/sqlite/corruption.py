"""Detects corruption: whether the file is what was written. A corrupt file is repaired before it is read any further.

Opening checks what every operation relies on, and the waiting rows if they are few; the rows of a large backlog are
checked when they are read.
"""

import sqlite3
from pathlib import Path

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool.sqlite.file import replacement, wal

CHECKED_BYTES_MAX = 32 << 20
"""Bytes of waiting rows up to which opening checks them; SQLite checks 32 MiB in some hundredths of a second."""
_VITAL = ("counters", "connections")
_WAITING = ("log", "parked", "lanes", "progress", "dead_letters")

_OF_THE_FILE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# "A generic error code": none of our statements is wrong, so the file does not fit them.
_AT_THE_OPENING = {*_OF_THE_FILE, sqlite3.SQLITE_ERROR}
_PRIMARY = 0xFF


class SpoolCorrupt(IntercomdError):
    """The file is corrupt in a way that makes more than one record doubtful."""


def is_corruption(error: BaseException, *, opening: bool = False) -> bool:
    """Whether the error means that the file is corrupt, rather than that the disk or the program fails."""
    # SQLite quotes the file's content in its messages, and Python decodes them as UTF-8.
    if isinstance(error, SpoolCorrupt | UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in (_AT_THE_OPENING if opening else _OF_THE_FILE)


def preserve_unread_wal(path: str) -> None:
    """Preserves a write-ahead log that SQLite would delete unread because its database file is empty."""
    log = Path(path + replacement.WAL)
    if not Path(path).stat().st_size and log.exists() and log.stat().st_size:
        replacement.preserve_wal(path)


def check_wal(database: sqlite3.Connection, path: str) -> None:
    """Checks that SQLite has read the write-ahead log to its last commit; if not, preserves the log unchanged.

    Raises:
        SpoolCorrupt: it has not, now or at an earlier opening.
    """
    log = Path(path + replacement.WAL)
    if not replacement.has_preserved_wal(path) and log.exists():
        frames = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0][1]
        with log.open("rb") as file:
            beyond = wal.commits(file, max(frames, 0))
        if beyond and wal.certain(beyond, _commits(database)):
            replacement.preserve_wal(path)
    if replacement.has_preserved_wal(path):
        raise SpoolCorrupt("the write-ahead log is damaged, and commits follow the damage")


def _commits(database: sqlite3.Connection) -> int:
    """Returns how many commits SQLite knows of."""
    try:
        return int(database.execute("SELECT commits FROM counters").fetchone()[0])
    except (sqlite3.Error, TypeError):  # It has not even read of the table.
        return 0


def check_tables(database: sqlite3.Connection, waiting_bytes: int) -> None:
    """Has SQLite check what every operation relies on, and the waiting rows unless that takes long.

    Raises:
        SpoolCorrupt: something is wrong; or SQLite's error.
    """
    for table in (*_VITAL, *(_WAITING if waiting_bytes <= CHECKED_BYTES_MAX else ())):
        if _found(database, table):
            # SQLite reports a failed read in the same words as corruption. If the disk still fails, reading the table
            # raises the disk's error; if it works again, nothing is found any more.
            _read(database, table)
            if found := _found(database, table):
                raise SpoolCorrupt(found)


def _read(database: sqlite3.Connection, table: str) -> None:
    """Reads a table and its indexes to their end, as far as corruption lets it.

    Raises:
        sqlite3.Error: the disk fails.
    """
    named = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?"
    indexes = [str(row[0]) for row in database.execute(named, (table,)).fetchall()]
    for use in ("NOT INDEXED", *(f"INDEXED BY {index}" for index in indexes)):
        try:
            for _ in database.execute(f"SELECT * FROM {table} {use}"):  # noqa: S608 - our own names
                pass
        except sqlite3.Error as error:
            if not is_corruption(error, opening=True):
                raise


def _found(database: sqlite3.Connection, table: str) -> str:
    """Returns the first error that SQLite finds in a table; empty if it is sound."""
    found = str(database.execute(f"PRAGMA integrity_check({table})").fetchall()[0][0])
    return "" if found == "ok" else found
