"""The quarantine: corrupt records move out of their table and are kept with their bytes, up to a bound."""

from intercomd_daemon.spool import record
from intercomd_daemon.spool.sqlite.transaction import Transaction

QUARANTINED_MAX = 10_000
"""Corrupt rows kept for inspection; beyond that the oldest are deleted."""


def record_error(data: object) -> str:
    """Returns what is wrong with a stored record; empty if nothing is."""
    return record.check(data) if isinstance(data, bytes) else "not bytes any more"


def quarantine_record(transaction: Transaction, table: str, key: int, data: object, error: str) -> None:
    """Keeps and reports the bytes of a dead letter or an outcome, which the caller deletes from its table."""
    transaction.database.execute(
        "INSERT INTO damaged (place, key, lane, reason, data) VALUES (?, ?, '', ?, ?)", (table, key, error, data)
    )
    count_quarantined(transaction)
    transaction.damages.append(f"record {key} of {table} is corrupt and was quarantined with its bytes: {error}")


def count_quarantined(transaction: Transaction) -> None:
    """Counts one more quarantined row, and deletes the oldest one beyond the bound."""
    transaction.counters.spool.damaged += 1
    if transaction.counters.spool.damaged > QUARANTINED_MAX:
        transaction.database.execute("DELETE FROM damaged WHERE number = (SELECT min(number) FROM damaged)")
        transaction.counters.spool.damaged -= 1
