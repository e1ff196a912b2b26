"""Everything about a user or an envelope: the keys of waiting rows, the rows, and the outcomes.

The logs have no index by user, as one would cost every append a random page. Rows of this run are found by their marks
in memory. Older ones are searched slice by slice, newest first; the writer commits other operations in between.
"""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Row, WaitingRow, position_of
from intercomd_daemon.spool.keys import connection_of, log_end, log_start, priority_of
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.sqlite import dead_letters, journal
from intercomd_daemon.spool.sqlite.duplicate_window import find_key, pack_id
from intercomd_daemon.spool.sqlite.quarantine import record_error
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.waiting_rows import TABLES, columns_of
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

EVERYTHING = TrailFilter()
SLICE = 10_000
"""Positions searched in one operation: some ten milliseconds."""


class Place(NamedTuple):
    """A range of keys of one table that is still to be searched: above `bottom`, up to `top`."""

    table: str
    bottom: int
    top: int


class Found(NamedTuple):
    """The matching keys of one slice, newest first."""

    keys: list[int]
    rest: Place | None
    """What is still to be searched."""


class Marked(NamedTuple):
    """The matching keys among the rows that have marks, newest first."""

    keys: list[int]
    next: int
    """The position to search on from, downwards; 0: no marks are left."""
    first: int
    """The lowest position that has a mark."""


def known_key(transaction: Transaction, connection: str, envelope_id: str) -> int:
    """Returns the key of a waiting row by the duplicate window; 0: not known there, or it does not wait."""
    key = find_key(transaction, transaction.counters.number(connection), envelope_id)
    found = transaction.database.execute(
        "SELECT key FROM log WHERE key = ?1 UNION ALL SELECT key FROM parked WHERE key = ?1", (key,)
    ).fetchone()
    return int(found[0]) if found else 0


def search_marked(transaction: Transaction, wanted: TrailFilter, top: int, limit: int) -> Marked:
    """Searches the marks from the position `top` (0: the newest) downwards, some milliseconds' worth."""
    marks = transaction.marks
    positions, following = marks.find(wanted, top or transaction.counters.spool.position)
    if len(positions) > limit:
        positions, following = positions[:limit], positions[limit - 1] - 1
    connections = transaction.counters.connections
    numbers = [number for number, each in connections.items() if wanted.matches_connection(each.name)]
    logs = [log_start(number, priority) for number in numbers for priority in Priority]
    candidates = json.dumps([log + position for position in positions for log in logs])
    clause, values = _condition(wanted)
    keys: list[int] = []
    for table in TABLES if positions else ():
        found = transaction.database.execute(
            f"SELECT key, data FROM {table} WHERE key IN (SELECT value FROM json_each(?)){clause}",  # noqa: S608 - our own clauses
            (candidates, *values),
        )
        keys += [key for key, data in found if _matches(wanted, data)]
    return Marked(sorted(keys, key=position_of, reverse=True), following, marks.first)


def places(transaction: Transaction, wanted: TrailFilter, before: int) -> list[Place]:
    """Returns where rows below the position `before` (0: all) may wait."""
    connections = transaction.counters.connections
    numbers = [number for number, each in connections.items() if wanted.matches_connection(each.name)]
    found: list[Place] = []
    for number in numbers:
        for priority in Priority:
            start, end = log_start(number, priority), log_end(number, priority)
            top = start + before - 1 if before else end
            found += [Place(table, start, top) for table in TABLES]
    return found


def search(transaction: Transaction, wanted: TrailFilter, place: Place, limit: int) -> Found:
    """Searches the next slice of a place, from its top downwards."""
    table, bottom, top = place
    newest = transaction.database.execute(
        f"SELECT max(key) FROM {table} WHERE key > ? AND key <= ?",  # noqa: S608 - "log" or "parked"
        (bottom, top),
    ).fetchone()[0]
    if newest is None:
        return Found([], None)
    floor = max(bottom, newest - SLICE)
    clause, values = _condition(wanted)
    found = transaction.database.execute(
        f"SELECT key, data FROM {table} WHERE key > ? AND key <= ?{clause} ORDER BY key DESC",  # noqa: S608 - our own clauses
        (floor, newest, *values),
    )
    keys: list[int] = []
    for key, data in found:
        if _matches(wanted, data):
            keys.append(key)
            if len(keys) == limit:
                break
    found.close()
    return Found(keys, Place(table, bottom, floor) if floor > bottom and len(keys) < limit else None)


