"""Operators' orders to the daemon that delivers a workspace, given at any daemon, and when one needs no answer."""

from enum import StrEnum
from typing import NamedTuple

from intercomd_daemon.fleet.lease import Fence, Observation, Terms, may_claim


class OrderKind(StrEnum):
    """What the daemon that delivers is to do; the texts are stored."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    GIVE_UP = "give up"


class Order(NamedTuple):
    """An order, as the database has it."""

    number: int
    connection: str
    kind: OrderKind
    key: int = 0
    """Of the row to give up."""
    envelope_id: str = ""
    """Of the row to give up."""
    sequence: int = 0
    """The newest outcome when the order was given."""


class Answer(NamedTuple):
    """What became of an order."""

    result: int = 0
    """Of a give-up: the sequence of the outcome; 0: the envelope did not wait."""
    error: str = ""
    """Why the order cannot be obeyed, with the remedy; empty if it was."""


def is_obsolete(kind: OrderKind, given_to: Fence, seen: Observation, now: float, terms: Terms) -> bool:
    """Whether the order is in effect without an answer, as the daemon that it was given to makes no more calls.

    The daemon that acquires the workspace next reads after that whether its connections are paused, and probes each of
    them. Only a give-up is left for it to do.
    """
    if kind is OrderKind.GIVE_UP:
        return False
    return seen.row.fence != given_to or may_claim(seen, "", now, terms)
