"""Builds a new file of what can be read of a corrupt one: sound rows only, and every counter counted again.

Rows that SQLite cannot read are searched in every page, as they were accepted and must not be lost. What can be had
again (contacts, ids of the duplicate window) is copied only where SQLite can read it.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.maintenance import Contents, Repaired
from intercomd_daemon.spool.sqlite import fingerprints, schema
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.counters import load_counters, store_counters
from intercomd_daemon.spool.sqlite.database import create_unsynced
from intercomd_daemon.spool.sqlite.file import replacement, wal
from intercomd_daemon.spool.sqlite.repair.outdated import drop_outdated
from intercomd_daemon.spool.sqlite.repair.recount import OldCounters, recount
from intercomd_daemon.spool.sqlite.repair.source import SourceFile
from intercomd_daemon.spool.sqlite.repair.tables import CONTACTS, COUNTED, PRECIOUS, SECONDS, Table, TableRow
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.waiting_rows import CorruptRow, complete_corrupt


def repair(path: str, now: float) -> Repaired:
    """Replaces the spool's file by a new one of what is readable; the caller holds the lock and has the file closed.

    `now` is in Unix seconds.

    Raises:
        OSError: a file cannot be opened or written; the spool is unchanged.
        sqlite3.Error: the new file cannot be written; the spool is unchanged.
    """
    replacement.complete(path)
    try:
        contents = rebuild(path, replacement.unfinished(path), now)
        return Repaired(contents, replacement.replace(path, now))
    finally:
        replacement.abandon(path)


def rebuild(path: str, target: str, now: float) -> Contents:
    """Writes what is readable of a spool to another, empty file and syncs it; the spool is only read.

    Returns what the new file holds.

    Raises:
        OSError: a file cannot be opened.
        sqlite3.Error: the new file cannot be written.
    """
    log = replacement.find_wal(path)
    if log:
        path = replacement.copy(path)
        wal.merge(log, path)
    with closing(create_unsynced(target, now)) as new, SourceFile(path) as source:
        new.execute("BEGIN")
        old_counters = _copy_tables(source, new)
        if source.needs_page_scan:
            old_counters.update(_copy_pages(source, new))
        # Pages, and a write-ahead log merged frame by frame, may bring back what was over already.
        if source.needs_page_scan or log:
            drop_outdated(new)
        contents = recount(new, old_counters, now)
        fingerprints.fill(new)
        contents = contents._replace(outcomes=contents.outcomes + _complete_corrupt_rows(new, now))
        new.execute("COMMIT")
    descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    os.fsync(descriptor)
    os.close(descriptor)
    return contents


def _copy_tables(source: SourceFile, new: sqlite3.Connection) -> OldCounters:
    """Copies the sound rows that SQLite can read; returns the counters among them."""
    old_counters = OldCounters()
    new.execute("CREATE TABLE corrupt_rows (key INTEGER PRIMARY KEY, lane TEXT, id, accept_time REAL, error TEXT)")
    for table in (*PRECIOUS, CONTACTS, SECONDS):
        _insert(new, table, _sound(source, table, new))
    for table in COUNTED:
        for row in _sound(source, table, new):
            old_counters.enter(table, row)
    old_counters.names |= source.names()
    _copy_identities(source, new)
    for name in schema.RECENT:
        ids = source.query(name, f"SELECT connection, envelope_id, key FROM {name}")  # noqa: S608 - our own names
        known = (row for row in ids if isinstance(row[0], int) and isinstance(row[1], str | bytes))
        new.executemany(f"INSERT OR IGNORE INTO {name} VALUES (?, ?, ?)", known)  # noqa: S608 - our own names
    for name, columns in schema.COPIED_IF_READABLE:
        found = source.query(name, f"SELECT {columns} FROM {name}")  # noqa: S608 - our own names
        marks = ", ".join("?" * len(columns.split(",")))
        new.executemany(f"INSERT OR IGNORE INTO {name} ({columns}) VALUES ({marks})", found)  # noqa: S608 - our own names
    source.close()
    return old_counters


def _sound(source: SourceFile, table: Table, new: sqlite3.Connection) -> Iterator[TableRow]:
    """Returns the sound rows; corrupt ones that still identify their envelope are noted in `corrupt_rows`."""
    for row, error in source.rows(table):
        if not error:
            yield row
        elif corrupt := table.identify(row):
            new.execute("INSERT OR IGNORE INTO corrupt_rows VALUES (?, ?, ?, ?, ?)", corrupt)


def _complete_corrupt_rows(new: sqlite3.Connection, now: float) -> int:
    """Adds the outcomes of the noted envelopes, as a daemon does that reads such a row; returns how many."""
    before = load_counters(new)
    transaction = Transaction(new, before.copy(), now, 0.0)
    found = "SELECT * FROM corrupt_rows WHERE key NOT IN (SELECT key FROM log UNION ALL SELECT key FROM parked)"
    for row in new.execute(f"{found} ORDER BY key"):
        if connection_of(row[0]) in before.connections:
            complete_corrupt(transaction, CorruptRow(*row))
    store_counters(new, transaction.counters, before)
    new.execute("DROP TABLE corrupt_rows")
    return transaction.counters.spool.outcomes - before.spool.outcomes


def _insert(new: sqlite3.Connection, table: Table, rows: Iterable[TableRow]) -> None:
    new.executemany(
        f"INSERT OR IGNORE INTO {table.name} ({', '.join(table.columns)})"  # noqa: S608 - our own names
        f" VALUES ({', '.join('?' * len(table.columns))})",
        rows,
    )


def _copy_identities(source: SourceFile, new: sqlite3.Connection) -> None:
    """Copies which contact a lane is, where the contact was copied."""
    rows = source.query("identities", "SELECT connection, lane, contact, seal FROM identities")
    for connection, lane, contact, checksum in rows:
        found = new.execute("SELECT contact_id FROM contacts WHERE number = ?", (contact,)).fetchone()
        if found and checksum == row_checksum(connection, lane, found[0]):
            identity = (connection, lane, contact, checksum)
            new.execute(
                "INSERT OR IGNORE INTO identities (connection, lane, contact, seal) VALUES (?, ?, ?, ?)", identity
            )


def _copy_pages(source: SourceFile, new: sqlite3.Connection) -> OldCounters:
    """Copies the sound rows of all pages; returns the counters among them."""
    old_counters = OldCounters()
    for table, row in source.scan_pages():
        if table in COUNTED:
            old_counters.enter(table, row)
        else:
            _insert(new, table, [row])
    return old_counters
