"""The tables whose rows are judged one by one, and what is wrong with a row: pure, whatever the row was read by.

A row is a tuple of the table's columns. What becomes of rows that are not what was written is not decided here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.sqlite.aside import what_is_wrong
from intercomd_daemon.spool.sqlite.book import wrong_contact
from intercomd_daemon.spool.sqlite.file.cells import Value
from intercomd_daemon.spool.sqlite.file.wal import COUNTERS_REALS
from intercomd_daemon.spool.sqlite.ledger import Account, Counters
from intercomd_daemon.spool.sqlite.repair.findings import Damage
from intercomd_daemon.spool.sqlite.rows import Damaged, seal_of_progress
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.window import id_of

Row = Sequence[Value]
Noun = TypeVar("Noun", bound=msgspec.Struct)

_UNSEALED = "the seal does not match"


class Table(NamedTuple):
    """A table whose rows have a number."""

    name: str
    columns: tuple[str, ...]
    wrong: Callable[[Row], str]
    """What is wrong with a row, in words; empty if nothing is."""
    lane: int = -1
    """Which column names the lane; -1: none."""
    reals: tuple[int, ...] = ()
    """Which columns are floating numbers, that SQLite may write as integers."""
    identified: Callable[[Row], Damaged | None] = lambda _: None
    """Of a damaged row: the envelope, where the row still says which one it was."""

    def damage(self, row: Row, wrong: str) -> Damage:
        """A row that is not what was written, for people."""
        key, lane = row[0], row[self.lane] if self.lane >= 0 else ""
        return Damage(self.name, key if isinstance(key, int) else 0, lane if isinstance(lane, str) else "", wrong)


def wrong_waiting(row: Row) -> str:
    """Of the log: whose row it is, and its record."""
    key, lane, name, accept_time, data, sealed = row[:6]
    return _UNSEALED if sealed != seal(key, lane, name, accept_time) else what_is_wrong(data)


def identified(row: Row) -> Damaged | None:
    """Which envelope it was, by a row whose seal is right; nothing else of the row is believed."""
    key, lane, name, accept_time, data, sealed = row[:6]
    if sealed != seal(key, lane, name, accept_time):
        return None
    if not (isinstance(key, int) and isinstance(lane, str) and isinstance(name, str | bytes)):
        return None
    return Damaged(key, lane, name, accept_time, what_is_wrong(data)) if isinstance(accept_time, float) else None


def identified_parked(row: Row) -> Damaged | None:
    """The same of a parked lane's row."""
    return identified((row[0], *row[2:]))


def wrong_parked(row: Row) -> str:
    """Of a parked lane: the same, and whether it lies with its connection."""
    key, connection, *rest = row
    wrong = wrong_waiting((key, *rest))
    return wrong or ("" if isinstance(key, int) and connection == connection_of(key) else "not its connection")


def wrong_progress(row: Row) -> str:
    """Of progress: its record, and whether it is of this row."""
    key, data, sealed = row[:3]
    if wrong := what_is_wrong(data):
        return wrong
    sound = isinstance(key, int) and isinstance(data, bytes) and sealed == seal_of_progress(key, data)
    return "" if sound else _UNSEALED


def wrong_outcome(row: Row) -> str:
    """Of the journal: its record, and whether the columns say what it says."""
    sequence, _, name, customer_id, email, kind, data = row[:7]
    if wrong := what_is_wrong(data):
        return wrong
    outcome = understood(data, Outcome)
    if outcome is None:
        return ""
    said = (outcome.sequence, id_of(outcome.envelope_id), outcome.customer_id, outcome.email, outcome.type)
    return "" if said == (sequence, name, customer_id, email, kind) else "the columns are not the record's"


def wrong_letter(row: Row) -> str:
    """Of the dead letters: whose it is, its record, and whether the columns say what it says."""
    number, connection, priority, origin, name, customer_id, email, reason, accept_time, data, sealed = row[:11]
    if sealed != seal(number, connection, priority):
        return _UNSEALED
    if wrong := what_is_wrong(data):
        return wrong
    letter = understood(data, DeadLetter)
    if letter is None:
        return ""
    outcome = letter.outcome
    said = (letter.dead_letter_id, letter.envelope.origin, id_of(outcome.envelope_id), outcome.customer_id)
    more = (outcome.email, outcome.reason, outcome.accept_time)
    columns = (number, origin, name, customer_id, email, reason, accept_time)
    return "" if (*said, *more) == columns else "the columns are not the record's"


def wrong_counted(row: Row) -> str:
    """Of counters: all of the row."""
    *counted, sealed = row
    return "" if sealed == seal(*counted) else _UNSEALED


def wrong_entry(row: Row) -> str:
    """Of the contacts: who it is, and what is known of them."""
    _, connection, contact_id, data, sealed = row[:5]
    if not (isinstance(connection, int) and isinstance(contact_id, str) and isinstance(sealed, int)):
        return _UNSEALED
    return wrong_contact(connection, contact_id, data, sealed)


def wrong_pairs(row: Row) -> str:
    """Of the ring of seconds: pairs of two numbers of eight bytes."""
    pairs = row[1]
    return "" if isinstance(pairs, bytes) and len(pairs) % 16 == 0 else "not pairs of numbers"


def understood(data: Value, noun: type[Noun]) -> Noun | None:
    """The noun; None where a release wrote it that we do not understand: its checksum is right."""
    try:
        return record.unpack(data, noun) if isinstance(data, bytes) else None
    except record.RecordDamaged:
        return None


_WAITING = ("lane", "envelope_id", "accept_time", "data", "seal")

LOG = Table("log", ("key", *_WAITING), wrong_waiting, lane=1, reals=(3,), identified=identified)
PARKED = Table(
    *("parked", ("key", "connection", *_WAITING), wrong_parked), lane=2, reals=(4,), identified=identified_parked
)
PROGRESS = Table("progress", ("key", "data", "seal"), wrong_progress)
JOURNAL = Table(
    "journal", ("sequence", "connection", "envelope_id", "customer_id", "email", "type", "data"), wrong_outcome
)
DEAD_LETTERS = Table(
    "dead_letters",
    (
        *("id", "connection", "priority", "origin", "envelope_id", "customer_id", "email", "reason", "accept_time"),
        *("data", "seal"),
    ),
    wrong_letter,
    reals=(8,),
)
COUNTERS = Table("counters", (*Counters.__struct_fields__, "seal"), wrong_counted, reals=COUNTERS_REALS)
CONNECTIONS = Table("connections", (*Account.__struct_fields__, "seal"), wrong_counted)
CONTACTS = Table("contacts", ("number", "connection", "contact_id", "data", "seal"), wrong_entry)
SECONDS = Table("seconds", ("last", "pairs"), wrong_pairs)

PRECIOUS = (LOG, PARKED, DEAD_LETTERS, JOURNAL, PROGRESS)
"""What was accepted, and what became of it."""
COUNTED = (COUNTERS, CONNECTIONS)
TABLES = (*PRECIOUS, CONTACTS, SECONDS, *COUNTED)
