"""Finding an envelope that still waits by its id: by the duplicate window where it is known, else by looking through.

The logs have no index by id: looking through goes a chunk at a time, and the writer goes on between them.
"""

from typing import Final, NamedTuple

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import log_end, log_start
from intercomd_daemon.spool.sqlite.aside import what_is_wrong
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.window import id_of, key_of

CHUNK = 10_000
"""Rows looked at in one go: some milliseconds."""

TABLES: Final = ("log", "parked")


class Found(NamedTuple):
    """What a chunk gave."""

    envelope: AcceptedEnvelope | None
    on: int
    """The key to look on from; 0 if there is nothing more, or the envelope was found."""


def by_window(transaction: Transaction, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
    """The envelope, if the window knows its id and its row still waits."""
    key = key_of(transaction, transaction.ledger.number(connection), envelope_id)
    found = transaction.database.execute(
        "SELECT data FROM log WHERE key = ?1 UNION ALL SELECT data FROM parked WHERE key = ?1", (key,)
    ).fetchone()
    return _envelope(found[0]) if found else None


def by_looking(transaction: Transaction, table: str, connection: str, envelope_id: str, after: int) -> Found:
    """The envelope, if it is in the chunk of the table (of `TABLES`) above the key `after`."""
    number = transaction.ledger.number(connection)
    bounds = (max(after, log_start(number, Priority.NORMAL)), log_end(number, Priority.BULK))
    seen, last = transaction.database.execute(
        f"SELECT count(*), max(key) FROM (SELECT key FROM {table} WHERE key > ? AND key < ? ORDER BY key LIMIT ?)",  # noqa: S608 - "log" or "parked"
        (*bounds, CHUNK),
    ).fetchone()
    found = transaction.database.execute(
        f"SELECT data FROM {table} WHERE key > ? AND key <= ? AND envelope_id = ? LIMIT 1",  # noqa: S608 - "log" or "parked"
        (bounds[0], last or 0, id_of(envelope_id)),
    ).fetchone()
    envelope = _envelope(found[0]) if found else None
    return Found(envelope, last if envelope is None and seen == CHUNK else 0)


def _envelope(data: bytes) -> AcceptedEnvelope | None:
    """The envelope; of a damaged one nothing can be told before it is read and set aside."""
    return None if what_is_wrong(data) else record.unpack(data, AcceptedEnvelope)
