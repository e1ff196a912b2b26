"""Parked lanes: which they are, when they are due, and their rows, ordered by lane and key.

Neither the set nor the times are held in memory. When a lane is worth another attempt is the deliverer's decision.
"""

import json
from collections.abc import Sequence

from intercomd_daemon.spool.base import Batch
from intercomd_daemon.spool.sqlite import book
from intercomd_daemon.spool.sqlite.rows import read_stretch, row_columns
from intercomd_daemon.spool.sqlite.transaction import Transaction


def move(transaction: Transaction, number: int, keys: Sequence[int]) -> None:
    """Moves rows from the log to the parked lanes of the connection; those not in the log stay where they are."""
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
    """Sets a lane aside until `due`, with the named rows; one already parked gets the new time and attempts."""
    account = transaction.ledger.account(connection)
    place = (account.number, lane)
    transaction.heads_moved = True
    move(transaction, account.number, keys)
    if not transaction.database.execute("SELECT 1 FROM lanes WHERE connection = ? AND lane = ?", place).fetchone():
        account.parked_lanes += 1
    head = transaction.database.execute(
        "SELECT accept_time FROM parked WHERE connection = ? AND lane = ? ORDER BY key LIMIT 1", place
    ).fetchone()
    transaction.database.execute(
        "INSERT INTO lanes (connection, lane, due, attempts, oldest) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (connection, lane) DO UPDATE"
        " SET due = excluded.due, attempts = excluded.attempts, oldest = excluded.oldest",
        (*place, due, attempts, head[0] if head else transaction.now),
    )


def due(transaction: Transaction, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
    """The lanes due by `now`, longest due first, and when the next after them is due; 0.0 if none is parked."""
    found = transaction.database.execute(
        "SELECT lane, due FROM lanes WHERE connection = ? ORDER BY due, lane LIMIT ?",
        (transaction.ledger.number(connection), lanes_max + 1),
    ).fetchall()
    ready = [lane for lane, due_time in found[:lanes_max] if due_time <= now]
    return ready, found[len(ready)][1] if len(ready) < len(found) else 0.0


def parked(transaction: Transaction, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> Batch:
    """Reads on in a parked lane; with `after` 0 and nothing there, it is parked no more.

    Raises:
        Malformed: the lane is not what was written.
    """
    account = transaction.ledger.account(connection)
    place = (account.number, lane)
    found = transaction.database.execute(
        f"SELECT {row_columns('parked')}, 0 FROM parked"  # noqa: S608 - our own columns
        " LEFT JOIN progress ON progress.key = parked.key"
        " WHERE parked.connection = ? AND parked.lane = ? AND parked.key > ? ORDER BY parked.key LIMIT ?",
        (*place, after, rows_max),
    )
    stretch = read_stretch(transaction, "parked", found, after, bytes_max)
    head = transaction.database.execute(
        "SELECT attempts FROM lanes WHERE connection = ? AND lane = ?", place
    ).fetchone()
    if not after and not stretch.after and head:
        transaction.heads_moved = True
        transaction.database.execute("DELETE FROM lanes WHERE connection = ? AND lane = ?", place)
        account.parked_lanes -= 1
    known = book.known(transaction, account.number, {row.lane for row in stretch.rows})
    attempts = head[0] if head else 0
    return Batch(stretch.rows, known, stretch.after, attempts, tuple(stretch.damaged), tuple(stretch.ended))
