"""The duplicate window: which (connection, envelope id) were accepted, in two generations, and the one being emptied.

Ids are kept raw, a UUID's text as its 16 bytes, so that time-ordered ids append and no page is touched at random.
Beside each stands the key of its row: an id is known in any case while its envelope waits.
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from uuid import UUID

from intercomd_daemon.spool.rotation import turns
from intercomd_daemon.spool.sqlite import bulk
from intercomd_daemon.spool.sqlite.layout import GENERATIONS, RECENT
from intercomd_daemon.spool.sqlite.transaction import Transaction

EMPTIED_PER_COMMIT = 2_000
"""Ids of the generation that is let go: some milliseconds of a commit."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


Entry = tuple[int, str | bytes, int]
"""The connection's number, the id by `id_of`, the key of its row."""


def id_of(envelope_id: str) -> str | bytes:
    """An envelope id as it is stored: the 16 bytes of a UUID in its usual text, anything else as it is."""
    if len(envelope_id) == 36 and _UUID.fullmatch(envelope_id):
        return bytes.fromhex(envelope_id.replace("-", ""))
    return envelope_id


def name_of(stored: str | bytes) -> str:
    """The envelope id that `id_of` made this of."""
    return str(UUID(bytes=stored)) if isinstance(stored, bytes) else stored


def enter(transaction: Transaction, entries: Sequence[Entry]) -> set[int]:
    """Enters the ids, and returns the keys of those that were known: their rows are duplicates."""
    counters = transaction.ledger.counters
    entered = bulk.insert(
        transaction.database, partial(_entering, counters.generation, counters.oldest_generation), entries
    )
    counters.generation_ids += entered
    if entered == len(entries):
        return set()
    young = _table(counters.generation)
    return {entry[2] for entry in entries if _key_in(transaction, young, *entry[:2]) != entry[2]}


@lru_cache(maxsize=128)
def _entering(generation: int, oldest: int, rows: int) -> str:
    unknown = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE connection = column1 AND envelope_id = column2)"  # noqa: S608 - ours
        for table in map(_table, range(generation - 1, oldest - 1, -1))
    )
    return (
        f"INSERT OR IGNORE INTO {_table(generation)} (connection, envelope_id, key)"  # noqa: S608 - our own tables
        f" SELECT * FROM (VALUES {bulk.places(3, rows)}) WHERE {unknown}"
    )


def _tables(transaction: Transaction) -> list[str]:
    """The tables of the generations that exist, youngest first."""
    counters = transaction.ledger.counters
    return [_table(generation) for generation in range(counters.generation, counters.oldest_generation - 1, -1)]


def _table(generation: int) -> str:
    return RECENT[generation % GENERATIONS]


def _key_in(transaction: Transaction, table: str, connection: int, name: str | bytes) -> int:
    found = transaction.database.execute(
        f"SELECT key FROM {table} WHERE connection = ? AND envelope_id = ?",  # noqa: S608 - our own tables
        (connection, name),
    ).fetchone()
    return found[0] if found else 0


def key_of(transaction: Transaction, connection: int, envelope_id: str) -> int:
    """The key under which an id was accepted, whether or not its row still waits; 0 if the id is not known."""
    keys = (_key_in(transaction, table, connection, id_of(envelope_id)) for table in _tables(transaction))
    return next(filter(None, keys), 0)


def keep(transaction: Transaction, window_seconds: float) -> None:
    """Turns the window if it is time, and empties the generation that is let go a little further."""
    counters = transaction.ledger.counters
    counters.turned_at = min(counters.turned_at, transaction.now)
    wall_seconds = transaction.now - counters.turned_at
    dying = counters.oldest_generation < counters.generation - 1
    if not dying and turns(window_seconds, wall_seconds, counters.elapsed_seconds, counters.generation_ids):
        counters.generation += 1
        counters.generation_ids = 0
        counters.turned_at = transaction.now
        counters.elapsed_seconds = 0.0
        dying = True
    if dying:
        _empty(transaction)


def _empty(transaction: Transaction) -> None:
    """Lets go of some ids; those whose envelope still waits move on to the younger generation."""
    counters = transaction.ledger.counters
    young, dying = _table(counters.generation), _table(counters.oldest_generation)
    rows = transaction.database.execute(
        "SELECT connection, envelope_id, key, EXISTS (SELECT 1 FROM log WHERE log.key = dying.key)"  # noqa: S608 - our own tables
        " OR EXISTS (SELECT 1 FROM parked WHERE parked.key = dying.key)"
        f" FROM {dying} AS dying ORDER BY connection, envelope_id LIMIT ?",
        (EMPTIED_PER_COMMIT,),
    ).fetchall()
    waiting = [entry for *entry, waits in rows if waits]
    transaction.database.executemany(
        f"INSERT OR IGNORE INTO {young} (connection, envelope_id, key) VALUES (?, ?, ?)",  # noqa: S608 - our own tables
        waiting,
    )
    transaction.database.executemany(
        f"DELETE FROM {dying} WHERE connection = ? AND envelope_id = ?",  # noqa: S608 - our own tables
        [row[:2] for row in rows],
    )
    counters.generation_ids += len(waiting)
    if len(rows) < EMPTIED_PER_COMMIT:
        counters.oldest_generation += 1
