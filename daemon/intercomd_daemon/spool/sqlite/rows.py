"""Waiting rows, in the log or parked: reading a stretch of them, taking them out, setting damaged ones aside.

A row stands in exactly one of the two tables. Which lanes are parked, and why, is not decided here.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import ending
from intercomd_daemon.spool.base import Row
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES
from intercomd_daemon.spool.sqlite import journal, window
from intercomd_daemon.spool.sqlite.aside import count_damaged, what_is_wrong
from intercomd_daemon.spool.sqlite.seal import STAMP_BYTES, seal
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction


def row_columns(table: str) -> str:
    """What `read_stretch` reads of a row of `log` or `parked`, joined with `progress`."""
    columns = ("key", "lane", "envelope_id", "accept_time", "data", "seal")
    return ", ".join([f"{table}.{column}" for column in columns] + ["progress.data", "progress.seal"])


def seal_of_progress(key: int, data: bytes) -> int:
    """What binds progress to its row: another row's would have calls left out."""
    return seal(key, data[:STAMP_BYTES])


class Damaged(NamedTuple):
    """A row whose record is damaged, though its seal says whose it is."""

    key: int
    lane: str
    name: str | bytes
    """The envelope's id, as it is stored."""
    accept_time: float
    wrong: str


class Stretch(NamedTuple):
    """What was looked at."""

    rows: list[Row]
    parked: dict[int, str]
    """The lanes of the rows whose lane is parked, by their keys."""
    after: int
    damaged: list[str]
    ended: list[Outcome]
    """Of the damaged ones."""


def read_stretch(transaction: Transaction, table: str, found: sqlite3.Cursor, after: int, bytes_max: int) -> Stretch:
    """Reads rows (`row_columns`, and whether the lane is parked) up to `bytes_max`, but at least one.

    Those whose record is damaged are set aside.

    Raises:
        Malformed: a row is not sealed, so that nobody knows whose it is, or not in its place.
    """
    rows: list[Row] = []
    parked: dict[int, str] = {}
    damaged: list[Damaged] = []
    size = 0
    looked_at = False
    for key, lane, name, accept_time, data, sealed, progress, progress_sealed, lane_is_parked in found:
        size += len(data) if isinstance(data, bytes) else 0
        if looked_at and size > bytes_max:
            break
        if sealed != seal(key, lane, name, accept_time) or key <= after:
            raise Malformed(f"row {key} of the {table} is not what was written")
        after = key
        looked_at = True
        if lane_is_parked:
            parked[key] = lane
        elif wrong := what_is_wrong(data):
            damaged.append(Damaged(key, lane, name, accept_time, wrong))
        else:
            known = _sound(transaction, key, progress, progress_sealed)
            rows.append(Row(key, priority_of(key), lane, data, known))
    found.close()
    ended = [_set_aside(transaction, table, each) for each in damaged]
    return Stretch(rows, parked, after, [f"row {each.key} of the {table}: {each.wrong}" for each in damaged], ended)


def _sound(transaction: Transaction, key: int, progress: bytes | None, sealed: int) -> bytes:
    """The progress, or nothing if it is damaged, which is then forgotten: its calls are made once more."""
    if progress is None:
        return b""
    if what_is_wrong(progress) or sealed != seal_of_progress(key, progress):
        transaction.database.execute("DELETE FROM progress WHERE key = ?", (key,))
        return b""
    return progress


def _set_aside(transaction: Transaction, table: str, damaged: Damaged) -> Outcome:
    transaction.database.execute(
        f"INSERT INTO damaged (place, key, lane, reason, data)"  # noqa: S608 - "log" or "parked"
        f" SELECT ?1, key, lane, ?2, data FROM {table} WHERE key = ?3",
        (table, damaged.wrong, damaged.key),
    )
    take_out(transaction, [damaged.key])
    count_damaged(transaction)
    return end_damaged(transaction, damaged)


def end_damaged(transaction: Transaction, damaged: Damaged) -> Outcome:
    """Enters the outcome of a row that is gone as its record was damaged."""
    ledger = transaction.ledger
    ledger.counters.sequence += 1
    outcome = ending.damaged(
        ledger.accounts[connection_of(damaged.key)].name,
        damaged.lane,
        window.name_of(damaged.name),
        damaged.accept_time,
        ledger.counters.sequence,
        transaction.now,
    )
    journal.add(transaction, [outcome])
    return outcome


def take_out(transaction: Transaction, keys: Sequence[int]) -> set[int]:
    """Deletes rows from wherever they wait, with their progress; returns the keys of those that did wait."""
    listed = json.dumps(keys)
    gone: dict[int, int] = {}
    for table in ("log", "parked"):
        if len(gone) < len(keys):
            deleted = transaction.database.execute(
                f"DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 - "log" or "parked"
                " RETURNING key, coalesce(length(data), 0)",
                (listed,),
            )
            gone.update(deleted.fetchall())
    transaction.database.execute("DELETE FROM progress WHERE key IN (SELECT value FROM json_each(?))", (listed,))
    _count_out(transaction, gone.items())
    return set(gone)


def _count_out(transaction: Transaction, sizes: Iterable[tuple[int, int]]) -> None:
    transaction.heads_moved = True
    accounts = transaction.ledger.accounts
    for key, size in sizes:
        accounts[connection_of(key)].changed(priority_of(key), -1, -size - ROW_OVERHEAD_BYTES)
