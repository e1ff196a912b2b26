"""Waiting rows, in the log or parked: reading a stretch of them, taking them out, setting damaged ones aside.

A row stands in exactly one of the two tables. Which lanes are parked, and why, is not decided here.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Row
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES
from intercomd_daemon.spool.sqlite.seal import STAMP_BYTES, seal
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction

DAMAGED_MAX = 10_000
"""Damaged rows kept for inspection; beyond, the oldest go."""


def row_columns(table: str) -> str:
    """What `read_stretch` reads of a row of `log` or `parked`, joined with `progress`."""
    columns = ("key", "lane", "envelope_id", "accept_time", "data", "seal")
    return ", ".join([f"{table}.{column}" for column in columns] + ["progress.data", "progress.seal"])


def seal_of_progress(key: int, data: bytes) -> int:
    """What binds progress to its row: another row's would have calls left out."""
    return seal(key, data[:STAMP_BYTES])


class Stretch(NamedTuple):
    """What was looked at."""

    rows: list[Row]
    parked: list[int]
    """Keys of the rows whose lane is parked."""
    after: int
    damaged: list[str]


def read_stretch(transaction: Transaction, table: str, found: sqlite3.Cursor, after: int, bytes_max: int) -> Stretch:
    """Reads rows (`row_columns`, and whether the lane is parked) up to `bytes_max`, but at least one.

    Those whose record is damaged are set aside.

    Raises:
        Malformed: a row is not sealed, so that nobody knows whose it is, or not in its place.
    """
    rows: list[Row] = []
    parked: list[int] = []
    damaged: list[tuple[int, str]] = []
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
            parked.append(key)
        elif wrong := what_is_wrong(data):
            damaged.append((key, wrong))
        else:
            known = _sound(transaction, key, progress, progress_sealed)
            rows.append(Row(key, priority_of(key), lane, data, known))
    found.close()
    for key, wrong in damaged:
        _set_aside(transaction, table, key, wrong)
    return Stretch(rows, parked, after, [f"row {key} of the {table}: {wrong}" for key, wrong in damaged])


def what_is_wrong(data: object) -> str:
    """What is wrong with a stored record, in words; empty if nothing is."""
    return record.check(data) if isinstance(data, bytes) else "not bytes any more"


def _sound(transaction: Transaction, key: int, progress: bytes | None, sealed: int) -> bytes:
    """The progress, or nothing if it is damaged, which is then forgotten: its calls are made once more."""
    if progress is None:
        return b""
    if what_is_wrong(progress) or sealed != seal_of_progress(key, progress):
        transaction.database.execute("DELETE FROM progress WHERE key = ?", (key,))
        return b""
    return progress


def _set_aside(transaction: Transaction, table: str, key: int, wrong: str) -> None:
    transaction.database.execute(
        f"INSERT INTO damaged (place, key, lane, reason, data)"  # noqa: S608 - "log" or "parked"
        f" SELECT ?1, key, lane, ?2, data FROM {table} WHERE key = ?3",
        (table, wrong, key),
    )
    take_out(transaction, [key])
    count_damaged(transaction)


def set_apart(transaction: Transaction, table: str, key: int, data: object, wrong: str) -> None:
    """Keeps the bytes of a record that nobody waits for, a letter or an outcome, and says so; it leaves its table."""
    transaction.database.execute(
        "INSERT INTO damaged (place, key, lane, reason, data) VALUES (?, ?, '', ?, ?)", (table, key, wrong, data)
    )
    count_damaged(transaction)
    transaction.damages.append(f"record {key} of {table} is damaged and stands aside with its bytes: {wrong}")


def count_damaged(transaction: Transaction) -> None:
    """Counts one more row that was set aside, and lets the oldest go beyond the bound."""
    transaction.ledger.counters.damaged += 1
    if transaction.ledger.counters.damaged > DAMAGED_MAX:
        transaction.database.execute("DELETE FROM damaged WHERE number = (SELECT min(number) FROM damaged)")
        transaction.ledger.counters.damaged -= 1


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
