"""Checks every record of a spool in a database, and its counters against the rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import asyncpg
import msgspec

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.maintenance import Contents, Damage, DamageReport
from intercomd_daemon.spool.postgresql.exporting import Rows

Struct = TypeVar("Struct", bound=msgspec.Struct)
_COLUMNS = "the columns are not the record's"


class Table(NamedTuple):
    """A table whose rows have a record."""

    name: str
    columns: str
    """The first one is the key."""
    differs: Callable[[asyncpg.Record], bool] = lambda _: False
    """Whether a row whose record is sound has other columns than were written."""


def _row_differs(row: asyncpg.Record) -> bool:
    hashes = [fingerprint(row[name].decode(errors="replace")) for name in ("lane", "envelope_id")]
    return hashes != [row["lane_hash"], row["id_hash"]]


def _outcome_differs(row: asyncpg.Record) -> bool:
    outcome = _decode(row["data"], Outcome)
    return outcome is not None and (*_who(outcome), outcome.type) != (*_columns(row), row["type"])


def _letter_differs(row: asyncpg.Record) -> bool:
    letter = _decode(row["data"], DeadLetter)
    return letter is not None and (*_who(letter.outcome), letter.outcome.reason) != (*_columns(row), row["reason"])


def _who(outcome: Outcome) -> tuple[bytes, ...]:
    return outcome.envelope_id.encode(), outcome.customer_id.encode(), outcome.email.encode()


def _columns(row: asyncpg.Record) -> tuple[bytes, ...]:
    return row["envelope_id"], row["customer_id"], row["email"]


def _decode(data: bytes, kind: type[Struct]) -> Struct | None:
    """Decodes a record; None if another release wrote it in a form that this one does not know."""
    try:
        return record.unpack(data, kind)
    except record.RecordDamaged:
        return None


_ROW = "key, lane, lane_hash, id_hash, envelope_id, data"
_WHO = "connection, envelope_id, customer_id, email, data"
LOG = Table("log", _ROW, _row_differs)
PARKED = Table("parked", _ROW, _row_differs)
PROGRESS = Table("progress", "key, data")
JOURNAL = Table("journal", f"sequence, type, {_WHO}", _outcome_differs)
DEAD_LETTERS = Table("dead_letters", f"id, reason, {_WHO}", _letter_differs)
CONTACTS = Table("contacts", "number, data")
TABLES = (LOG, PARKED, PROGRESS, JOURNAL, DEAD_LETTERS, CONTACTS)
_UNREACHABLE = """
SELECT 'parked' AS place, key, parked.lane, 'its lane is not among the parked ones' AS reason FROM parked
    LEFT JOIN lanes ON lanes.connection = parked.connection AND lanes.lane = parked.lane WHERE lanes.lane IS NULL
UNION ALL SELECT 'log', log.key, lane, 'it is before the head of its log' FROM settled AS s, LATERAL (
    SELECT key, lane FROM log WHERE key > (2 * s.connection)::bigint << 48 AND key <= s.normal_head
    UNION ALL SELECT key, lane FROM log WHERE key > (2 * s.connection + 1)::bigint << 48 AND key <= s.bulk_head) AS log
"""
_COUNTED = """
SELECT c.number, c.name, a.normal + a.bulk - s.normal - s.bulk AS waiting, s.dead_letters
FROM connections c JOIN appended a ON a.connection = c.number JOIN settled s ON s.connection = c.number
"""


def verify(rows: Rows) -> DamageReport:
    """Returns everything that is corrupt."""
    findings = DamageReport()
    stored: dict[str, Counter[int]] = {table.name: Counter() for table in TABLES}
    sound = {table.name: _check(rows, table, stored[table.name], findings) for table in TABLES}
    for row in rows(_UNREACHABLE):
        findings.add(Damage(row["place"], row["key"], row["lane"].decode(errors="replace"), row["reason"]))
    for row in rows("SELECT place, key, lane, reason FROM damaged ORDER BY number"):
        reason = f"quarantined: {row['reason']}"
        findings.add(Damage(row["place"], row["key"], row["lane"].decode(errors="replace"), reason))
    waiting, counted = stored[LOG.name] + stored[PARKED.name], 0
    for row in rows(_COUNTED):
        counted += row["waiting"]
        for damage in _miscounted(row, waiting[row["number"]], stored[DEAD_LETTERS.name][row["number"]]):
            findings.add(damage)
    kept = sound[LOG.name] + sound[PARKED.name]
    findings.contents = Contents(kept, max(0, counted - kept), sound[DEAD_LETTERS.name], sound[JOURNAL.name])
    return findings


def _check(rows: Rows, table: Table, stored: Counter[int], findings: DamageReport) -> int:
    """Adds the corrupt rows of a table to the findings, counts its rows by connection, returns how many are sound."""
    sound = 0
    for row in rows(f"SELECT {table.columns} FROM {table.name}"):  # noqa: S608 - our own names
        stored[row["connection"] if "connection" in row else connection_of(row[0])] += 1
        error = record.check(row["data"]) if row["data"] or table is not CONTACTS else ""
        if not error and table.differs(row):
            error = _COLUMNS
        if error:
            lane = row["lane"].decode(errors="replace") if "lane" in row else ""
            findings.add(Damage(table.name, row[0], lane, error))
        else:
            sound += 1
    return sound


def _miscounted(row: asyncpg.Record, waiting: int, letters: int) -> Iterator[Damage]:
    """Returns how the counters of a connection differ from its rows."""
    for what, counted, found in (
        ("envelopes of {} wait", row["waiting"], waiting),
        ("dead letters of {} are kept", row["dead_letters"], letters),
    ):
        if counted != found:
            reason = f"{counted} {what.format(row['name'])} by the counters, but {found} are stored"
            yield Damage("connections", row["number"], "", reason)
