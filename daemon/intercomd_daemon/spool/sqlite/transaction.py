"""What an operation on the spool works with: the database in a transaction, its counters, the time.

An operation is a plain function of it, run in the spool's thread. It refuses before it writes, or not at all: after any
other error the whole transaction is undone, and the copies of the counters with it.
"""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import msgspec

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.sqlite.ledger import Ledger

Result = TypeVar("Result")


class Transaction(msgspec.Struct):
    """One commit in the making."""

    database: sqlite3.Connection
    ledger: Ledger
    now: float
    """Unix seconds."""
    monotonic: float
    """Seconds of a clock that does not jump."""
    grown: set[tuple[str, Priority]] = msgspec.field(default_factory=set)
    """The logs that rows were appended to."""
    damages: list[str] = msgspec.field(default_factory=list)
    """What was found damaged and set aside, for whoever is told; words that name no user."""
    heads_moved: bool = False
    """Whether rows have left a log, or parked lanes are others: the oldest waiting row may be another."""


Operation = Callable[[Transaction], Result]
