"""Parked lanes: which lanes are parked, when each is due, and their rows, ordered by lane and key.

All of it is read from the tables when it is needed, so a large number of parked lanes takes no memory.
"""

import json
from collections.abc import Sequence

from intercomd_daemon.spool.rows import RowPage
from intercomd_daemon.spool.sqlite import contact_cache
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.waiting_rows import columns_of, read_page


def move(transaction: Transaction, number: int, keys: Sequence[int]) -> None:
    """Moves rows from the log to the connection's parked lanes; keys that are not in the log are ignored."""
    if not keys:
        return
    transaction.heads_moved = True
    listed = (json.dumps(keys),)
    transaction.database.execute(
        "INSERT INTO parked (key, connection, lane, envelope_id, accept_time, data, seal)"
        " SELECT key, ?, lane, envelope_id, accept_time, data, seal FROM log"
        " WHERE key IN (SELECT value FROM json_each(?))",
        (number, *listed),
    )
    transaction.database.execute("DELETE FROM log WHERE key IN (SELECT value FROM json_each(?))", listed)


def park(transaction: Transaction, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
    """Parks a lane with the named rows until `due`; a lane that is parked already gets the new time and attempts."""
    counters = transaction.counters.connection(connection)
    lane_key = (counters.number, lane)
    transaction.heads_moved = True
    move(transaction, counters.number, keys)
    if not transaction.database.execute("SELECT 1 FROM lanes WHERE connection = ? AND lane = ?", lane_key).fetchone():
        counters.parked_lanes += 1
    head = transaction.database.execute(
        "SELECT accept_time FROM parked WHERE connection = ? AND lane = ? ORDER BY key LIMIT 1", lane_key
    ).fetchone()
    transaction.database.execute(
        "INSERT INTO lanes (connection, lane, due, attempts, oldest) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (connection, lane) DO UPDATE"
        " SET due = excluded.due, attempts = excluded.attempts, oldest = excluded.oldest",
        (*lane_key, due, attempts, head[0] if head else transaction.now),
    )


def due(transaction: Transaction, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
    """Returns the lanes due by `now`, longest due first, and when the next one is due (0.0: no other is parked)."""
    found = transaction.database.execute(
        "SELECT lane, due FROM lanes WHERE connection = ? ORDER BY due, lane LIMIT ?",
        (transaction.counters.number(connection), lanes_max + 1),
    ).fetchall()
    ready = [lane for lane, due_time in found[:lanes_max] if due_time <= now]
    return ready, found[len(ready)][1] if len(ready) < len(found) else 0.0


def read(transaction: Transaction, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
    """Reads the next page of a parked lane. An empty lane read from the start is unparked.

    Raises:
        SpoolCorrupt: the lane is not what was written.
    """
    counters = transaction.counters.connection(connection)
    lane_key = (counters.number, lane)
    cursor = transaction.database.execute(
        f"SELECT {columns_of('parked')}, 0 FROM parked"  # noqa: S608 - our own columns
        " LEFT JOIN progress ON progress.key = parked.key"
        " WHERE parked.connection = ? AND parked.lane = ? AND parked.key > ? ORDER BY parked.key LIMIT ?",
        (*lane_key, after, rows_max),
    )
    page = read_page(transaction, "parked", cursor, after, bytes_max)
    head = transaction.database.execute(
        "SELECT attempts FROM lanes WHERE connection = ? AND lane = ?", lane_key
    ).fetchone()
    if not after and not page.after and head:
        transaction.heads_moved = True
        transaction.database.execute("DELETE FROM lanes WHERE connection = ? AND lane = ?", lane_key)
        counters.parked_lanes -= 1
    known = contact_cache.read_entries(transaction, counters.number, {row.lane for row in page.rows})
    attempts = head[0] if head else 0
    return RowPage(page.rows, known, page.after, attempts, tuple(page.corrupt), tuple(page.outcomes))
