"""Waiting rows, in the log or parked: reads pages of them, deletes them, and quarantines corrupt ones.

A row is in exactly one of the two tables.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import completion
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES
from intercomd_daemon.spool.rows import Row
from intercomd_daemon.spool.sqlite import fingerprints, journal
from intercomd_daemon.spool.sqlite.checksum import RECORD_STAMP_BYTES, row_checksum
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.duplicate_window import unpack_id
from intercomd_daemon.spool.sqlite.quarantine import count_quarantined, record_error
from intercomd_daemon.spool.sqlite.transaction import Transaction

TABLES: Final = ("log", "parked")


def columns_of(table: str) -> str:
    """Returns the columns that `read_page` needs of `log` or `parked`, joined with `progress`."""
    columns = ("key", "lane", "envelope_id", "accept_time", "data", "seal")
    return ", ".join([f"{table}.{column}" for column in columns] + ["progress.data", "progress.seal"])


def progress_checksum(key: int, data: bytes) -> int:
    """Returns the checksum that binds progress to its row: another row's progress would leave calls out."""
    return row_checksum(key, data[:RECORD_STAMP_BYTES])


class CorruptRow(NamedTuple):
    """A row whose record is corrupt while its row checksum is right: whose it was is certain."""

    key: int
    lane: str
    packed_id: str | bytes
    """The envelope's id by `duplicate_window.pack_id`."""
    accept_time: float
    error: str


class Page(NamedTuple):
    """The rows of one read."""

    rows: list[Row]
    parked: dict[int, str]
    """The lanes of the rows whose lane is parked, by key."""
    after: int
    """Where to read on."""
    corrupt: list[str]
    """One sentence for each corrupt row."""
    outcomes: list[Outcome]
    """Their outcomes."""


def read_page(transaction: Transaction, table: str, cursor: sqlite3.Cursor, after: int, bytes_max: int) -> Page:
    """Reads rows (`columns_of`, and whether the lane is parked) up to `bytes_max`, but at least one.

    Rows whose record is corrupt are quarantined.

    Raises:
        SpoolCorrupt: a row's checksum is wrong, so that its owner is unknown, or the row is out of order.
    """
    rows: list[Row] = []
    parked: dict[int, str] = {}
    corrupt: list[CorruptRow] = []
    size = 0
    looked_at = False
    for key, lane, packed_id, accept_time, data, stored_checksum, *progress, is_parked in cursor:
        size += len(data) if isinstance(data, bytes) else 0
        if looked_at and size > bytes_max:
            break
        if stored_checksum != row_checksum(key, lane, packed_id, accept_time) or key <= after:
            raise SpoolCorrupt(f"row {key} of the {table} is not what was written")
        after, looked_at = key, True
        if is_parked:
            parked[key] = lane
        elif error := record_error(data):
            corrupt.append(CorruptRow(key, lane, packed_id, accept_time, error))
        else:
            rows.append(Row(key, priority_of(key), lane, data, _progress(transaction, key, *progress)))
    cursor.close()
    ended = [_quarantine(transaction, table, each) for each in corrupt]
    return Page(rows, parked, after, [f"row {each.key} of the {table}: {each.error}" for each in corrupt], ended)


def _progress(transaction: Transaction, key: int, data: bytes | None, stored_checksum: int) -> bytes:
    """Returns the row's progress. Corrupt progress is deleted: the row's calls are made once more."""
    if data is None:
        return b""
    if record_error(data) or stored_checksum != progress_checksum(key, data):
        transaction.database.execute("DELETE FROM progress WHERE key = ?", (key,))
        return b""
    return data


def _quarantine(transaction: Transaction, table: str, row: CorruptRow) -> Outcome:
    transaction.database.execute(
        f"INSERT INTO damaged (place, key, lane, reason, data)"  # noqa: S608 - "log" or "parked"
        f" SELECT ?1, key, lane, ?2, data FROM {table} WHERE key = ?3",
        (table, row.error, row.key),
    )
    delete_rows(transaction, [row.key])
    count_quarantined(transaction)
    return complete_corrupt(transaction, row)


def complete_corrupt(transaction: Transaction, row: CorruptRow) -> Outcome:
    """Adds the outcome of a row that was removed because its record was corrupt."""
    counters = transaction.counters
    counters.spool.sequence += 1
    outcome = completion.damaged_outcome(
        counters.connections[connection_of(row.key)].name,
        row.lane,
        unpack_id(row.packed_id),
        row.accept_time,
        counters.spool.sequence,
        transaction.now,
    )
    journal.add(transaction, [outcome])
    return outcome


def delete_rows(transaction: Transaction, keys: Sequence[int]) -> set[int]:
    """Deletes rows from the log or their lane, with their progress; returns the keys of those that waited."""
    listed = json.dumps(keys)
    deleted: dict[int, int] = {}
    for table in TABLES:
        if len(deleted) < len(keys):
            cursor = transaction.database.execute(
                f"DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 - "log" or "parked"
                " RETURNING key, coalesce(length(data), 0)",
                (listed,),
            )
            deleted.update(cursor.fetchall())
    transaction.database.execute("DELETE FROM progress WHERE key IN (SELECT value FROM json_each(?))", (listed,))
    fingerprints.remove(transaction, list(deleted))
    transaction.heads_moved = True
    for key, size in deleted.items():
        connection = transaction.counters.connections[connection_of(key)]
        connection.count(priority_of(key), -1, -size - ROW_OVERHEAD_BYTES)
    return set(deleted)
