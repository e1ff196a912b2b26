"""Opens the file: what SQLite is set to, the tables, and which versions of them this release can use.

The version stands in `user_version` as major * 1000 + minor. A minor only adds what its predecessor may ignore, so a
newer minor opens; another major does not. What the rows mean, it does not know.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.sqlite.seal import seal

APPLICATION_ID = 0x49434D44  # "ICMD": what `file` shows, and what tells our database from another program's.
MAJOR = 1
MINOR = 0
VERSION = MAJOR * 1000 + MINOR

GENERATIONS = 3
"""Of the duplicate window: the younger, the older, and the one that is being emptied."""
CACHE_KIB = 8 * 1024
"""Pages in memory: the tails of the logs, of the duplicate window and of the journal fit several times over."""
CHECKPOINT_PAGES = 4_000
"""16 MiB of write-ahead log before it is copied back, so that a page written by many commits is copied once."""
WAL_KEPT_BYTES = 32 << 20
"""After a long transaction the write-ahead log shrinks back to this."""

_LOCKING = "PRAGMA locking_mode = EXCLUSIVE"  # The index of the write-ahead log stays in our memory, in no shared file.
_SETTINGS = (
    "PRAGMA page_size = 4096",
    "PRAGMA auto_vacuum = NONE",  # Freed pages are used again; moving pages at each commit would cost more.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # A commit returns after the sync: that is what ACCEPTED means.
    "PRAGMA fullfsync = ON",  # macOS alone: a sync that reaches the platter.
    "PRAGMA mmap_size = 0",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = OFF",  # Some builds overwrite freed pages by default, which doubles the cost of settling.
    "PRAGMA cell_size_check = ON",  # A damaged page is an error, never a wrong row.
    "PRAGMA trusted_schema = OFF",
)

_TABLES = (
    # One row: what is counted instead of scanned, so that opening reads no backlog.
    """CREATE TABLE counters (
        row INTEGER PRIMARY KEY CHECK (row = 1), position INTEGER NOT NULL, sequence INTEGER NOT NULL,
        outcomes INTEGER NOT NULL, contacts INTEGER NOT NULL, seconds INTEGER NOT NULL, damaged INTEGER NOT NULL,
        generation INTEGER NOT NULL, oldest_generation INTEGER NOT NULL, generation_ids INTEGER NOT NULL,
        turned_at REAL NOT NULL, elapsed_seconds REAL NOT NULL, seal INTEGER NOT NULL)""",
    """CREATE TABLE connections (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused INTEGER NOT NULL, normal INTEGER NOT NULL,
        bulk INTEGER NOT NULL, parked_lanes INTEGER NOT NULL, dead_letters INTEGER NOT NULL, bytes INTEGER NOT NULL,
        seal INTEGER NOT NULL)""",
    # No index beside the key: an append only ever touches the last page of its log.
    """CREATE TABLE log (
        key INTEGER PRIMARY KEY, lane TEXT NOT NULL, envelope_id NOT NULL, accept_time REAL NOT NULL,
        data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    """CREATE TABLE parked (
        key INTEGER PRIMARY KEY, connection INTEGER NOT NULL, lane TEXT NOT NULL, envelope_id NOT NULL,
        accept_time REAL NOT NULL, data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX parked_by_lane ON parked (connection, lane, key)",
    """CREATE TABLE lanes (
        connection INTEGER NOT NULL, lane TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL,
        oldest REAL NOT NULL, PRIMARY KEY (connection, lane)) WITHOUT ROWID""",
    "CREATE INDEX lanes_by_due ON lanes (connection, due)",
    "CREATE INDEX lanes_by_oldest ON lanes (connection, oldest)",
    "CREATE TABLE progress (key INTEGER PRIMARY KEY, data BLOB NOT NULL, seal INTEGER NOT NULL)",
    # The duplicate window, a table for each of the generations that may exist at once: a UUID's text as its 16 bytes,
    # any other id as text. Time-ordered ids append.
    *(
        f"""CREATE TABLE recent_{place} (
            connection INTEGER NOT NULL, envelope_id NOT NULL, key INTEGER NOT NULL,
            PRIMARY KEY (connection, envelope_id)) WITHOUT ROWID"""
        for place in range(GENERATIONS)
    ),
    # `last` counts the pairs up to and with this row's, 16 bytes each.
    "CREATE TABLE seconds (last INTEGER PRIMARY KEY, pairs BLOB NOT NULL)",
    """CREATE TABLE contacts (
        number INTEGER PRIMARY KEY, connection INTEGER NOT NULL, contact_id TEXT NOT NULL, data BLOB NOT NULL,
        seal INTEGER NOT NULL, UNIQUE (connection, contact_id))""",
    """CREATE TABLE identities (
        connection INTEGER NOT NULL, lane TEXT NOT NULL, contact INTEGER NOT NULL, seal INTEGER NOT NULL,
        PRIMARY KEY (connection, lane)) WITHOUT ROWID""",
    "CREATE INDEX identities_by_contact ON identities (contact)",
    """CREATE TABLE journal (
        sequence INTEGER PRIMARY KEY, connection INTEGER NOT NULL, envelope_id NOT NULL, customer_id TEXT NOT NULL,
        email TEXT NOT NULL, type INTEGER NOT NULL, data BLOB NOT NULL)""",
    """CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, connection INTEGER NOT NULL, priority INTEGER NOT NULL, origin INTEGER NOT NULL,
        envelope_id NOT NULL, customer_id TEXT NOT NULL, email TEXT NOT NULL, reason TEXT NOT NULL,
        accept_time REAL NOT NULL, data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX dead_letters_by_origin ON dead_letters (origin)",
    """CREATE TABLE damaged (
        number INTEGER PRIMARY KEY, place TEXT NOT NULL, key INTEGER NOT NULL, lane TEXT NOT NULL,
        reason TEXT NOT NULL, data BLOB)""",
)


