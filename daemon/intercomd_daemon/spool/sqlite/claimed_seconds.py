"""The (key, owner) pairs of the seconds that the newest events took, kept so that a restart remembers them.

A row holds the pairs of one append, 16 bytes each.
"""

import sqlite3
from collections.abc import Sequence
from struct import Struct

from intercomd_daemon.spool.sqlite.transaction import Transaction

PAIRS_MAX = 65_536
PAIRS_PER_TRIM = 4_096
"""Pairs between two trims: nearly every commit saves a statement."""
_PAIR = Struct("<QQ")


def remember(transaction: Transaction, pairs: Sequence[tuple[int, int]]) -> None:
    """Writes pairs of unsigned 64-bit numbers, and now and then deletes the rows beyond the newest 65,536 pairs."""
    if not pairs:
        return
    last = transaction.counters.spool.seconds + len(pairs)
    transaction.counters.spool.seconds = last
    packed = b"".join([_PAIR.pack(key, owner) for key, owner in pairs])
    transaction.database.execute("INSERT INTO seconds (last, pairs) VALUES (?, ?)", (last, packed))
    if last // PAIRS_PER_TRIM != (last - len(pairs)) // PAIRS_PER_TRIM:
        transaction.database.execute("DELETE FROM seconds WHERE last <= ?", (last - PAIRS_MAX,))


def load(database: sqlite3.Connection) -> bytes:
    """Returns the newest pairs as they are stored, oldest first, at most 65,536."""
    found = database.execute("SELECT pairs FROM seconds ORDER BY last").fetchall()
    # Corrupt rows are left out: the loss is that two events may share a second.
    sound = [pairs for (pairs,) in found if isinstance(pairs, bytes) and len(pairs) % _PAIR.size == 0]
    return b"".join(sound)[-PAIRS_MAX * _PAIR.size :]


def unpack_pairs(stored: bytes) -> list[tuple[int, int]]:
    """Returns what `load` returned, as numbers."""
    return [(key, owner) for key, owner in _PAIR.iter_unpack(stored)]