def _condition(wanted: TrailFilter) -> tuple[str, list[object]]:
    """Returns clauses that every matching row fulfils, and some others: an email is found in the record's bytes."""
    clauses: list[str] = []
    values: list[object] = []
    if wanted.envelope_id:
        clauses.append(" AND envelope_id = ?")
        values.append(pack_id(wanted.envelope_id))
    users: list[str] = []
    if wanted.customer_id:
        users.append("lane = ?")
        values.append(lane_of(wanted.customer_id, ""))
    if wanted.email:
        users.append("instr(data, ?)")
        values.append(wanted.email.encode())
    if users:
        clauses.append(f" AND ({' OR '.join(users)})")
    return "".join(clauses), values


def _matches(wanted: TrailFilter, data: bytes) -> bool:
    try:
        envelope = record.unpack(data, AcceptedEnvelope)
    except RecordDamaged:
        return False  # The deliverer quarantines it, or leaves it to the release that wrote it.
    return wanted.matches_user(envelope.customer_id, envelope.email)


def rows(transaction: Transaction, keys: Sequence[int]) -> list[WaitingRow]:
    """Returns the rows of these keys that still wait."""
    found = {each.row.key: each for table in TABLES for each in _read(transaction, table, keys)}
    return [found[key] for key in keys if key in found]


def _read(transaction: Transaction, table: str, keys: Sequence[int]) -> Iterator[WaitingRow]:
    selected = transaction.database.execute(
        f"SELECT {columns_of(table)}, lanes.due, lanes.attempts FROM {table}"  # noqa: S608 - our own columns
        f" LEFT JOIN progress ON progress.key = {table}.key"
        f" LEFT JOIN lanes ON lanes.connection = {table}.key >> 49 AND lanes.lane = {table}.lane"
        f" WHERE {table}.key IN (SELECT value FROM json_each(?))",
        (json.dumps(keys),),
    ).fetchall()
    for key, lane, _, _, data, _, progress, _, due, attempts in selected:
        if not _matches(EVERYTHING, data):
            continue
        parked = table == "parked"
        yield WaitingRow(
            connection=transaction.counters.connections[connection_of(key)].name,
            row=Row(key, priority_of(key), lane, data, _sound(progress)),
            ahead=_ahead(transaction, table, key, lane),
            parked=parked,
            due=due or 0.0,
            attempts=attempts or 0,
            head_progress=_head_progress(transaction, key, lane) if parked else b"",
        )


def _sound(progress: bytes | None) -> bytes:
    return b"" if progress is None or record_error(progress) else progress


def _head_progress(transaction: Transaction, key: int, lane: str) -> bytes:
    found = transaction.database.execute(
        "SELECT progress.data FROM parked LEFT JOIN progress ON progress.key = parked.key"
        " WHERE parked.connection = ? AND parked.lane = ? ORDER BY parked.key LIMIT 1",
        (connection_of(key), lane),
    ).fetchone()
    return _sound(found[0])


def _ahead(transaction: Transaction, table: str, key: int, lane: str) -> int:
    """Returns a bound on the rows that are delivered before one: for a log its length, without counting rows."""
    if table == "parked":
        return int(
            transaction.database.execute(
                "SELECT count(*) FROM parked WHERE connection = ? AND lane = ? AND key < ?",
                (connection_of(key), lane, key),
            ).fetchone()[0]
        )
    counters, priority = transaction.counters.connections[connection_of(key)], priority_of(key)
    first = transaction.database.execute(
        "SELECT min(key) FROM log WHERE key > ?", (log_start(counters.number, priority),)
    ).fetchone()[0]
    waiting = counters.bulk if priority is Priority.BULK else counters.normal
    return min(int(key - first), waiting - 1)


class Outcomes(NamedTuple):
    """The matching outcomes of one chunk, newest first."""

    outcomes: list[KeptOutcome]
    next: int
    """The bound to search on from; 0: the search is complete."""


def read_journal(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Outcomes:
    """Returns the matching outcomes of the journal's chunk below `before` (0: the newest chunk)."""
    chunk = journal.read_before(transaction, wanted, before, limit)
    dead = [each.sequence for each in chunk.outcomes if each.type is OutcomeType.DEAD_LETTERED]
    kept = {
        row[0]
        for row in transaction.database.execute(
            "SELECT id FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(dead),)
        )
    }
    return Outcomes([KeptOutcome(each, each.sequence in kept) for each in chunk.outcomes], chunk.next)


def read_old_letters(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Outcomes:
    """Returns outcomes of matching dead letters that have outlived the journal, below `before` (0: all)."""
    oldest = journal.oldest(transaction) or 1
    below = min(before, oldest) if before else oldest
    clauses, values = journal.trail_condition(transaction, wanted)
    chunk = dead_letters.read_before(transaction, clauses, values, below, limit)
    return Outcomes([KeptOutcome(each.outcome, dead_letter=True) for each in chunk.letters], chunk.next)
