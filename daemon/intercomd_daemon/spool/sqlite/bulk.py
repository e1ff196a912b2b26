"""Many rows in few statements: for each statement the thread lets go of the interpreter once, and waits its turn again.

`executemany` does that for every row, which while the event loop is busy costs more than the row. What is written
where is said by whoever calls.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain

_LARGE = (64, 16)
"""Rows of one statement, and any smaller number: so few sizes that each is compiled once and kept."""


def insert(database: sqlite3.Connection, statement: Callable[[str], str], rows: Sequence[Sequence[object]]) -> int:
    """Inserts the rows; returns how many were.

    Args:
        database: the connection.
        statement: makes the statement from the places of its rows' values, `(?, ?), (?, ?)`.
        rows: all of one length.
    """
    inserted = 0
    start = 0
    while start < len(rows):
        rest = len(rows) - start
        size = next((large for large in _LARGE if large <= rest), rest)
        some = rows[start : start + size]
        start += size
        text = statement(_places(len(some[0]), size))
        inserted += database.execute(text, list(chain.from_iterable(some))).rowcount
    return inserted


@cache
def _places(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)
