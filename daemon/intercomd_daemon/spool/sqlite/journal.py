"""The journal of outcomes: bounded, in commit order, searched one chunk at a time.

Its only index is the sequence: every other one would cost the deliverer a random page per outcome. SQLite filters a
chunk by its columns, and the writer commits other operations between two chunks.
"""

import json
from collections.abc import Sequence
from functools import cache

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import OutcomeFilter
from intercomd_daemon.spool.sqlite.chunk import Chunk
from intercomd_daemon.spool.sqlite.duplicate_window import pack_id
from intercomd_daemon.spool.sqlite.quarantine import quarantine_record, record_error
from intercomd_daemon.spool.sqlite.transaction import Blob, Transaction, placeholders
from intercomd_daemon.spool.sqlite.where import Where
from intercomd_daemon.spool.trail import TrailFilter

CHUNK = 10_000
"""Sequences searched in one operation: some milliseconds."""
TRIMMED_PER_COMMIT = 1_000
"""More outcomes than a commit adds, so that the bound holds."""


def add(transaction: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Adds outcomes, which have their sequence."""
    transaction.insert(
        _insert_statement,
        [
            (
                outcome.sequence,
                transaction.counters.connection(outcome.connection).number,
                pack_id(outcome.envelope_id),
                outcome.customer_id,
                outcome.email,
                int(outcome.type),
                Blob(record.pack(outcome)),
            )
            for outcome in outcomes
        ],
    )
    transaction.counters.spool.outcomes += len(outcomes)


@cache
def _insert_statement(rows: int) -> str:
    columns = "sequence, connection, envelope_id, customer_id, email, type, data"
    return f"INSERT INTO journal ({columns}) VALUES {placeholders(7, rows)}"  # noqa: S608 - placeholders


def remove(transaction: Transaction, sequences: Sequence[int]) -> None:
    """Removes outcomes that another one replaces."""
    transaction.counters.spool.outcomes -= transaction.database.execute(
        "DELETE FROM journal WHERE sequence IN (SELECT value FROM json_each(?))", (json.dumps(sequences),)
    ).rowcount


def trim(transaction: Transaction, outcomes_max: int) -> int:
    """Deletes the oldest outcomes beyond `outcomes_max`, at most `TRIMMED_PER_COMMIT`; returns how many."""
    excess = min(transaction.counters.spool.outcomes - outcomes_max, TRIMMED_PER_COMMIT)
    if excess <= 0:
        return 0
    deleted = transaction.database.execute(
        "DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal ORDER BY sequence LIMIT ?)", (excess,)
    ).rowcount
    transaction.counters.spool.outcomes -= deleted
    return deleted


def expire(transaction: Transaction, outcomes_max: int = TRIMMED_PER_COMMIT) -> float:
    """Deletes expired outcomes, the oldest first, at most `outcomes_max`.

    Returns a time (Unix seconds) before which no outcome that is left has ended; 0.0: none is left.
    """
    transaction.counters.spool.outcomes -= transaction.database.execute(
        "DELETE FROM journal WHERE sequence IN"
        " (SELECT sequence FROM journal WHERE sequence < ? ORDER BY sequence LIMIT ?)",
        (oldest(transaction), outcomes_max),
    ).rowcount
    first = _first(transaction, 0)
    return first.end_time if first else 0.0


def request_expiry(transaction: Transaction) -> bool:
    """Has the commit delete expired outcomes, though nothing else changed; returns whether any has expired."""
    first = _first(transaction, 0)
    transaction.trims = first is not None and first.end_time < transaction.outcomes_from
    return transaction.trims


def oldest(transaction: Transaction) -> int:
    """Returns the sequence from which on no outcome has left the journal or expired; 0: there were none yet.

    Outcomes are in the order of their ends, so the first one that has not expired is found by bisection. After the
    clock was set back, some stay longer.
    """
    first = _first(transaction, 0)
    sequence = transaction.counters.spool.sequence
    if first is None:
        return sequence + 1 if sequence else 0
    if first.end_time >= transaction.outcomes_from:
        return first.sequence
    expired, end = first.sequence, sequence + 1
    while end - expired > 1:
        middle = (expired + end) // 2
        found = _first(transaction, middle)
        if found and found.end_time < transaction.outcomes_from:
            expired = found.sequence
        else:
            end = middle
    return end


def _first(transaction: Transaction, sequence: int) -> Outcome | None:
    """Returns the first outcome from this sequence on; corrupt ones are quarantined."""
    while found := transaction.database.execute(
        "SELECT sequence, data FROM journal WHERE sequence >= ? ORDER BY sequence LIMIT 1", (sequence,)
    ).fetchall():
        if outcomes := _decode(transaction, found):
            return outcomes[0]
    return None


def read_before(
    transaction: Transaction, wanted: OutcomeFilter | TrailFilter, before: int, limit: int
) -> Chunk[Outcome]:
    """Returns the matching outcomes of the chunk below `before` (0: the newest chunk), newest first."""
    newest = transaction.counters.spool.sequence
    below = min(before, newest + 1) if before else newest + 1
    first = oldest(transaction)
    bottom = max(below - CHUNK, first)
    found = _select(transaction, wanted, bottom, below, "DESC", limit)
    rest = bottom if bottom > first else 0
    return Chunk(_decode(transaction, found), found[-1][0] if len(found) == limit else rest)


def read_after(transaction: Transaction, wanted: OutcomeFilter, after: int, limit: int) -> Chunk[Outcome]:
    """Returns the matching outcomes of the chunk above `after`, in order."""
    bottom = max(after + 1, oldest(transaction))
    below = bottom + CHUNK
    found = _select(transaction, wanted, bottom, below, "ASC", limit)
    rest = below - 1 if below <= transaction.counters.spool.sequence else 0
    return Chunk(_decode(transaction, found), found[-1][0] if len(found) == limit else rest)


def _select(
    transaction: Transaction, wanted: OutcomeFilter | TrailFilter, bottom: int, below: int, direction: str, limit: int
) -> list[tuple[int, bytes]]:
    """Selects matching outcomes from the sequence `bottom` on, below `below`; the direction is ASC or DESC."""
    where = trail_where(transaction, wanted) if isinstance(wanted, TrailFilter) else _where(transaction, wanted)
    return transaction.database.execute(
        f"SELECT sequence, data FROM journal WHERE sequence >= ? AND sequence < ?{where}"  # noqa: S608 - our own clauses
        f" ORDER BY sequence {direction} LIMIT ?",
        (bottom, below, *where.values, limit),
    ).fetchall()


def _decode(transaction: Transaction, found: Sequence[tuple[int, bytes]]) -> list[Outcome]:
    """Decodes outcomes; corrupt ones are quarantined."""
    outcomes: list[Outcome] = []
    for sequence, data in found:
        if error := record_error(data):
            remove(transaction, [sequence])
            quarantine_record(transaction, "journal", sequence, data, error)
        else:
            outcomes.append(record.unpack(data, Outcome))
    return outcomes


def trail_where(transaction: Transaction, wanted: TrailFilter) -> Where:
    """Returns `TrailFilter.matches` as the condition of a query, on outcomes or on dead letters."""
    where = Where()
    where.connections(transaction.counters, wanted.connection, wanted.allowed)
    where.equals("envelope_id", wanted.envelope_id and pack_id(wanted.envelope_id))
    users = {"customer_id": wanted.customer_id, "email": wanted.email}
    where.equals_any({column: text for column, text in users.items() if text})
    return where


def _where(transaction: Transaction, wanted: OutcomeFilter) -> Where:
    """Returns `OutcomeFilter.matches` as the condition of a query."""
    where = Where()
    where.connections(transaction.counters, wanted.connection, wanted.allowed)
    where.equals("envelope_id", wanted.envelope_id and pack_id(wanted.envelope_id))
    where.equals("customer_id", wanted.customer_id)
    where.equals("email", wanted.email)
    if wanted.types:
        where.is_among("type", [int(kind) for kind in wanted.types])
    return where
