"""The dead letters: envelopes that Intercom refused for good, with its answer, to be listed, replayed or discarded.

A dead letter's id is the sequence of its outcome.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rows import DeadLetterFilter
from intercomd_daemon.spool.sqlite import journal, log
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.chunk import Chunk
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.duplicate_window import pack_id
from intercomd_daemon.spool.sqlite.quarantine import quarantine_record, record_error
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.where import Where

CHUNK = 1_000
"""Letters searched in one operation: some milliseconds."""
TAKEN_PER_COMMIT = 500
"""Letters replayed or discarded in one commit: it holds few in memory and keeps other operations waiting briefly."""


class Cursor(NamedTuple):
    """How far a replay or a discard is: the last letter taken, and the newest letter that it includes."""

    origin: int
    id: int
    newest: int


BEGINNING = Cursor(-1, 0, 0)


class Taken(NamedTuple):
    """What one commit of a replay or a discard did."""

    letters: int
    """Letters taken; -1: the number of matching letters is not the expected one."""
    next: Cursor | None
    """Where to continue; None: all are taken."""
    outcomes: Sequence[Outcome] = ()
    """The new outcomes of a discard."""


class _Stored(NamedTuple):
    id: int
    priority: Priority
    connection: int
    data: bytes


def add(transaction: Transaction, letter: DeadLetter, priority: Priority) -> None:
    """Stores a dead letter, which counts towards its connection's quota."""
    outcome = letter.outcome
    counters = transaction.counters.connection(outcome.connection)
    data = record.pack(letter)
    transaction.database.execute(
        "INSERT INTO dead_letters (id, connection, priority, origin, envelope_id, customer_id, email, reason,"
        " accept_time, data, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            letter.dead_letter_id,
            counters.number,
            priority,
            letter.envelope.origin,
            pack_id(outcome.envelope_id),
            outcome.customer_id,
            outcome.email,
            outcome.reason,
            outcome.accept_time,
            data,
            row_checksum(letter.dead_letter_id, counters.number, int(priority)),
        ),
    )
    counters.dead_letters += 1
    counters.bytes += row_bytes(data)


def read_newest(transaction: Transaction, wanted: DeadLetterFilter, before: int, limit: int) -> Chunk[DeadLetter]:
    """Returns the matching letters of the next chunk below the id `before` (0: all), newest first."""
    return read_before(transaction, _where(transaction, wanted), before, limit)


def read_before(transaction: Transaction, where: Where, before: int, limit: int) -> Chunk[DeadLetter]:
    """Returns the letters of the next chunk below the id `before` (0: all), newest first, that fulfil the condition."""
    below = before or transaction.counters.spool.sequence + 1
    seen, last = transaction.database.execute(
        "SELECT count(*), min(id) FROM (SELECT id FROM dead_letters WHERE id < ? ORDER BY id DESC LIMIT ?)",
        (below, CHUNK),
    ).fetchone()
    found = transaction.database.execute(
        f"SELECT id, data FROM dead_letters WHERE id < ? AND id >= ?{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - our own clauses
        (below, last or below, *where.values, limit),
    ).fetchall()
    letters = _decode(transaction, found)
    if len(found) == limit:
        return Chunk(letters, found[-1][0])
    return Chunk(letters, last if seen == CHUNK else 0)


def read_after(transaction: Transaction, wanted: DeadLetterFilter, after: int, limit: int) -> Chunk[DeadLetter]:
    """Returns the matching letters of the next chunk above the id `after`; corrupt ones are quarantined."""
    seen, last = transaction.database.execute(
        "SELECT count(*), max(id) FROM (SELECT id FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?)", (after, CHUNK)
    ).fetchone()
    where = _where(transaction, wanted)
    found = transaction.database.execute(
        f"SELECT id, data FROM dead_letters WHERE id > ? AND id <= ?{where} ORDER BY id LIMIT ?",  # noqa: S608 - our own clauses
        (after, last or 0, *where.values, limit),
    ).fetchall()
    letters = _decode(transaction, found)
    if len(found) == limit:
        return Chunk(letters, found[-1][0])
    return Chunk(letters, last if seen == CHUNK else 0)


def _decode(transaction: Transaction, found: Sequence[tuple[int, bytes]]) -> list[DeadLetter]:
    """Decodes letters; corrupt ones are quarantined."""
    letters: list[DeadLetter] = []
    for letter_id, data in found:
        if error := record_error(data):
            quarantine_record(transaction, "dead_letters", letter_id, _delete(transaction, letter_id).data, error)
        else:
            letters.append(record.unpack(data, DeadLetter))
    return letters


def count_by_reason(transaction: Transaction, wanted: DeadLetterFilter) -> dict[str, int]:
    """Counts the matching letters of each reason, the most frequent first."""
    where = _where(transaction, wanted)
    return dict(
        transaction.database.execute(
            f"SELECT reason, count(*) AS letters FROM dead_letters WHERE 1{where}"  # noqa: S608 - our own clauses
            " GROUP BY reason ORDER BY letters DESC, reason",
            where.values,
        ).fetchall()
    )


