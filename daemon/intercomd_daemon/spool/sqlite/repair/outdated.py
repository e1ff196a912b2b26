"""Drops what a search through pages may bring back although it is over: settled rows, taken letters, replaced outcomes.

An acceptance is identified by its connection, its envelope's id, its time and its replay. Only what is certainly over
is dropped: a repetition is better than a loss. A temporary table holds the identities, so that memory stays small.
"""

import sqlite3
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool.keys import CONNECTION_BITS
from intercomd_daemon.spool.sqlite.repair.tables import decode

Struct = TypeVar("Struct", bound=msgspec.Struct)
Acceptance = tuple[str, float, int]

_DEAD, _DISCARDED = int(OutcomeType.DEAD_LETTERED), int(OutcomeType.DISCARDED)
_ENDED = "other.place = 'journal'"


def drop_outdated(new: sqlite3.Connection) -> None:
    """Drops rows that have an outcome, letters that were replayed or discarded, and the outcomes of the discarded."""
    new.execute("DELETE FROM log WHERE key IN (SELECT key FROM parked)")
    new.execute(
        "CREATE TABLE acceptances (place TEXT, number INTEGER, connection INTEGER, type INTEGER,"
        " envelope_id TEXT, accept_time REAL, replay INTEGER)"
    )
    _list(new, "journal", "SELECT sequence, connection, type, data FROM journal", Outcome, _identity)
    for table in ("log", "parked"):
        rows = f"SELECT key, key >> {CONNECTION_BITS}, 0, data FROM {table}"  # noqa: S608 - our own names
        _list(new, table, rows, AcceptedEnvelope, _identity)
    letters = "SELECT id, connection, 0, data FROM dead_letters"
    _list(new, "dead_letters", letters, DeadLetter, lambda letter: _identity(letter.envelope))
    new.execute("CREATE INDEX acceptances_by_identity ON acceptances (connection, envelope_id, accept_time, replay)")
    _drop(new, "journal", "sequence", f"one.type = {_DEAD} AND other.type = {_DISCARDED}")
    _drop(new, "log", "key", _ENDED)
    _drop(new, "parked", "key", _ENDED)
    _drop(new, "dead_letters", "id", f"other.type = {_DISCARDED}")
    _drop(new, "dead_letters", "id", "other.place <> 'dead_letters'", replays=1)
    new.execute("DROP TABLE acceptances")


def _identity(accepted: AcceptedEnvelope | Outcome) -> Acceptance:
    return accepted.envelope_id, accepted.accept_time, accepted.replay


def _list(
    new: sqlite3.Connection, place: str, statement: str, struct: type[Struct], name: Callable[[Struct], Acceptance]
) -> None:
    """Lists the acceptances of rows of a number, a connection, a type and a record, as far as they can be decoded."""

    def identified() -> Iterator[tuple[str | int | float, ...]]:
        for number, connection, kind, data in new.execute(statement):
            if (known := decode(data, struct)) is not None:
                yield place, number, connection, kind, *name(known)

    new.executemany("INSERT INTO acceptances VALUES (?, ?, ?, ?, ?, ?, ?)", identified())


def _drop(new: sqlite3.Connection, table: str, key: str, condition: str, *, replays: int = 0) -> None:
    """Drops the rows for which another place has the same acceptance, or its next replay, and the condition holds."""
    new.execute(
        f"DELETE FROM {table} WHERE {key} IN (SELECT one.number FROM acceptances AS one JOIN acceptances AS other"  # noqa: S608 - our own names
        " USING (connection, envelope_id, accept_time)"
        f" WHERE one.place = ? AND other.replay = one.replay + ? AND {condition})",
        (table, replays),
    )
