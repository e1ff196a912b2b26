"""The results of the last request that each agent forwarded to each connection, written with the request's rows."""

from intercomd_daemon.spool import record
from intercomd_daemon.spool.forwarded import KEPT_SECONDS, RECORDS_MAX, Forwarded, with_duplicates
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.sqlite.transaction import Transaction


def save(transaction: Transaction, forwarded: Forwarded, keys: list[int]) -> None:
    """Replaces the record of an agent and connection; a new one also deletes what is too old or too much."""
    values = (transaction.now, record.pack(with_duplicates(forwarded, keys)), *forwarded.key)
    replaced = transaction.database.execute(
        "UPDATE forwarded SET time = ?, data = ? WHERE caller = ? AND agent_id = ? AND connection = ?", values
    )
    if replaced.rowcount:
        return
    transaction.database.execute(
        "INSERT INTO forwarded (time, data, caller, agent_id, connection) VALUES (?, ?, ?, ?, ?)", values
    )
    transaction.database.execute("DELETE FROM forwarded WHERE time <= ?", (transaction.now - KEPT_SECONDS,))
    transaction.database.execute(
        "DELETE FROM forwarded WHERE number IN"
        " (SELECT number FROM forwarded ORDER BY time DESC, number DESC LIMIT -1 OFFSET ?)",
        (RECORDS_MAX,),
    )


def load(transaction: Transaction, key: tuple[str, str, str]) -> Forwarded | None:
    """Returns the record of a caller's agent and connection; None: there is none, or it is damaged."""
    found = transaction.database.execute(
        "SELECT data FROM forwarded WHERE caller = ? AND agent_id = ? AND connection = ? AND time > ?",
        (*key, transaction.now - KEPT_SECONDS),
    ).fetchone()
    try:
        return record.unpack(found[0], Forwarded) if found else None
    except RecordDamaged:
        return None
