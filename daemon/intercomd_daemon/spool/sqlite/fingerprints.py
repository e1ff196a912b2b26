"""Fingerprints of the waiting rows: 32 bits each of a row's lane, email and id, by which the trail finds it.

An entry has about 25 bytes, so a search reads a twentieth of what the rows take. Appends add entries at the end of the
table, where an index by user would change a page for each row. An entry stays while its row waits, in the log or
parked. A match only names a candidate: another text may have the same fingerprint.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.spool import record
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.rows import POSITION_BITS, position_of
from intercomd_daemon.spool.sqlite.chunk import Chunk
from intercomd_daemon.spool.sqlite.transaction import Transaction, placeholders
from intercomd_daemon.spool.sqlite.where import Where
from intercomd_daemon.spool.trail import TrailFilter

SEARCHED_PER_COMMIT = 16_384
"""Entries searched in one operation: some 2 ms, and ten times that if the disk has to read them."""
CANDIDATES_MAX = 256
"""Candidates that one operation returns: the caller reads their rows."""

_INSERT = "INSERT OR IGNORE INTO fingerprints (position, log, lane, email, envelope_id) VALUES"

RowTexts = tuple[int, str, str, str]
"""A row's key, and the texts that get fingerprints: lane, email and envelope id."""
Entry = tuple[int, int, int, int | None, int]
"""A row of the table: position, log, and the fingerprints of lane, email and envelope id."""


def add(transaction: Transaction, rows: Iterable[RowTexts]) -> None:
    """Adds the entries of rows that were appended."""
    transaction.insert(_insert_statement, [_entry(*row) for row in rows])


def remove(transaction: Transaction, keys: Sequence[int]) -> None:
    """Removes the entries of rows that no longer wait."""
    transaction.database.execute(
        "DELETE FROM fingerprints WHERE position IN (SELECT value FROM json_each(?))",
        (json.dumps([position_of(key) for key in keys]),),
    )


def fill(database: sqlite3.Connection) -> None:
    """Adds the entries of all rows of a file that has none yet; reads every row."""
    for table in ("log", "parked"):
        rows = database.execute(f"SELECT key, data FROM {table}")  # noqa: S608 - our own names
        database.executemany(f"{_INSERT} (?, ?, ?, ?, ?)", (_entry(*row) for row in _readable(rows)))


def find(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Chunk[int]:
    """Returns candidates among the next entries below the position `before` (0: all)."""
    top = before or 1 << POSITION_BITS
    seen, last = transaction.database.execute(
        "SELECT count(*), min(position) FROM"
        " (SELECT position FROM fingerprints WHERE position < ? ORDER BY position DESC LIMIT ?)",
        (top, SEARCHED_PER_COMMIT),
    ).fetchone()
    where = _where(transaction, wanted)
    limit = min(limit, CANDIDATES_MAX)
    found = transaction.database.execute(
        f"SELECT log, position FROM fingerprints WHERE position < ? AND position >= ?{where}"  # noqa: S608 - our own clauses
        " ORDER BY position DESC LIMIT ?",
        (top, last or top, *where.values, limit),
    ).fetchall()
    keys = [(log << POSITION_BITS) + position for log, position in found]
    if len(found) == limit:
        return Chunk(keys, found[-1][1])
    return Chunk(keys, last if seen == SEARCHED_PER_COMMIT else 0)


def _where(transaction: Transaction, wanted: TrailFilter) -> Where:
    """Returns the condition of a matching entry."""
    where = Where()
    connections = transaction.counters.connections
    numbers = [number for number, each in connections.items() if wanted.matches_connection(each.name)]
    if len(numbers) < len(connections):
        where.is_among("log", [log_start(each, priority) >> POSITION_BITS for each in numbers for priority in Priority])
    if wanted.envelope_id:
        where.add("envelope_id = ?", fingerprint(wanted.envelope_id))
    users = {"lane": wanted.customer_id and lane_of(wanted.customer_id, ""), "email": wanted.email}
    where.equals_any({column: fingerprint(text) for column, text in users.items() if text})
    return where


def _entry(key: int, lane: str, email: str, envelope_id: str) -> Entry:
    return (
        position_of(key),
        key >> POSITION_BITS,
        fingerprint(lane),
        fingerprint(email) if email else None,
        fingerprint(envelope_id),
    )


def _readable(rows: Iterable[tuple[int, bytes]]) -> Iterator[RowTexts]:
    """Yields the rows whose records can be read. Delivery quarantines the others, and the trail does not show them."""
    for key, data in rows:
        try:
            envelope = record.unpack(data, AcceptedEnvelope)
        except RecordDamaged:
            continue
        yield key, lane_of(envelope.customer_id, envelope.email), envelope.email, envelope.envelope_id


@cache
def _insert_statement(rows: int) -> str:
    return f"{_INSERT} {placeholders(5, rows)}"
