"""What an operation on the spool works with: the database inside a transaction, a copy of the counters, the time.

An operation is a plain function of a transaction, performed in the writer's thread. It refuses (`SpoolFull`) before it
writes. Any other error rolls back the whole transaction, and the copy of the counters is dropped with it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

import msgspec

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.sqlite.counters import Counters

Result = TypeVar("Result")

Blob = bytearray
"""Bytes to insert. sqlite3 looks for an adapter of each value that is not an int, float, str or bytearray.

For `bytes` it finds none. With Python 3.11 this raises and drops an AttributeError, which takes 0.3 µs."""

_STATEMENT_ROWS = (256, 128, 64, 32, 16)
"""Rows of one statement, or any smaller number: few enough sizes that each is compiled once and kept."""


class Transaction(msgspec.Struct):
    """One commit in the making."""

    database: sqlite3.Connection
    counters: Counters
    now: float
    """Unix seconds."""
    monotonic: float
    """Seconds of a clock that does not jump."""
    outcomes_from: float = 0.0
    """Outcomes that ended before this time (Unix seconds) have expired."""
    grown: set[tuple[str, Priority]] = msgspec.field(default_factory=set)
    """The logs that rows were appended to."""
    damages: list[str] = msgspec.field(default_factory=list)
    """One sentence for each record found corrupt and quarantined, reported after the commit; they name no user."""
    trims: bool = False
    """Whether the commit trims the bounded tables, though no operation changed anything."""
    heads_moved: bool = False
    """Whether rows left a log or lanes were parked or unparked: the oldest waiting row may have changed."""

    def insert(self, statement: Callable[[int], str], rows: Sequence[Sequence[object]]) -> int:
        """Inserts rows in few statements; returns how many were inserted.

        Python gives up the interpreter lock once per statement, and under load waits its turn to get it back.
        `executemany` would do that for every row, which costs more than the row.

        Args:
            statement: makes the statement for a number of rows; it should cache what it made.
            rows: all of one length.
        """
        inserted = 0
        start = 0
        while start < len(rows):
            rest = len(rows) - start
            size = next((large for large in _STATEMENT_ROWS if large <= rest), rest)
            some = rows[start : start + size]
            start += size
            inserted += self.database.execute(statement(size), list(chain.from_iterable(some))).rowcount
        return inserted


def placeholders(columns: int, rows: int) -> str:
    """Returns the placeholders of a number of rows, `(?, ?), (?, ?)`."""
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


DatabaseOperation = Callable[[Transaction], Result]
