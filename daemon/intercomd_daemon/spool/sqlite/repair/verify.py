"""Looks through a spool that no daemon has open, and lists every record that is not what was written. It mends nothing.

SQLite judges the file, and each row is judged for itself; then the counters are held against the rows.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from intercomd_daemon.spool.keys import connection_of
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.file import place
from intercomd_daemon.spool.sqlite.ledger import Account
from intercomd_daemon.spool.sqlite.repair.findings import FILE, Contents, Damage, Findings
from intercomd_daemon.spool.sqlite.repair.source import Source
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
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.soundness import Malformed


def verify(path: str) -> Findings:
    """Everything that is damaged; for whoever holds the spool's lock.

    Raises:
        SpoolUnusable: no spool, or another major version's.
        OSError: the file cannot be read.
    """
    place.complete(path)
    findings = Findings()
    try:
        schema.look_at_database(path).close()
    except Malformed as error:
        findings.add(Damage(FILE, 0, "", str(error)))
        if place.log_beside(path) == path + place.LOG:
            place.keep_log(path)  # What SQLite does not read of it, it deletes with it.
    with Source(path) as source:
        for said in source.findings():
            findings.add(Damage(FILE, 0, "", said))
        sound = {table: _judge(source, table, findings) for table in (*PRECIOUS, CONTACTS, SECONDS, COUNTERS)}
        counted, miscounted = _counted(source)
        for damage in chain(_unknown(source), _stranded(source), source.set_aside(), miscounted):
            findings.add(damage)
        waiting = sound[LOG] + sound[PARKED]
        findings.contents = Contents(waiting, max(0, counted - waiting), sound[DEAD_LETTERS], sound[JOURNAL])
        for name, why in source.broken.items():
            findings.add(Damage(name, 0, "", f"not readable to its end: {why}"))
    return findings


def _judge(source: Source, table: Table, findings: Findings) -> int:
    """Takes note of the damaged rows of a table; returns how many are sound."""
    sound = 0
    for row, wrong in source.rows(table):
        if wrong:
            findings.add(table.damage(row, wrong))
        else:
            sound += 1
    return sound


def _unknown(source: Source) -> Iterator[Damage]:
    """Lanes whose contact is not the one that was entered."""
    rows = source.query(
        "identities",
        "SELECT identities.connection, lane, contact_id, identities.seal FROM identities"
        " LEFT JOIN contacts ON contacts.number = identities.contact",
    )
    for connection, lane, contact_id, sealed in rows:
        if sealed != seal(connection, lane, contact_id):
            yield Damage("identities", 0, lane if isinstance(lane, str) else "", "the seal does not match")


def _stranded(source: Source) -> Iterator[Damage]:
    """Rows of a parked lane that is not parked: nobody would read them."""
    rows = source.query(
        "parked",
        "SELECT key, parked.lane FROM parked LEFT JOIN lanes"
        " ON lanes.connection = parked.connection AND lanes.lane = parked.lane WHERE lanes.lane IS NULL",
    )
    for key, lane in rows:
        number, name = key if isinstance(key, int) else 0, lane if isinstance(lane, str) else ""
        yield Damage("parked", number, name, "its lane is not among the parked ones")


def _counted(source: Source) -> tuple[int, list[Damage]]:
    """How many envelopes wait by the counters; and counters that are damaged, or say something else than the rows."""
    keys = source.query("log", "SELECT key FROM log UNION ALL SELECT key FROM parked")
    there = Counter(connection_of(key) for (key,) in keys if isinstance(key, int))
    counted = 0
    damages: list[Damage] = []
    for row, wrong in source.rows(CONNECTIONS):
        if wrong:
            damages.append(CONNECTIONS.damage(row, wrong))
            continue
        values: Any = row[:-1]
        account = Account(*values)
        waiting = account.normal + account.bulk
        counted += waiting
        if waiting != there[account.number]:
            said = f"{waiting} envelopes of {account.name} wait by the counters, and {there[account.number]} are there"
            damages.append(Damage(CONNECTIONS.name, account.number, "", said))
    return counted, damages
