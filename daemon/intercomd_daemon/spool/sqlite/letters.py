"""The dead letters: envelopes that Intercom refused for good, with its answer, to be listed, replayed or discarded.

A letter is named by the sequence of its outcome. Which calls a replay repeats is not decided here.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import ending, record
from intercomd_daemon.spool.base import DeadLetterFilter
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.sqlite import journal, log
from intercomd_daemon.spool.sqlite.aside import set_apart, what_is_wrong
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.window import id_of

CHUNK = 1_000
"""Letters looked at in one go: some milliseconds."""
TAKEN_PER_COMMIT = 500
"""Letters replayed or discarded in one commit: a large operation neither fills memory nor keeps the others waiting."""


class Found(NamedTuple):
    """What a chunk gave."""

    letters: list[DeadLetter]
    on: int
    """The id to look on from; 0 if there is nothing more."""


class Place(NamedTuple):
    """How far a replay or a discard is: the last letter that was taken, and the newest one that is meant."""

    origin: int
    id: int
    newest: int


BEGINNING = Place(-1, 0, 0)


class Bite(NamedTuple):
    """What one commit of a replay or a discard has come to."""

    done: int
    """Letters; -1 where not as many as expected match."""
    on: Place | None
    """Where to go on; None if there is nothing more."""
    outcomes: Sequence[Outcome] = ()
    """Of a discard."""


class _Stored(NamedTuple):
    id: int
    priority: Priority
    connection: int
    data: bytes


def bury(transaction: Transaction, letter: DeadLetter, priority: Priority) -> None:
    """Keeps a dead letter; it counts to its connection."""
    outcome = letter.outcome
    account = transaction.ledger.account(outcome.connection)
    data = record.pack(letter)
    transaction.database.execute(
        "INSERT INTO dead_letters (id, connection, priority, origin, envelope_id, customer_id, email, reason,"
        " accept_time, data, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            letter.dead_letter_id,
            account.number,
            priority,
            letter.envelope.origin,
            id_of(outcome.envelope_id),
            outcome.customer_id,
            outcome.email,
            outcome.reason,
            outcome.accept_time,
            data,
            seal(letter.dead_letter_id, account.number, int(priority)),
        ),
    )
    account.dead_letters += 1
    account.bytes += row_bytes(data)


def listed(transaction: Transaction, wanted: DeadLetterFilter, after: int, limit: int) -> Found:
    """Matching letters in order from above the id `after`, within one chunk; damaged ones are set aside."""
    seen, last = transaction.database.execute(
        "SELECT count(*), max(id) FROM (SELECT id FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?)", (after, CHUNK)
    ).fetchone()
    clauses, values = _condition(transaction, wanted)
    found = transaction.database.execute(
        f"SELECT id, data FROM dead_letters WHERE id > ? AND id <= ?{clauses} ORDER BY id LIMIT ?",  # noqa: S608 - our own clauses
        (after, last or 0, *values, limit),
    ).fetchall()
    letters: list[DeadLetter] = []
    for name, data in found:
        if wrong := what_is_wrong(data):
            set_apart(transaction, "dead_letters", name, _taken(transaction, name).data, wrong)
        else:
            letters.append(record.unpack(data, DeadLetter))
    rest = last if seen == CHUNK else 0
    return Found(letters, found[-1][0] if len(found) == limit else rest)


def count(transaction: Transaction, wanted: DeadLetterFilter) -> int:
    """How many match."""
    clauses, values = _condition(transaction, wanted)
    return int(
        transaction.database.execute(f"SELECT count(*) FROM dead_letters WHERE 1{clauses}", values).fetchone()[0]  # noqa: S608 - our own clauses
    )


def replay(transaction: Transaction, wanted: DeadLetterFilter, expected: int, place: Place = BEGINNING) -> Bite:
    """Appends the refused calls of matching letters in the order of their first acceptance, and drops the letters.

    They need no room: each row is smaller than its letter.
    """

    def append_again(stored: _Stored, letter: DeadLetter) -> None:
        log.append(transaction, [ending.again(letter, stored.priority)], lambda _ledger, _new: None)

    return _bite(transaction, wanted, expected, place, append_again)


def discard(transaction: Transaction, wanted: DeadLetterFilter, expected: int, place: Place = BEGINNING) -> Bite:
    """Drops matching letters, each outcome becoming DISCARDED."""
    outcomes: list[Outcome] = []

    def conclude(_stored: _Stored, letter: DeadLetter) -> None:
        transaction.ledger.counters.sequence += 1
        outcomes.append(ending.discarded(letter, transaction.ledger.counters.sequence, transaction.now))
        journal.strike(transaction, [letter.dead_letter_id])

    bite = _bite(transaction, wanted, expected, place, conclude)
    journal.add(transaction, outcomes)
    return bite._replace(outcomes=outcomes)


def _bite(
    transaction: Transaction,
    wanted: DeadLetterFilter,
    expected: int,
    place: Place,
    perform: Callable[[_Stored, DeadLetter], None],
) -> Bite:
    """Performs something with each of the next letters and drops it; damaged ones are set aside instead."""
    clauses, values = _condition(transaction, wanted)
    if place == BEGINNING:
        found = transaction.database.execute(
            f"SELECT count(*), coalesce(max(id), 0) FROM dead_letters WHERE 1{clauses}",  # noqa: S608 - our own clauses
            values,
        ).fetchone()
        if found[0] != expected:
            return Bite(-1, None)
        place = place._replace(newest=found[1])
    names = transaction.database.execute(
        f"SELECT origin, id FROM dead_letters WHERE (origin, id) > (?, ?) AND id <= ?{clauses}"  # noqa: S608 - as above
        " ORDER BY origin, id LIMIT ?",
        (*place, *values, TAKEN_PER_COMMIT),
    ).fetchall()
    done = sum(_performed(transaction, name, perform) for _, name in names)
    on = Place(names[-1][0], names[-1][1], place.newest) if len(names) == TAKEN_PER_COMMIT else None
    return Bite(done, on)


def _performed(transaction: Transaction, name: int, perform: Callable[[_Stored, DeadLetter], None]) -> bool:
    stored = _taken(transaction, name)
    wrong = what_is_wrong(stored.data)
    if wrong:
        set_apart(transaction, "dead_letters", stored.id, stored.data, wrong)
    else:
        perform(stored, record.unpack(stored.data, DeadLetter))
    return not wrong


def _taken(transaction: Transaction, name: int) -> _Stored:
    found = transaction.database.execute(
        "DELETE FROM dead_letters WHERE id = ? RETURNING id, connection, priority, data, seal", (name,)
    ).fetchall()
    *place, data, sealed = found[0]
    if sealed != seal(*place):
        raise Malformed(f"dead letter {name} is not what was written")
    stored = _Stored(place[0], Priority(place[2]), place[1], data)
    account = transaction.ledger.accounts[stored.connection]
    account.dead_letters -= 1
    account.bytes -= row_bytes(stored.data)
    return stored


def _condition(transaction: Transaction, wanted: DeadLetterFilter) -> tuple[str, list[object]]:
    """`selection.selects_letter` in SQL."""
    parts: list[tuple[str, object]] = []
    if wanted.connection:
        parts.append((" AND connection = ?", transaction.ledger.number(wanted.connection)))
    if wanted.dead_letter_ids:
        parts.append((" AND id IN (SELECT value FROM json_each(?))", json.dumps(wanted.dead_letter_ids)))
    if wanted.customer_id:
        parts.append((" AND customer_id = ?", wanted.customer_id))
    if wanted.email:
        parts.append((" AND email = ?", wanted.email))
    if wanted.reason:
        parts.append((" AND reason = ?", wanted.reason))
    if wanted.accept_time_from:
        parts.append((" AND accept_time >= ?", wanted.accept_time_from))
    if wanted.accept_time_to:
        parts.append((" AND accept_time < ?", wanted.accept_time_to))
    clauses = [clause for clause, _ in parts]
    values = [value for _, value in parts]
    if wanted.envelope_ids:
        clauses.append(f" AND envelope_id IN ({', '.join('?' * len(wanted.envelope_ids))})")
        values += [id_of(envelope_id) for envelope_id in wanted.envelope_ids]
    return "".join(clauses), values
