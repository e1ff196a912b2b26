"""A new file of what can be read of a damaged one: sound rows alone, and every counter counted anew.

What was accepted and what became of it is looked for in every page where SQLite cannot read it. What can be had again
(contacts, ids of the duplicate window) comes along where SQLite can.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.sqlite import layout, ledger, schema
from intercomd_daemon.spool.sqlite.file import place, wal
from intercomd_daemon.spool.sqlite.repair.findings import Contents
from intercomd_daemon.spool.sqlite.repair.outdated import drop_outdated
from intercomd_daemon.spool.sqlite.repair.recount import Remembered, recount
from intercomd_daemon.spool.sqlite.repair.source import Source
from intercomd_daemon.spool.sqlite.repair.tables import CONTACTS, COUNTED, PRECIOUS, SECONDS, Row, Table
from intercomd_daemon.spool.sqlite.rows import Damaged, end_damaged
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.transaction import Transaction


class Repaired(NamedTuple):
    """What has become of a damaged spool."""

    contents: Contents
    """What the new one holds."""
    kept: str
    """Where the old file is."""


def repair(path: str, now: float) -> Repaired:
    """Puts a new file of what is readable in the place of the spool's; for whoever holds its lock and has it closed.

    `now` is in Unix seconds.

    Raises:
        OSError: a file cannot be opened or written; the spool is as it was.
        sqlite3.Error: the new file cannot be written; the spool is as it was.
    """
    place.complete(path)
    try:
        contents = rebuild(path, place.unfinished(path), now)
        return Repaired(contents, place.replace(path, now))
    finally:
        place.abandon(path)


def rebuild(path: str, target: str, now: float) -> Contents:
    """Writes what is readable of a spool to another file, which is empty, and syncs it; the spool is only read.

    Returns what the new file holds.

    Raises:
        OSError: a file cannot be opened.
        sqlite3.Error: the new file cannot be written.
    """
    log = place.log_beside(path)
    if log:
        path = place.copy(path)
        wal.merge(log, path)
    with closing(schema.create_unsynced(target, now)) as new, Source(path) as source:
        new.execute("BEGIN")
        remembered = _copy(source, new)
        if source.needs_pages:
            remembered.update(_copy_pages(source, new))
        if source.needs_pages or log:
            drop_outdated(new)
        contents = recount(new, remembered, now)
        contents = contents._replace(outcomes=contents.outcomes + _end_damaged(new, now))
        new.execute("COMMIT")
    descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    os.fsync(descriptor)
    os.close(descriptor)
    return contents


def _copy(source: Source, new: sqlite3.Connection) -> Remembered:
    remembered = Remembered()
    new.execute("CREATE TABLE damaged_rows (key INTEGER PRIMARY KEY, lane TEXT, name, accept_time REAL, wrong TEXT)")
    for table in (*PRECIOUS, CONTACTS, SECONDS):
        _insert(new, table, _sound(source, table, new))
    for table in COUNTED:
        for row in _sound(source, table, new):
            remembered.enter(table, row)
    remembered.names |= source.names()
    _insert_identities(source, new)
    for name in layout.RECENT:
        ids = source.query(name, f"SELECT connection, envelope_id, key FROM {name}")  # noqa: S608 - our own names
        known = (row for row in ids if isinstance(row[0], int) and isinstance(row[1], str | bytes))
        new.executemany(f"INSERT OR IGNORE INTO {name} VALUES (?, ?, ?)", known)  # noqa: S608 - our own names
    source.close()
    return remembered


def _sound(source: Source, table: Table, new: sqlite3.Connection) -> Iterator[Row]:
    """The rows that are what was written; of the others it is noted which envelopes they were, where they say so."""
    for row, wrong in source.rows(table):
        if not wrong:
            yield row
        elif damaged := table.identified(row):
            new.execute("INSERT OR IGNORE INTO damaged_rows VALUES (?, ?, ?, ?, ?)", damaged)


def _end_damaged(new: sqlite3.Connection, now: float) -> int:
    """Enters the outcomes of the envelopes that were noted, as a daemon does that meets such a row; how many it was."""
    before = ledger.load(new)
    transaction = Transaction(new, before.copy(), now, 0.0)
    found = "SELECT * FROM damaged_rows WHERE key NOT IN (SELECT key FROM log UNION ALL SELECT key FROM parked)"
    for row in new.execute(f"{found} ORDER BY key"):
        if connection_of(row[0]) in before.accounts:
            end_damaged(transaction, Damaged(*row))
    ledger.store(new, transaction.ledger, before)
    new.execute("DROP TABLE damaged_rows")
    return transaction.ledger.counters.outcomes - before.counters.outcomes


def _insert(new: sqlite3.Connection, table: Table, rows: Iterable[Row]) -> None:
    new.executemany(
        f"INSERT OR IGNORE INTO {table.name} ({', '.join(table.columns)})"  # noqa: S608 - our own names
        f" VALUES ({', '.join('?' * len(table.columns))})",
        rows,
    )


def _insert_identities(source: Source, new: sqlite3.Connection) -> None:
    """Who a lane is, where the contact came along."""
    rows = source.query("identities", "SELECT connection, lane, contact, seal FROM identities")
    for connection, lane, contact, sealed in rows:
        found = new.execute("SELECT contact_id FROM contacts WHERE number = ?", (contact,)).fetchone()
        if found and sealed == seal(connection, lane, found[0]):
            identity = (connection, lane, contact, sealed)
            new.execute(
                "INSERT OR IGNORE INTO identities (connection, lane, contact, seal) VALUES (?, ?, ?, ?)", identity
            )


def _copy_pages(source: Source, new: sqlite3.Connection) -> Remembered:
    """What stands in the pages of tables that SQLite could not read."""
    remembered = Remembered()
    for table, row in source.by_pages():
        if table in COUNTED:
            remembered.enter(table, row)
        else:
            _insert(new, table, [row])
    return remembered