def open_database(path: str, now: float) -> sqlite3.Connection:
    """The file as a connection in autocommit, made if it is not there; for the calling thread alone.

    Raises:
        SpoolUnusable: not a database, another program's, another major version's, or not writable.
    """
    with usable(path):
        # It holds personal data: where it is new it is its owner's alone, and so are the files beside it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, isolation_level=None, cached_statements=128)
    try:
        # Text that rot has made invalid must not stop the rows around it from being read.
        database.text_factory = partial(str, encoding="utf-8", errors="replace")
        with usable(path):
            database.execute(_LOCKING).fetchall()
            new = _is_new(database, path)  # Before anything is set, so that a file which is not ours stays as it is.
            for setting in _SETTINGS:
                database.execute(setting).fetchall()
            if new:
                _create(database, now)
    except SpoolUnusable:
        database.close()
        raise
    return database


@contextmanager
def usable(path: str) -> Iterator[None]:
    """Turns what SQLite says of a file that it cannot use into SpoolUnusable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SpoolUnusable(f"{path} cannot be used as a spool: {error}; check the path and its permissions") from error


def _is_new(database: sqlite3.Connection, path: str) -> bool:
    """Whether the file has nothing in it yet; what is in it must be ours.

    Raises:
        SpoolUnusable: another program's, or another major version's.
    """
    application_id: int = database.execute("PRAGMA application_id").fetchone()[0]
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    tables: int = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not tables and not application_id:
        return True
    if application_id != APPLICATION_ID:
        raise SpoolUnusable(f"{path} is another program's database; name another file in spool.url")
    if version // 1000 != MAJOR:
        raise SpoolUnusable(
            f"{path} has the format {version // 1000}.{version % 1000}, and this release reads {MAJOR}.x;"
            " let the release that wrote it deliver what waits, or name another file in spool.url"
        )
    return False


def _create(database: sqlite3.Connection, now: float) -> None:
    database.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        database.execute(table)
    counters = (1, 0, 0, 0, 0, 0, 0, 2, 1, 0, float(now), 0.0)
    database.execute(
        "INSERT INTO counters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*counters, seal(*counters))
    )
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")
