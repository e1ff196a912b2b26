"""Counts a rebuilt spool's counters from its rows, and finds its parked lanes by the rows that lie there.

The old counters are used for what cannot be counted: names, pauses, and numbers that must not be given twice.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import CONNECTION_BITS
from intercomd_daemon.spool.maintenance import Contents
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES
from intercomd_daemon.spool.rows import POSITION_BITS
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.counters import (
    ConnectionCounters,
    Counters,
    SpoolCounters,
    load_counters,
    store_counters,
)
from intercomd_daemon.spool.sqlite.repair.tables import COUNTERS, Table, TableRow

_POSITION = (1 << POSITION_BITS) - 1
_ZEROS = dict.fromkeys(("normal", "bulk", "parked_lanes", "dead_letters", "bytes"), 0)


@dataclass
class OldCounters:
    """The counters that were found in the corrupt file."""

    spool: SpoolCounters | None = None
    connections: dict[int, ConnectionCounters] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Names of connections by number, from wherever else they are stored."""

    def enter(self, table: Table, row: TableRow) -> None:
        """Adds a sound row: of several of the spool the one that is furthest, of several of a connection the first."""
        values: Any = row[:-1]
        if table is COUNTERS:
            spool = SpoolCounters(*values)
            self.spool = max(self.spool or spool, spool, key=lambda each: each.position)
        else:
            connection = ConnectionCounters(*values)
            self.connections.setdefault(connection.number, connection)

    def update(self, newer: "OldCounters") -> None:
        """Replaces what was found elsewhere, too."""
        self.spool = newer.spool or self.spool
        self.connections |= newer.connections


def recount(new: sqlite3.Connection, old: OldCounters, now: float) -> Contents:
    """Writes the counters and the parked lanes of a database whose rows are complete; returns what it holds."""
    new.execute(
        "INSERT INTO lanes (connection, lane, due, attempts, oldest)"
        " SELECT connection, lane, 0.0, 0, min(accept_time) FROM parked GROUP BY connection, lane"
    )
    new.execute("DELETE FROM progress WHERE key NOT IN (SELECT key FROM log UNION ALL SELECT key FROM parked)")
    new.execute("DELETE FROM contacts WHERE number NOT IN (SELECT contact FROM identities)")
    spool, created = _count_spool(new, old.spool, now), load_counters(new)
    connections = _count_connections(new, old)
    store_counters(new, Counters(spool, connections), Counters(created.spool, {}))
    waiting, waited = (
        sum(connection.normal + connection.bulk for connection in each.values())
        for each in (connections, old.connections)
    )
    letters = sum(connection.dead_letters for connection in connections.values())
    return Contents(waiting, max(0, waited - waiting), letters, spool.outcomes)


def _number(new: sqlite3.Connection, statement: str) -> int:
    """Returns the number that a statement gives; 0 for NULL."""
    return int(new.execute(statement).fetchone()[0] or 0)


def _count_spool(new: sqlite3.Connection, old: SpoolCounters | None, now: float) -> SpoolCounters:
    places = (("key", "log"), ("key", "parked"), ("origin", "dead_letters"), *(("key", name) for name in schema.RECENT))
    position = max(_number(new, f"SELECT max({column} & {_POSITION}) FROM {table}") for column, table in places)  # noqa: S608 - our own names
    sequence = max(_number(new, "SELECT max(sequence) FROM journal"), _number(new, "SELECT max(id) FROM dead_letters"))
    if old is None:
        old = replace(load_counters(new).spool, turned_at=now, position=position, sequence=sequence)
        old.leap()
    return replace(
        old,
        position=max(position, old.position),
        sequence=max(sequence, old.sequence),
        outcomes=_number(new, "SELECT count(*) FROM journal"),
        contacts=_number(new, "SELECT count(*) FROM contacts"),
        seconds=max(old.seconds, _number(new, "SELECT max(last) FROM seconds")),
        damaged=0,
        generation_ids=_remember_ids(new, old),
    )


def _remember_ids(new: sqlite3.Connection, spool: SpoolCounters) -> int:
    """Adds the ids of the waiting rows to the young generation; returns how many ids it has then."""
    young = schema.RECENT[spool.generation % schema.GENERATIONS]
    for table in ("log", "parked"):
        new.execute(
            f"INSERT OR IGNORE INTO {young} (connection, envelope_id, key)"  # noqa: S608 - our own names
            f" SELECT key >> {CONNECTION_BITS}, envelope_id, key FROM {table}"
        )
    return _number(new, f"SELECT count(*) FROM {young}")  # noqa: S608 - our own names


def _count_connections(new: sqlite3.Connection, old: OldCounters) -> dict[int, ConnectionCounters]:
    connections = {number: replace(each, **_ZEROS) for number, each in old.connections.items()}
    waiting = (
        f"SELECT key >> {CONNECTION_BITS} AS number, key >> {POSITION_BITS} & 1 AS bulk, length(data) AS size FROM"  # noqa: S608 - our own names
        " (SELECT key, data FROM log UNION ALL SELECT key, data FROM parked)"
    )
    counts = (
        f"SELECT number, sum(1 - bulk), sum(bulk), 0, 0, sum(size) FROM ({waiting}) GROUP BY number",  # noqa: S608 - the one above
        "SELECT connection, 0, 0, count(*), 0, 0 FROM lanes GROUP BY connection",
        "SELECT connection, 0, 0, 0, count(*), sum(length(data)) FROM dead_letters GROUP BY connection",
    )
    for number, normal, bulk, lanes, letters, size in [row for count in counts for row in new.execute(count)]:
        connection = connections.setdefault(number, ConnectionCounters(number, ""))
        connection.normal += normal
        connection.bulk += bulk
        connection.parked_lanes += lanes
        connection.dead_letters += letters
        connection.bytes += size + (normal + bulk + letters) * ROW_OVERHEAD_BYTES
    for number in range(1, max([*connections, *old.names], default=0) + 1):
        connection = connections.setdefault(number, ConnectionCounters(number, ""))
        connection.name = connection.name or old.names.get(number) or _name(new, number)
    return connections


def _name(new: sqlite3.Connection, number: int) -> str:
    """Returns a connection's name from one of its outcomes or dead letters.

    Without any, it returns a name that no settings have, so that its rows are delivered nowhere by mistake.
    """
    found = new.execute("SELECT data FROM journal WHERE connection = ? LIMIT 1", (number,)).fetchone()
    if found:
        return record.unpack(found[0], Outcome).connection
    found = new.execute("SELECT data FROM dead_letters WHERE connection = ? LIMIT 1", (number,)).fetchone()
    return record.unpack(found[0], DeadLetter).outcome.connection if found else f"?{number}"
