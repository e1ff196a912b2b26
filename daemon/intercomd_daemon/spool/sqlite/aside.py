"""Records that are not what was written stand aside with their bytes, up to a bound, and no longer where they were.

Whether somebody waits for such a record, and how that ends, it does not know.
"""

from intercomd_daemon.spool import record
from intercomd_daemon.spool.sqlite.transaction import Transaction

DAMAGED_MAX = 10_000
"""Damaged rows kept for inspection; beyond, the oldest go."""


def what_is_wrong(data: object) -> str:
    """What is wrong with a stored record, in words; empty if nothing is."""
    return record.check(data) if isinstance(data, bytes) else "not bytes any more"


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
