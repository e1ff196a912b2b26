"""Many rows in few statements: for each statement the thread lets go of the interpreter once, and waits its turn again.

`executemany` does that for every row, which while the event loop is busy costs more than the row. What is written
where is said by whoever calls.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

_LARGE = (64, 32, 16)
"""Rows of one statement, and any smaller number: so few sizes that each is compiled once and kept."""


def insert(database: sqlite3.Connection, statement: Callable[[int], str], rows: Sequence[Sequence[object]]) -> int:
    """Inserts the rows; returns how many were.

    Args:
        database: the connection.
        statement: the statement for so many rows; it should remember those that it has made.
        rows: all of one length.
    """
    inserted = 0
    start = 0
    while start < len(rows):
        rest = len(rows) - start
        size = next((large for large in _LARGE if large <= rest), rest)
        some = rows[start : start + size]
        start += size
        inserted += database.execute(statement(size), list(chain.from_iterable(some))).rowcount
    return inserted


def places(columns: int, rows: int) -> str:
    """The places of so many rows' values, `(?, ?), (?, ?)`."""
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)
