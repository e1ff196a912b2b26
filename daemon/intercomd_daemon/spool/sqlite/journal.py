"""The journal of outcomes: bounded, in the order of the commits, searched a chunk at a time.

It has no index beside the sequence, since each would cost the deliverer a random page per outcome; SQLite filters the
chunks by columns, and the writer goes on between them.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import OutcomeFilter
from intercomd_daemon.spool.sqlite.aside import set_apart, what_is_wrong
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.window import id_of

CHUNK = 10_000
"""Sequences looked at in one go: some milliseconds."""
TRIMMED_PER_COMMIT = 1_000
"""More than a commit usually adds, so that the bound holds."""


class Found(NamedTuple):
    """What a chunk gave."""

    outcomes: list[Outcome]
    on: int
    """Where to look on, as the bound that was given; 0 if there is nothing more."""


def add(transaction: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Enters outcomes, which have their sequence."""
    number = transaction.ledger.account
    transaction.database.executemany(
        "INSERT INTO journal (sequence, connection, envelope_id, customer_id, email, type, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                outcome.sequence,
                number(outcome.connection).number,
                id_of(outcome.envelope_id),
                outcome.customer_id,
                outcome.email,
                outcome.type,
                record.pack(outcome),
            )
            for outcome in outcomes
        ],
    )
    transaction.ledger.counters.outcomes += len(outcomes)


def strike(transaction: Transaction, sequences: Sequence[int]) -> None:
    """Removes outcomes that another one supersedes."""
    transaction.ledger.counters.outcomes -= transaction.database.execute(
        "DELETE FROM journal WHERE sequence IN (SELECT value FROM json_each(?))", (json.dumps(sequences),)
    ).rowcount


def trim(transaction: Transaction, outcomes_max: int) -> None:
    """Lets the oldest go, a few a commit, while there are more than `outcomes_max`."""
    excess = min(transaction.ledger.counters.outcomes - outcomes_max, TRIMMED_PER_COMMIT)
    if excess > 0:
        transaction.ledger.counters.outcomes -= transaction.database.execute(
            "DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal ORDER BY sequence LIMIT ?)", (excess,)
        ).rowcount


def oldest(transaction: Transaction) -> int:
    """The oldest sequence that the journal holds; 0 if it is empty."""
    return int(transaction.database.execute("SELECT coalesce(min(sequence), 0) FROM journal").fetchone()[0])


def older(transaction: Transaction, wanted: OutcomeFilter, before: int, limit: int) -> Found:
    """Newest first from below `before` (0: from the newest), within one chunk."""
    newest = transaction.ledger.counters.sequence
    below = min(before, newest + 1) if before else newest + 1
    bottom = max(below - CHUNK, oldest(transaction))
    found = _matching(transaction, wanted, (bottom, below), "DESC", limit)
    rest = bottom if bottom > oldest(transaction) else 0
    return Found(_sound(transaction, found), found[-1][0] if len(found) == limit else rest)


def newer(transaction: Transaction, wanted: OutcomeFilter, after: int, limit: int) -> Found:
    """In order from above `after`, within one chunk."""
    bottom = max(after + 1, oldest(transaction))
    below = bottom + CHUNK
    found = _matching(transaction, wanted, (bottom, below), "ASC", limit)
    rest = below - 1 if below <= transaction.ledger.counters.sequence else 0
    return Found(_sound(transaction, found), found[-1][0] if len(found) == limit else rest)


def _matching(
    transaction: Transaction, wanted: OutcomeFilter, between: tuple[int, int], direction: str, limit: int
) -> list[tuple[int, bytes]]:
    clauses, values = _condition(transaction, wanted)
    return transaction.database.execute(
        f"SELECT sequence, data FROM journal WHERE sequence >= ? AND sequence < ?{clauses}"  # noqa: S608 - our own clauses
        f" ORDER BY sequence {direction} LIMIT ?",
        (*between, *values, limit),
    ).fetchall()


def _sound(transaction: Transaction, found: Sequence[tuple[int, bytes]]) -> list[Outcome]:
    """The outcomes; a damaged one is set aside, as nothing of it can be told."""
    outcomes: list[Outcome] = []
    for sequence, data in found:
        if wrong := what_is_wrong(data):
            strike(transaction, [sequence])
            set_apart(transaction, "journal", sequence, data, wrong)
        else:
            outcomes.append(record.unpack(data, Outcome))
    return outcomes


def _condition(transaction: Transaction, wanted: OutcomeFilter) -> tuple[str, list[object]]:
    """`selection.selects_outcome` in SQL."""
    parts: list[tuple[str, object]] = []
    if wanted.connection:
        parts.append((" AND connection = ?", transaction.ledger.number(wanted.connection)))
    if wanted.envelope_id:
        parts.append((" AND envelope_id = ?", id_of(wanted.envelope_id)))
    if wanted.customer_id:
        parts.append((" AND customer_id = ?", wanted.customer_id))
    if wanted.email:
        parts.append((" AND email = ?", wanted.email))
    if wanted.types:
        parts.append(
            (" AND type IN (SELECT value FROM json_each(?))", json.dumps([int(kind) for kind in wanted.types]))
        )
    return "".join(clause for clause, _ in parts), [value for _, value in parts]
