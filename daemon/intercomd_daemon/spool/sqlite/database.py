"""Opens the database file: SQLite's settings, and which files this release can use.

A file of another program or of another major version is left unchanged. A corrupt spool raises `SpoolCorrupt`, so that
the caller can repair it.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.quota import LOG_BYTES_MAX, log_bytes
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt, check_wal, is_corruption, preserve_unread_wal
from intercomd_daemon.spool.sqlite.file import header, replacement
from intercomd_daemon.spool.sqlite.file.header import APPLICATION_ID

CACHE_KIB = 8 * 1024
"""SQLite's page cache. The ends of the logs, of the duplicate window and of the journal fit several times over."""
WAL_KEPT_BYTES = 32 << 20
"""The size to which the write-ahead log shrinks after a long transaction."""

_PAGE_BYTES = 4_096
_PRIMARY_CODE = 0xFF

_LOCKING = "PRAGMA locking_mode = EXCLUSIVE"  # The index of the write-ahead log stays in our memory, in no shared file.
_FORMAT = (
    "PRAGMA page_size = 4096",
    "PRAGMA auto_vacuum = NONE",  # Freed pages are used again; moving pages at each commit would cost more.
)
_SETTINGS = (
    *_FORMAT,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # A commit returns after the sync: that is what ACCEPTED means.
    "PRAGMA fullfsync = ON",  # macOS alone: a sync that reaches the platter.
    "PRAGMA mmap_size = 0",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint = {LOG_BYTES_MAX // _PAGE_BYTES}",
    f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = OFF",  # Some builds overwrite freed pages by default, which doubles the cost of settling.
    "PRAGMA cell_size_check = ON",  # A damaged page is an error, never a wrong row.
    "PRAGMA trusted_schema = OFF",
)


def open_database(path: str, now: float, additions: Sequence[Sequence[str]] = schema.ADDITIONS) -> sqlite3.Connection:
    """Opens the file in autocommit mode, creating it if it does not exist; for the calling thread alone.

    Raises:
        SpoolUnusable: not a database, another program's, another major version's, or not writable.
        SpoolCorrupt: a spool that must be repaired before it is used.
    """
    with usable(path):
        # The file holds personal data: only its owner may read it, or the files that SQLite creates beside it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    database, new = _connect_sound(path, additions)
    with _closed_on_failure(database), usable(path):
        for setting in _SETTINGS:
            database.execute(setting).fetchall()
        if new:
            schema.create(database, now, additions)
        else:
            schema.upgrade(database, additions)
    return database


def limit_log(database: sqlite3.Connection, path: str) -> None:
    """Has the write-ahead log copied back the earlier, the smaller the volume is."""
    disk = os.statvfs(Path(path).absolute().parent)
    size = log_bytes(disk.f_blocks * disk.f_frsize)
    if size < LOG_BYTES_MAX:
        database.execute(f"PRAGMA wal_autocheckpoint = {size // _PAGE_BYTES}").fetchall()
        database.execute(f"PRAGMA journal_size_limit = {size}").fetchall()


def open_for_reading(path: str) -> sqlite3.Connection:
    """Opens a spool's file for a caller that only reads.

    Raises:
        SpoolUnusable: not a database, another program's, another major version's, or empty.
        SpoolCorrupt: a spool that must be repaired before it is used.
    """
    database, new = _connect_sound(path, schema.ADDITIONS)
    if new:
        database.close()
        raise SpoolUnusable(f"{path} is empty: either no daemon has used it yet, or its content is lost")
    return database


def connect(path: str) -> sqlite3.Connection:
    """Connects to the file, whatever it holds; reads nothing yet."""
    database = sqlite3.connect(path, isolation_level=None, cached_statements=128)
    # Text that corruption made invalid must not stop the rows around it from being read.
    database.text_factory = partial(str, encoding="utf-8", errors="replace")
    with _closed_on_failure(database):
        database.execute(_LOCKING).fetchall()
    return database


def create_unsynced(path: str, now: float) -> sqlite3.Connection:
    """Creates a spool in an empty file, unsynced: the caller syncs it once it is filled."""
    database = connect(path)
    with _closed_on_failure(database):
        for setting in (*_FORMAT, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"):
            database.execute(setting).fetchall()
        schema.create(database, now)
    return database


@contextmanager
def usable(path: str) -> Iterator[None]:
    """Turns SQLite's error on a file that it cannot use into SpoolUnusable, or SpoolCorrupt if the file is a spool."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        if is_corruption(error, opening=True) and header.is_ours(path):
            raise SpoolCorrupt(str(error)) from error
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY:
            raise SpoolUnusable(f"{path} is open in another program: {error}; end that program first") from error
        raise SpoolUnusable(f"{path} cannot be used as a spool: {error}; check the path and its permissions") from error


@contextmanager
def _closed_on_failure(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def _connect_sound(path: str, additions: Sequence[Sequence[str]]) -> tuple[sqlite3.Connection, bool]:
    """Connects to the file, and returns whether it is new. No setting is applied yet: the file may not be ours."""
    with usable(path):
        # A write-ahead log may hold the first page, and then the file's own is not read.
        if not Path(path + replacement.WAL).exists() and (problem := header.foreign(path)):
            raise SpoolUnusable(problem)
        if not header.is_sound(path):
            raise SpoolCorrupt("the file's header is not what was written")
        preserve_unread_wal(path)
        database = connect(path)
    with _closed_on_failure(database), usable(path):
        new = _is_new(database, path, additions)
        check_wal(database, path)
    return database, new


def _is_new(database: sqlite3.Connection, path: str, additions: Sequence[Sequence[str]]) -> bool:
    """Whether the file is empty; if it is not, it must be a spool.

    Raises:
        SpoolUnusable: another program's, or another major version's.
        SpoolCorrupt: a spool whose tables are not defined as they were created.
    """
    application_id: int = database.execute("PRAGMA application_id").fetchone()[0]
    tables: int = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not tables and not application_id:
        return True
    if application_id != APPLICATION_ID and not header.is_ours(path):
        raise SpoolUnusable(header.foreign_message(path))
    if problem := schema.version_problem(path, schema.version_of(database)):
        raise SpoolUnusable(problem)
    if application_id != APPLICATION_ID or schema.differing_definitions(database, additions):
        raise SpoolCorrupt("the tables are not defined as they were created")
    return False
