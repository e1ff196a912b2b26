"""The table of refusals: written when the spool closes, read when it opens. In between they are in memory only."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress

from intercomd_daemon.envelope import Refusal
from intercomd_daemon.spool import record
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.sqlite.transaction import Transaction


def save(transaction: Transaction, refusals: Sequence[Refusal]) -> None:
    """Replaces the table's content."""
    transaction.database.execute("DELETE FROM refusals")
    transaction.database.executemany(
        "INSERT INTO refusals (number, data) VALUES (?, ?)",
        [(refusal.number, record.pack(refusal)) for refusal in refusals],
    )


def load(database: sqlite3.Connection) -> list[Refusal]:
    """Returns the saved refusals, oldest first; what cannot be read is left out."""
    refusals: list[Refusal] = []
    with suppress(sqlite3.Error):  # Corrupt ones do not justify the repair of an otherwise sound file.
        for (data,) in database.execute("SELECT data FROM refusals ORDER BY number").fetchall():
            with suppress(RecordDamaged):
                refusals.append(record.unpack(data, Refusal))
    return refusals
