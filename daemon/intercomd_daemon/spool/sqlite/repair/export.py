"""Exports the waiting envelopes and the dead letters of a closed spool, in the order of acceptance.

Of a corrupt spool it exports what a repair would keep; the spool itself is unchanged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from heapq import merge

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter
from intercomd_daemon.spool.keys import log_end, log_start
from intercomd_daemon.spool.maintenance import FILE, Damage, DamageReport, Exported
from intercomd_daemon.spool.rows import position_of
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt, check_tables
from intercomd_daemon.spool.sqlite.counters import load_counters
from intercomd_daemon.spool.sqlite.database import open_for_reading, usable
from intercomd_daemon.spool.sqlite.file import replacement
from intercomd_daemon.spool.sqlite.repair.rebuild import rebuild
from intercomd_daemon.spool.sqlite.repair.tables import DEAD_LETTERS, LOG, PARKED, Table, decode

_UNKNOWN = "the record is of another release: export it with that release"


Found = tuple[int, Exported | Damage]
"""A position, and what was found there."""


def export(path: str, now: float, findings: DamageReport, *, dead_letters: bool) -> Iterator[Exported]:
    """Returns what waits, and with `dead_letters` those too, in the order of acceptance; adds damage to `findings`.

    The caller holds the spool's lock; `now` is in Unix seconds.

    Raises:
        SpoolUnusable: no spool, or another major version's.
        OSError: a file cannot be read or written.
        sqlite3.Error: the copy of a corrupt spool cannot be written.
    """
    replacement.complete(path)
    with _sound(path, now, findings) as database:
        names = {number: account.name for number, account in load_counters(database).connections.items()}
        streams = [_waiting(database, table, log, name) for table in (LOG, PARKED) for log, name in _logs(names)]
        if dead_letters:
            streams.append(_letters(database))
        for _, found in merge(*streams, key=lambda each: each[0]):
            if isinstance(found, Damage):
                findings.add(found)
            else:
                yield found


@contextmanager
def _sound(path: str, now: float, findings: DamageReport) -> Iterator[sqlite3.Connection]:
    """Opens the spool, or if it is corrupt, what a repair would make of it."""
    try:
        database = _checked(path)
    except SpoolCorrupt as damage:
        findings.add(Damage(FILE, 0, "", str(damage)))
        copy = replacement.unfinished(path)
        findings.contents = rebuild(path, copy, now)
        database = _checked(copy)
    try:
        with closing(database):
            yield database
    finally:
        replacement.abandon(path)


def _checked(path: str) -> sqlite3.Connection:
    database = open_for_reading(path)
    try:
        with usable(path):
            load_counters(database)
            check_tables(database, 0)
    except SpoolCorrupt:
        database.close()
        raise
    return database


def _logs(names: dict[int, str]) -> Iterator[tuple[tuple[int, int], str]]:
    """Returns the key range of each log, and its connection."""
    for number, name in names.items():
        for priority in Priority:
            yield (log_start(number, priority), log_end(number, priority)), name


def _waiting(database: sqlite3.Connection, table: Table, log: tuple[int, int], connection: str) -> Iterator[Found]:
    """Returns what waits of a log, still in it or parked."""
    rows = database.execute(
        f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE key > ? AND key < ? ORDER BY key",  # noqa: S608 - our own names
        log,
    )
    for row in rows:
        position = position_of(row[0])
        if error := table.error(row):
            yield position, table.damage(row, error)
        elif envelope := decode(row[table.columns.index("data")], AcceptedEnvelope):
            yield position, Exported(connection, envelope)
        else:
            yield position, table.damage(row, _UNKNOWN)


def _letters(database: sqlite3.Connection) -> Iterator[Found]:
    """Returns the dead letters in the order of their first acceptance."""
    one = f"SELECT {', '.join(DEAD_LETTERS.columns)} FROM dead_letters WHERE id = ?"  # noqa: S608 - our own names
    # The query sorts two numbers per letter instead of the letters.
    for _, number in database.execute("SELECT origin, id FROM dead_letters ORDER BY origin, id"):
        row = database.execute(one, (number,)).fetchone()
        letter = decode(row[DEAD_LETTERS.columns.index("data")], DeadLetter)
        error = DEAD_LETTERS.error(row) or ("" if letter else _UNKNOWN)
        if error or letter is None:
            yield position_of(row[3]), DEAD_LETTERS.damage(row, error)
        else:
            yield letter.envelope.origin, Exported(letter.outcome.connection, letter.envelope)
