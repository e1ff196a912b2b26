"""The duplicate window: which (connection, envelope id) pairs were accepted lately.

Two generations hold the ids; a third table is being emptied. An id is stored raw, a UUID's text as its 16 bytes, so
that time-ordered ids append and no page is touched at random. The key of the id's row is stored beside it: while the
envelope waits, its id stays known whatever its age.
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from uuid import UUID

from intercomd_daemon.spool.rotation import rotation_due
from intercomd_daemon.spool.sqlite.schema import GENERATIONS, RECENT
from intercomd_daemon.spool.sqlite.transaction import Blob, Transaction, placeholders

EMPTIED_PER_COMMIT = 2_000
"""Ids deleted from the oldest generation per commit: some milliseconds."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


PackedId = str | Blob
Entry = tuple[int, PackedId, int]
"""The connection's number, the id by `pack_id`, the key of its row."""


def pack_id(envelope_id: str) -> PackedId:
    """Returns an envelope id as it is stored: the 16 bytes of a UUID in lower-case text, any other id unchanged."""
    if len(envelope_id) == 36 and _UUID.fullmatch(envelope_id):
        return Blob.fromhex(envelope_id.replace("-", ""))
    return envelope_id


def unpack_id(stored: PackedId | bytes) -> str:
    """Returns the envelope id that `pack_id` stored."""
    return stored if isinstance(stored, str) else str(UUID(bytes=bytes(stored)))


def add(transaction: Transaction, entries: Sequence[Entry]) -> set[int]:
    """Adds the ids that are not known yet; returns the keys of the others, whose rows are duplicates."""
    spool = transaction.counters.spool
    added = transaction.insert(partial(_insert_statement, spool.generation, spool.oldest_generation), entries)
    spool.generation_ids += added
    if added == len(entries):
        return set()
    # Some ids were known. A new id is in the young generation with its own key; for a known one that holds another
    # key or nothing.
    young = _table(spool.generation)
    return {entry[2] for entry in entries if _key_in(transaction, young, *entry[:2]) != entry[2]}


@lru_cache(maxsize=128)
def _insert_statement(generation: int, oldest: int, rows: int) -> str:
    unknown = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE connection = column1 AND envelope_id = column2)"  # noqa: S608 - ours
        for table in map(_table, range(generation - 1, oldest - 1, -1))
    )
    return (
        f"INSERT OR IGNORE INTO {_table(generation)} (connection, envelope_id, key)"  # noqa: S608 - our own tables
        f" SELECT * FROM (VALUES {placeholders(3, rows)}) WHERE {unknown}"
    )


def find_key(transaction: Transaction, connection: int, envelope_id: str) -> int:
    """Returns the key under which an id was accepted, whether or not its row still waits; 0: the id is not known."""
    spool = transaction.counters.spool
    youngest_first = range(spool.generation, spool.oldest_generation - 1, -1)
    packed = pack_id(envelope_id)
    keys = (_key_in(transaction, _table(generation), connection, packed) for generation in youngest_first)
    return next(filter(None, keys), 0)


def _table(generation: int) -> str:
    return RECENT[generation % GENERATIONS]


def _key_in(transaction: Transaction, table: str, connection: int, packed_id: PackedId) -> int:
    found = transaction.database.execute(
        f"SELECT key FROM {table} WHERE connection = ? AND envelope_id = ?",  # noqa: S608 - our own tables
        (connection, packed_id),
    ).fetchone()
    return found[0] if found else 0


def rotate(transaction: Transaction, window_seconds: float) -> None:
    """Starts a new generation when one is due, and deletes some ids of the generation that is being emptied."""
    spool = transaction.counters.spool
    spool.turned_at = min(spool.turned_at, transaction.now)
    emptying = spool.oldest_generation < spool.generation - 1
    wall_seconds = transaction.now - spool.turned_at
    if not emptying and rotation_due(window_seconds, wall_seconds, spool.elapsed_seconds, spool.generation_ids):
        spool.generation += 1
        spool.generation_ids = 0
        spool.turned_at = transaction.now
        spool.elapsed_seconds = 0.0
        emptying = True
    if emptying:
        _empty_oldest(transaction)


def _empty_oldest(transaction: Transaction) -> None:
    """Deletes up to `EMPTIED_PER_COMMIT` ids; those whose envelope still waits move to the young generation."""
    spool = transaction.counters.spool
    young, oldest = _table(spool.generation), _table(spool.oldest_generation)
    rows = transaction.database.execute(
        "SELECT connection, envelope_id, key, EXISTS (SELECT 1 FROM log WHERE log.key = oldest.key)"  # noqa: S608 - our own tables
        " OR EXISTS (SELECT 1 FROM parked WHERE parked.key = oldest.key)"
        f" FROM {oldest} AS oldest ORDER BY connection, envelope_id LIMIT ?",
        (EMPTIED_PER_COMMIT,),
    ).fetchall()
    waiting = [entry for *entry, waits in rows if waits]
    transaction.database.executemany(
        f"INSERT OR IGNORE INTO {young} (connection, envelope_id, key) VALUES (?, ?, ?)",  # noqa: S608 - our own tables
        waiting,
    )
    transaction.database.executemany(
        f"DELETE FROM {oldest} WHERE connection = ? AND envelope_id = ?",  # noqa: S608 - our own tables
        [row[:2] for row in rows],
    )
    spool.generation_ids += len(waiting)
    if len(rows) < EMPTIED_PER_COMMIT:
        spool.oldest_generation += 1
