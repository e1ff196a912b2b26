"""Everything about a user or an envelope: the keys of waiting rows, the rows, and the outcomes.

Each search is made in steps, newest first; the writer commits other operations in between.
"""

import json
from collections.abc import Iterator, Sequence

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import connection_of, log_start, priority_of
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.rows import Row, WaitingRow
from intercomd_daemon.spool.sqlite import dead_letters, fingerprints, journal
from intercomd_daemon.spool.sqlite.chunk import Chunk
from intercomd_daemon.spool.sqlite.duplicate_window import find_key
from intercomd_daemon.spool.sqlite.quarantine import record_error
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.waiting_rows import TABLES, columns_of
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

_ANY = TrailFilter()


def known_key(transaction: Transaction, connection: str, envelope_id: str) -> int:
    """Returns the key of a waiting row by the duplicate window; 0: not known there, or it does not wait."""
    key = find_key(transaction, transaction.counters.number(connection), envelope_id)
    found = transaction.database.execute(
        "SELECT key FROM log WHERE key = ?1 UNION ALL SELECT key FROM parked WHERE key = ?1", (key,)
    ).fetchone()
    return int(found[0]) if found else 0


def search(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Chunk[int]:
    """Searches the next waiting rows below the position `before` (0: all)."""
    candidates = fingerprints.find(transaction, wanted, before, limit)
    matching = {
        key
        for table in TABLES
        for key, data in transaction.database.execute(
            f"SELECT key, data FROM {table} WHERE key IN (SELECT value FROM json_each(?))",  # noqa: S608 - our own names
            (json.dumps(candidates.entries),),
        )
        if _matches(wanted, data)
    }
    return Chunk([key for key in candidates.entries if key in matching], candidates.next)


def _matches(wanted: TrailFilter, data: bytes) -> bool:
    """Whether a row's record can be read and is of the wanted user and id; its connection is known to be."""
    try:
        envelope = record.unpack(data, AcceptedEnvelope)
    except RecordDamaged:
        return False  # The deliverer quarantines it, or leaves it to the release that wrote it.
    same_id = wanted.envelope_id in {"", envelope.envelope_id}
    return same_id and wanted.matches_user(envelope.customer_id, envelope.email)


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
        if not _matches(_ANY, data):
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


def read_journal(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Chunk[KeptOutcome]:
    """Returns the matching outcomes of the journal's chunk below `before` (0: the newest chunk)."""
    chunk = journal.read_before(transaction, wanted, before, limit)
    dead = [each.sequence for each in chunk.entries if each.type is OutcomeType.DEAD_LETTERED]
    kept = {
        row[0]
        for row in transaction.database.execute(
            "SELECT id FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(dead),)
        )
    }
    return Chunk([KeptOutcome(each, each.sequence in kept) for each in chunk.entries], chunk.next)


def read_old_letters(transaction: Transaction, wanted: TrailFilter, before: int, limit: int) -> Chunk[KeptOutcome]:
    """Returns outcomes of matching dead letters that have outlived the journal, below `before` (0: all)."""
    oldest = journal.oldest(transaction) or 1
    below = min(before, oldest) if before else oldest
    chunk = dead_letters.read_before(transaction, journal.trail_where(transaction, wanted), below, limit)
    return Chunk([KeptOutcome(each.outcome, dead_letter=True) for each in chunk.entries], chunk.next)
