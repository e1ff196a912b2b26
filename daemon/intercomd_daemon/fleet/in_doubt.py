"""Decides what became of an append whose answer was lost.

Every append writes its number into the process's row, and takes effect only if that row still has the session under
which it was sent. A new session first raises the row's session: from then on nothing of the old one can commit, so the
number read in that same statement is final.
"""

from enum import Enum, auto
from typing import NamedTuple


class DaemonRow(NamedTuple):
    """A daemon's row, as read by the statement that raised its session."""

    session: int
    append: int
    """The number of the last append that committed."""


class Sent(NamedTuple):
    """An append on its way; one at a time."""

    session: int
    append: int


class Committed(Enum):
    """Whether an append took effect."""

    YES = auto()
    NO = auto()
    UNKNOWN = auto()


def appended(sent: Sent, row: DaemonRow | None) -> Committed:
    """Returns whether an append took effect; `row` is None while no new session exists."""
    if row is None or row.session <= sent.session:
        return Committed.UNKNOWN
    return Committed.YES if row.append >= sent.append else Committed.NO
