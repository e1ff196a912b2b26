"""The tables whose rows are checked one by one, and what is wrong with a row, whatever it was read by.

A row is a sequence of the table's columns. Pure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.maintenance import Damage
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.contact_cache import contact_error
from intercomd_daemon.spool.sqlite.counters import ConnectionCounters, SpoolCounters
from intercomd_daemon.spool.sqlite.duplicate_window import pack_id
from intercomd_daemon.spool.sqlite.file.cells import Value
from intercomd_daemon.spool.sqlite.file.wal import COUNTERS_REALS
from intercomd_daemon.spool.sqlite.quarantine import record_error
from intercomd_daemon.spool.sqlite.waiting_rows import CorruptRow, progress_checksum

TableRow = Sequence[Value]
Struct = TypeVar("Struct", bound=msgspec.Struct)

_MISMATCH = "the row checksum does not match"


class Table(NamedTuple):
    """A table whose rows have a number."""

    name: str
    columns: tuple[str, ...]
    error: Callable[[TableRow], str]
    """Returns what is wrong with a row; empty if nothing is."""
    lane: int = -1
    """The column that names the lane; -1: none does."""
    reals: tuple[int, ...] = ()
    """The columns of floating-point numbers, which SQLite may write as integers."""
    identify: Callable[[TableRow], CorruptRow | None] = lambda _: None
    """Returns the envelope of a corrupt row, if the row still identifies it reliably."""

    def damage(self, row: TableRow, error: str) -> Damage:
        """Describes a row that is not what was written."""
        key, lane = row[0], row[self.lane] if self.lane >= 0 else ""
        return Damage(self.name, key if isinstance(key, int) else 0, lane if isinstance(lane, str) else "", error)


def waiting_error(row: TableRow) -> str:
    """Checks a row of the log: its columns and its record."""
    key, lane, packed_id, accept_time, data, checksum = row[:6]
    return _MISMATCH if checksum != row_checksum(key, lane, packed_id, accept_time) else record_error(data)


def identify_waiting(row: TableRow) -> CorruptRow | None:
    """Returns which envelope a row of the log was, if its row checksum is right."""
    key, lane, packed_id, accept_time, data, checksum = row[:6]
    if checksum != row_checksum(key, lane, packed_id, accept_time):
        return None
    if not (isinstance(key, int) and isinstance(lane, str) and isinstance(packed_id, str | bytes)):
        return None
    return CorruptRow(key, lane, packed_id, accept_time, record_error(data)) if isinstance(accept_time, float) else None


def identify_parked(row: TableRow) -> CorruptRow | None:
    """Returns the same of a parked lane's row."""
    return identify_waiting((row[0], *row[2:]))


def parked_error(row: TableRow) -> str:
    """Checks a parked lane's row: its columns, its record and its connection."""
    key, connection, *rest = row
    error = waiting_error((key, *rest))
    return error or ("" if isinstance(key, int) and connection == connection_of(key) else "not its connection")


def progress_error(row: TableRow) -> str:
    """Checks progress: its record, and whether it belongs to this row."""
    key, data, checksum = row[:3]
    if error := record_error(data):
        return error
    sound = isinstance(key, int) and isinstance(data, bytes) and checksum == progress_checksum(key, data)
    return "" if sound else _MISMATCH


def outcome_error(row: TableRow) -> str:
    """Checks a row of the journal: its record, and the columns against it."""
    sequence, _, packed_id, customer_id, email, kind, data = row[:7]
    if error := record_error(data):
        return error
    outcome = decode(data, Outcome)
    if outcome is None:
        return ""
    recorded = (outcome.sequence, pack_id(outcome.envelope_id), outcome.customer_id, outcome.email, outcome.type)
    return "" if recorded == (sequence, packed_id, customer_id, email, kind) else "the columns are not the record's"


def letter_error(row: TableRow) -> str:
    """Checks a dead letter: whose it is, its record, and the columns against it."""
    number, connection, priority, origin, packed_id, customer_id, email, reason, accept_time, data, checksum = row[:11]
    if checksum != row_checksum(number, connection, priority):
        return _MISMATCH
    if error := record_error(data):
        return error
    letter = decode(data, DeadLetter)
    if letter is None:
        return ""
    outcome = letter.outcome
    recorded = (
        *(letter.dead_letter_id, letter.envelope.origin, pack_id(outcome.envelope_id), outcome.customer_id),
        *(outcome.email, outcome.reason, outcome.accept_time),
    )
    columns = (number, origin, packed_id, customer_id, email, reason, accept_time)
    return "" if recorded == columns else "the columns are not the record's"


def counters_error(row: TableRow) -> str:
    """Checks a row of counters."""
    *columns, checksum = row
    return "" if checksum == row_checksum(*columns) else _MISMATCH


def contact_row_error(row: TableRow) -> str:
    """Checks a contact: who it is, and its record."""
    _, connection, contact_id, data, checksum = row[:5]
    if not (isinstance(connection, int) and isinstance(contact_id, str) and isinstance(checksum, int)):
        return _MISMATCH
    return contact_error(connection, contact_id, data, checksum)


def seconds_error(row: TableRow) -> str:
    """Checks claimed seconds: pairs of two numbers of 8 bytes."""
    pairs = row[1]
    return "" if isinstance(pairs, bytes) and len(pairs) % 16 == 0 else "not pairs of numbers"


def decode(data: Value, struct: type[Struct]) -> Struct | None:
    """Decodes a record; None if another release wrote it in a form that this one does not know."""
    try:
        return record.unpack(data, struct) if isinstance(data, bytes) else None
    except record.RecordDamaged:
        return None


_WAITING = ("lane", "envelope_id", "accept_time", "data", "seal")

LOG = Table("log", ("key", *_WAITING), waiting_error, lane=1, reals=(3,), identify=identify_waiting)
PARKED = Table("parked", ("key", "connection", *_WAITING), parked_error, lane=2, reals=(4,), identify=identify_parked)
PROGRESS = Table("progress", ("key", "data", "seal"), progress_error)
JOURNAL = Table(
    "journal", ("sequence", "connection", "envelope_id", "customer_id", "email", "type", "data"), outcome_error
)
DEAD_LETTERS = Table(
    "dead_letters",
    (
        *("id", "connection", "priority", "origin", "envelope_id", "customer_id", "email", "reason", "accept_time"),
        *("data", "seal"),
    ),
    letter_error,
    reals=(8,),
)
COUNTERS = Table("counters", (*SpoolCounters.__struct_fields__, "seal"), counters_error, reals=COUNTERS_REALS)
CONNECTIONS = Table("connections", (*ConnectionCounters.__struct_fields__, "seal"), counters_error)
CONTACTS = Table("contacts", ("number", "connection", "contact_id", "data", "seal"), contact_row_error)
SECONDS = Table("seconds", ("last", "pairs"), seconds_error)

PRECIOUS = (LOG, PARKED, DEAD_LETTERS, JOURNAL, PROGRESS)
"""What was accepted, and what became of it."""
COUNTED = (COUNTERS, CONNECTIONS)
TABLES = (*PRECIOUS, CONTACTS, SECONDS, *COUNTED)