def count(transaction: Transaction, wanted: DeadLetterFilter) -> int:
    """Counts the matching letters."""
    where = _where(transaction, wanted)
    return int(
        transaction.database.execute(f"SELECT count(*) FROM dead_letters WHERE 1{where}", where.values).fetchone()[0]  # noqa: S608 - our own clauses
    )


def replay(transaction: Transaction, wanted: DeadLetterFilter, expected: int, cursor: Cursor = BEGINNING) -> Taken:
    """Appends the refused calls of matching letters in the order of their first acceptance, and drops the letters.

    The quota is not checked: each row is smaller than its letter.
    """

    def append_again(stored: _Stored, letter: DeadLetter) -> None:
        log.append(transaction, [completion.replayed_row(letter, stored.priority)], lambda _counters, _new, _rows: None)

    return _take(transaction, wanted, expected, cursor, append_again)


def discard(transaction: Transaction, wanted: DeadLetterFilter, expected: int, cursor: Cursor = BEGINNING) -> Taken:
    """Drops matching letters; each outcome is replaced by a new one of type DISCARDED."""
    outcomes: list[Outcome] = []

    def replace_outcome(_stored: _Stored, letter: DeadLetter) -> None:
        transaction.counters.spool.sequence += 1
        sequence = transaction.counters.spool.sequence
        outcomes.append(completion.discarded_outcome(letter, sequence, transaction.now))
        journal.remove(transaction, [letter.dead_letter_id])

    taken = _take(transaction, wanted, expected, cursor, replace_outcome)
    journal.add(transaction, outcomes)
    return taken._replace(outcomes=outcomes)


def _take(
    transaction: Transaction,
    wanted: DeadLetterFilter,
    expected: int,
    cursor: Cursor,
    perform: Callable[[_Stored, DeadLetter], None],
) -> Taken:
    """Drops the next matching letters and performs something with each; corrupt ones are quarantined instead."""
    where = _where(transaction, wanted)
    if cursor == BEGINNING:
        found = transaction.database.execute(
            f"SELECT count(*), coalesce(max(id), 0) FROM dead_letters WHERE 1{where}",  # noqa: S608 - our own clauses
            where.values,
        ).fetchone()
        if found[0] != expected:
            return Taken(-1, None)
        # Letters that arrive while the later chunks are taken have higher ids, and are left out.
        cursor = cursor._replace(newest=found[1])
    ids = transaction.database.execute(
        f"SELECT origin, id FROM dead_letters WHERE (origin, id) > (?, ?) AND id <= ?{where}"  # noqa: S608 - as above
        " ORDER BY origin, id LIMIT ?",
        (*cursor, *where.values, TAKEN_PER_COMMIT),
    ).fetchall()
    taken = 0
    for _, letter_id in ids:
        stored = _delete(transaction, letter_id)
        if error := record_error(stored.data):
            quarantine_record(transaction, "dead_letters", stored.id, stored.data, error)
        else:
            perform(stored, record.unpack(stored.data, DeadLetter))
            taken += 1
    following = Cursor(ids[-1][0], ids[-1][1], cursor.newest) if len(ids) == TAKEN_PER_COMMIT else None
    return Taken(taken, following)


def _delete(transaction: Transaction, letter_id: int) -> _Stored:
    """Deletes a letter and returns it as it was stored.

    Raises:
        SpoolCorrupt: the row does not identify the letter's connection reliably.
    """
    found = transaction.database.execute(
        "DELETE FROM dead_letters WHERE id = ? RETURNING id, connection, priority, data, seal", (letter_id,)
    ).fetchall()
    *columns, data, stored_checksum = found[0]
    if stored_checksum != row_checksum(*columns):
        raise SpoolCorrupt(f"dead letter {letter_id} is not what was written")
    stored = _Stored(columns[0], Priority(columns[2]), columns[1], data)
    counters = transaction.counters.connections[stored.connection]
    counters.dead_letters -= 1
    counters.bytes -= row_bytes(stored.data)
    return stored


def _where(transaction: Transaction, wanted: DeadLetterFilter) -> Where:
    """Returns `DeadLetterFilter.matches` as the condition of a query."""
    where = Where()
    where.connections(transaction.counters, wanted.connection, wanted.allowed)
    if wanted.dead_letter_ids:
        where.is_among("id", wanted.dead_letter_ids)
    where.equals("customer_id", wanted.customer_id)
    where.equals("email", wanted.email)
    where.equals("reason", wanted.reason)
    if wanted.accept_time_from:
        where.add("accept_time >= ?", wanted.accept_time_from)
    if wanted.accept_time_to:
        where.add("accept_time < ?", wanted.accept_time_to)
    if wanted.envelope_ids:
        ids = [pack_id(envelope_id) for envelope_id in wanted.envelope_ids]
        where.add(f"envelope_id IN ({', '.join('?' * len(ids))})", *ids)
    return where
