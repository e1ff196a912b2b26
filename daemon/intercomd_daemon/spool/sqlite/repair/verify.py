"""Checks a spool that no daemon has open, and lists every corrupt record. It changes nothing.

SQLite checks the file, each row is checked by itself, then the counters are compared with the rows.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.maintenance import FILE, Contents, Damage, DamageReport
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.counters import ConnectionCounters
from intercomd_daemon.spool.sqlite.database import open_for_reading
from intercomd_daemon.spool.sqlite.file import replacement
from intercomd_daemon.spool.sqlite.repair.source import SourceFile
from intercomd_daemon.spool.sqlite.repair.tables import (
    CONNECTIONS,
    CONTACTS,
    COUNTERS,
    DEAD_LETTERS,
    JOURNAL,
    LOG,
    PARKED,
    PRECIOUS,
    SECONDS,
    Table,
)


def verify(path: str) -> DamageReport:
    """Returns everything that is corrupt; the caller holds the spool's lock.

    Raises:
        SpoolUnusable: no spool, or another major version's.
        OSError: the file cannot be read.
    """
    replacement.complete(path)
    findings = DamageReport()
    try:
        open_for_reading(path).close()
    except SpoolCorrupt as error:
        findings.add(Damage(FILE, 0, "", str(error)))
        if replacement.find_wal(path) == path + replacement.WAL:
            replacement.preserve_wal(path)  # What SQLite does not read of it, it deletes with it.
    with SourceFile(path) as source:
        for message in source.integrity_errors():
            findings.add(Damage(FILE, 0, "", message))
        sound = {table: _check(source, table, findings) for table in (*PRECIOUS, CONTACTS, SECONDS, COUNTERS)}
        counted, miscounted = _compare_counters(source)
        for damage in chain(_mismatched_identities(source), _stranded_rows(source), source.quarantined(), miscounted):
            findings.add(damage)
        waiting = sound[LOG] + sound[PARKED]
        findings.contents = Contents(waiting, max(0, counted - waiting), sound[DEAD_LETTERS], sound[JOURNAL])
        for name, why in source.broken.items():
            findings.add(Damage(name, 0, "", f"not readable to its end: {why}"))
    return findings


def _check(source: SourceFile, table: Table, findings: DamageReport) -> int:
    """Adds the corrupt rows of a table to the findings; returns the number of sound rows."""
    sound = 0
    for row, error in source.rows(table):
        if error:
            findings.add(table.damage(row, error))
        else:
            sound += 1
    return sound


def _mismatched_identities(source: SourceFile) -> Iterator[Damage]:
    """Returns the lanes whose contact is not the one that was written."""
    rows = source.query(
        "identities",
        "SELECT identities.connection, lane, contact_id, identities.seal FROM identities"
        " LEFT JOIN contacts ON contacts.number = identities.contact",
    )
    for connection, lane, contact_id, stored_checksum in rows:
        if stored_checksum != row_checksum(connection, lane, contact_id):
            yield Damage("identities", 0, lane if isinstance(lane, str) else "", "the row checksum does not match")


def _stranded_rows(source: SourceFile) -> Iterator[Damage]:
    """Returns rows of lanes that are not parked: nothing would read them."""
    rows = source.query(
        "parked",
        "SELECT key, parked.lane FROM parked LEFT JOIN lanes"
        " ON lanes.connection = parked.connection AND lanes.lane = parked.lane WHERE lanes.lane IS NULL",
    )
    for key, lane in rows:
        number, name = key if isinstance(key, int) else 0, lane if isinstance(lane, str) else ""
        yield Damage("parked", number, name, "its lane is not among the parked ones")


def _compare_counters(source: SourceFile) -> tuple[int, list[Damage]]:
    """Returns how many envelopes wait by the counters, and the counters that are corrupt or differ from the rows."""
    keys = source.query("log", "SELECT key FROM log UNION ALL SELECT key FROM parked")
    stored = Counter(connection_of(key) for (key,) in keys if isinstance(key, int))
    counted = 0
    damages: list[Damage] = []
    for row, error in source.rows(CONNECTIONS):
        if error:
            damages.append(CONNECTIONS.damage(row, error))
            continue
        values: Any = row[:-1]
        connection = ConnectionCounters(*values)
        waiting = connection.normal + connection.bulk
        counted += waiting
        if waiting != stored[connection.number]:
            message = (
                f"{waiting} envelopes of {connection.name} wait by the counters,"
                f" but {stored[connection.number]} are stored"
            )
            damages.append(Damage(CONNECTIONS.name, connection.number, "", message))
    return counted, damages
