"""The ring of seconds: which (key, owner) pairs the newest events took, so that a restart remembers them.

A row holds the pairs of one append; what they mean it does not know.
"""

import sqlite3
from collections.abc import Sequence
from struct import Struct

from intercomd_daemon.spool.sqlite.transaction import Transaction

PAIRS_MAX = 65_536
PAIRS_PER_TRIM = 4_096
"""How many come in between two looks for what lies beyond: a statement less for nearly every commit."""
_PAIR = Struct("<QQ")


def remember(transaction: Transaction, pairs: Sequence[tuple[int, int]]) -> None:
    """Writes pairs of unsigned 64-bit numbers, and from time to time lets go of rows beyond the newest 65,536 pairs."""
    if not pairs:
        return
    last = transaction.ledger.counters.seconds + len(pairs)
    transaction.ledger.counters.seconds = last
    packed = b"".join([_PAIR.pack(key, owner) for key, owner in pairs])
    transaction.database.execute("INSERT INTO seconds (last, pairs) VALUES (?, ?)", (last, packed))
    if last // PAIRS_PER_TRIM != (last - len(pairs)) // PAIRS_PER_TRIM:
        transaction.database.execute("DELETE FROM seconds WHERE last <= ?", (last - PAIRS_MAX,))


def recall(database: sqlite3.Connection) -> bytes:
    """The newest pairs as they are stored, oldest first, at most 65,536."""
    found = database.execute("SELECT pairs FROM seconds ORDER BY last").fetchall()
    # What the disk has changed into something else is left out: it only keeps seconds apart.
    sound = [pairs for (pairs,) in found if isinstance(pairs, bytes) and len(pairs) % _PAIR.size == 0]
    return b"".join(sound)[-PAIRS_MAX * _PAIR.size :]


def pairs_of(stored: bytes) -> list[tuple[int, int]]:
    """What `recall` gave, as numbers."""
    return [(key, owner) for key, owner in _PAIR.iter_unpack(stored)]
