"""What a search through pages may bring back although it is over: rows and letters that ended, outcomes superseded.

An acceptance is named by its envelope's id, its time and its replay. What is over is dropped; what merely may be over
stays, since a repeat is better than a loss.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool.sqlite.repair.tables import understood

Acceptance = tuple[str, float, int]
Noun = TypeVar("Noun", bound=msgspec.Struct)


def drop_outdated(new: sqlite3.Connection) -> None:
    """Drops rows that have an outcome, letters that were replayed or discarded, and the outcomes of the discarded."""
    new.execute("DELETE FROM log WHERE key IN (SELECT key FROM parked)")
    outcomes = list(_nouns(new, "SELECT sequence, data FROM journal", Outcome))
    ended = {_of(outcome) for _, outcome in outcomes}
    discarded = {_of(outcome) for _, outcome in outcomes if outcome.type is OutcomeType.DISCARDED}
    dead = [(number, _of(outcome)) for number, outcome in outcomes if outcome.type is OutcomeType.DEAD_LETTERED]
    _delete(new, "DELETE FROM journal WHERE sequence = ?", (number for number, each in dead if each in discarded))
    taken = set(ended)
    for table in ("log", "parked"):
        rows = _nouns(new, f"SELECT key, data FROM {table}", AcceptedEnvelope)  # noqa: S608 - our own names
        waiting = [(key, _of(envelope)) for key, envelope in rows]
        taken |= {acceptance for _, acceptance in waiting}
        over = (key for key, acceptance in waiting if acceptance in ended)
        _delete(new, f"DELETE FROM {table} WHERE key = ?", over)  # noqa: S608 - our own names
    letters = [(number, each.envelope) for number, each in _nouns(new, "SELECT id, data FROM dead_letters", DeadLetter)]
    over = (number for number, each in letters if _of(each) in discarded or _replayed(each) in taken)
    _delete(new, "DELETE FROM dead_letters WHERE id = ?", over)


def _nouns(new: sqlite3.Connection, statement: str, noun: type[Noun]) -> Iterator[tuple[int, Noun]]:
    """What is understood of the records that a statement gives with their numbers."""
    for number, data in new.execute(statement):
        if (known := understood(data, noun)) is not None:
            yield number, known


def _of(accepted: AcceptedEnvelope | Outcome) -> Acceptance:
    return accepted.envelope_id, accepted.accept_time, accepted.replay


def _replayed(envelope: AcceptedEnvelope) -> Acceptance:
    return envelope.envelope_id, envelope.accept_time, envelope.replay + 1


def _delete(new: sqlite3.Connection, statement: str, numbers: Iterable[int]) -> None:
    new.executemany(statement, [(number,) for number in numbers])
