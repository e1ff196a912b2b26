"""The dead letters: envelopes that Intercom refused for good, with its answer, to be listed, replayed or discarded.

A letter is named by the sequence of its outcome. Which calls a replay repeats is not decided here.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter
from intercomd_daemon.spool import ending, record
from intercomd_daemon.spool.base import DeadLetterFilter
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.sqlite import journal, log
from intercomd_daemon.spool.sqlite.rows import count_damaged, what_is_wrong
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.window import id_of

CHUNK = 1_000
"""Letters looked at in one go: some milliseconds."""


class Found(NamedTuple):
    """What a chunk gave."""

    letters: list[DeadLetter]
    on: int
    """The id to look on from; 0 if there is nothing more."""


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
    """Matching letters in order from above the id `after`, within one chunk."""
    seen, last = transaction.database.execute(
        "SELECT count(*), max(id) FROM (SELECT id FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?)", (after, CHUNK)
    ).fetchone()
    clauses, values = _condition(transaction, wanted)
    found = transaction.database.execute(
        f"SELECT id, data FROM dead_letters WHERE id > ? AND id <= ?{clauses} ORDER BY id LIMIT ?",  # noqa: S608 - our own clauses
        (after, last or 0, *values, limit),
    ).fetchall()
    letters = [record.unpack(data, DeadLetter) for _, data in found if not what_is_wrong(data)]
    rest = last if seen == CHUNK else 0
    return Found(letters, found[-1][0] if len(found) == limit else rest)


def count(transaction: Transaction, wanted: DeadLetterFilter) -> int:
    """How many match."""
    clauses, values = _condition(transaction, wanted)
    return int(
        transaction.database.execute(f"SELECT count(*) FROM dead_letters WHERE 1{clauses}", values).fetchone()[0]  # noqa: S608 - our own clauses
    )


def replay(transaction: Transaction, wanted: DeadLetterFilter, expected: int) -> int:
    """Appends the refused calls of the matching letters in the order of their first acceptance, and drops the letters.

    Returns how many; -1 if not `expected` match. They need no room: each row is smaller than its letter.
    """

    def append_again(stored: _Stored, letter: DeadLetter) -> None:
        log.append(transaction, [ending.again(letter, stored.priority)], lambda _ledger, _new: None)

    return _each(transaction, wanted, expected, append_again)


def discard(transaction: Transaction, wanted: DeadLetterFilter, expected: int) -> int:
    """Drops the matching letters, each outcome becoming DISCARDED; counts like `replay`."""

    def conclude(_stored: _Stored, letter: DeadLetter) -> None:
        transaction.ledger.counters.sequence += 1
        outcome = ending.discarded(letter, transaction.ledger.counters.sequence, transaction.now)
        journal.strike(transaction, [letter.dead_letter_id])
        journal.add(transaction, [outcome])

    return _each(transaction, wanted, expected, conclude)


def _each(
    transaction: Transaction,
    wanted: DeadLetterFilter,
    expected: int,
    perform: Callable[[_Stored, DeadLetter], None],
) -> int:
    """Performs something with each matching letter and drops it; damaged ones are set aside instead."""
    if count(transaction, wanted) != expected:
        return -1
    clauses, values = _condition(transaction, wanted)
    names = transaction.database.execute(
        f"SELECT id FROM dead_letters WHERE 1{clauses} ORDER BY origin, id",  # noqa: S608 - our own clauses
        values,
    ).fetchall()
    done = 0
    for (name,) in names:
        stored = _taken(transaction, name)
        if wrong := what_is_wrong(stored.data):
            transaction.database.execute(
                "INSERT INTO damaged (place, key, lane, reason, data) VALUES ('dead_letters', ?, '', ?, ?)",
                (stored.id, wrong, stored.data),
            )
            count_damaged(transaction)
        else:
            perform(stored, record.unpack(stored.data, DeadLetter))
            done += 1
    return done


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
