"""The counters of the spool, stored beside the rows in the same commits, so that nothing is scanned to know them.

Each transaction works on a copy, which replaces the counters in memory once the commit has succeeded.
"""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec.structs import astuple, replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.keys import CONNECTIONS_MAX
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt

POSITION_LEAP = 1 << 36
"""Positions skipped when the last ones may be lost: more than a spool uses in years, with room for 4,096 leaps."""
SEQUENCE_LEAP = 1 << 20
"""Sequences skipped then: more than a journal loses, and few enough for a search to pass over."""


class ConnectionCounters(msgspec.Struct):
    """The counters of one connection; the fields are the columns of `connections`."""

    number: int
    name: str
    paused: int = 0
    normal: int = 0
    """Waiting rows, those of parked lanes included."""
    bulk: int = 0
    parked_lanes: int = 0
    dead_letters: int = 0
    bytes: int = 0
    """Of waiting rows and dead letters, overhead included."""

    def count(self, priority: Priority, rows: int, row_bytes: int) -> None:
        """Counts rows that were added, or with negative numbers, removed."""
        if priority is Priority.BULK:
            self.bulk += rows
        else:
            self.normal += rows
        self.bytes += row_bytes


class SpoolCounters(msgspec.Struct):
    """The counters of the whole spool; the fields are the columns of `counters`."""

    row: int
    commits: int
    """Successful commits. Each writes the page of this row, so that a write-ahead log shows how many commits it has."""
    position: int
    """The last position given to a row; all logs share it."""
    sequence: int
    """The last sequence given to an outcome."""
    outcomes: int
    contacts: int
    seconds: int
    """Pairs ever written to `seconds`."""
    damaged: int
    """Quarantined rows."""
    generation: int
    """The young generation of the duplicate window."""
    oldest_generation: int
    """Below `generation` - 1: this generation is being emptied."""
    generation_ids: int
    """Ids in the young generation."""
    turned_at: float
    """When the window was last rotated, in Unix seconds."""
    elapsed_seconds: float
    """Since then, while the spool was open."""

    def leap(self) -> None:
        """Skips numbers that may have been given before the counters were lost: none is ever given twice."""
        self.position += POSITION_LEAP
        self.sequence += SEQUENCE_LEAP


class Counters:
    """The counters of the spool and of each connection."""

    def __init__(self, spool: SpoolCounters, connections: dict[int, ConnectionCounters]) -> None:
        """`connections` are by their numbers."""
        self.spool = spool
        self.connections = connections
        self._numbers = {each.name: number for number, each in connections.items()}

    def copy(self) -> "Counters":
        """Returns a copy that can be changed by itself."""
        return Counters(replace(self.spool), {number: replace(each) for number, each in self.connections.items()})

    def connection(self, name: str) -> ConnectionCounters:
        """Returns the connection's counters; a new connection gets the next number.

        Raises:
            SpoolUnusable: the keys have no number left for it.
        """
        number = self._numbers.get(name)
        if number is None:
            number = len(self.connections) + 1
            if number > CONNECTIONS_MAX:
                raise SpoolUnusable(
                    f"the spool already has {CONNECTIONS_MAX} connections, the limit: no room for {name}"
                )
            self._numbers[name] = number
            self.connections[number] = ConnectionCounters(number, name)
        return self.connections[number]

    def number(self, name: str) -> int:
        """Returns the connection's number; 0: it has none yet."""
        return self._numbers.get(name, 0)

    def used(self) -> dict[str, int]:
        """Returns the bytes by connection."""
        return {each.name: each.bytes for each in self.connections.values()}

    def waiting(self) -> int:
        """Returns the number of waiting rows."""
        return sum(each.normal + each.bulk for each in self.connections.values())

    def differs(self, other: "Counters") -> bool:
        """Whether any counter differs."""
        return self.spool != other.spool or self.connections != other.connections


_SPOOL = SpoolCounters.__struct_fields__
_CONNECTION = ConnectionCounters.__struct_fields__
# The columns are named, as a later minor version may have added some.
_LOAD_SPOOL = f"SELECT {', '.join(_SPOOL)}, seal FROM counters"  # noqa: S608 - our own field names
_LOAD_CONNECTIONS = f"SELECT {', '.join(_CONNECTION)}, seal FROM connections"  # noqa: S608 - our own field names
# The key is left out: SQLite would delete and insert the row, even if the key is set to its own value.
_STORE_SPOOL = f"UPDATE counters SET {', '.join(name + ' = ?' for name in (*_SPOOL[1:], 'seal'))} WHERE row = 1"  # noqa: S608 - as above
_STORE_CONNECTION = (
    f"INSERT INTO connections ({', '.join(_CONNECTION)}, seal) VALUES ({', '.join('?' * len(_CONNECTION))}, ?)"  # noqa: S608 - as above
    f" ON CONFLICT (number) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*_CONNECTION, 'seal'))}"
)


def open_counters(database: sqlite3.Connection, connections: Iterable[str], *, leap: bool = False) -> Counters:
    """Loads the counters, adds those of new connections, and with `leap` skips numbers that may have been lost.

    Raises:
        SpoolCorrupt: the counters are not what was stored.
    """
    stored = load_counters(database)
    counters = stored.copy()
    for name in connections:
        counters.connection(name)
    if leap:
        counters.spool.leap()
    if counters.differs(stored):
        counters.spool.commits += 1
        database.execute("BEGIN")
        store_counters(database, counters, stored)
        database.execute("COMMIT")
    return counters


def load_counters(database: sqlite3.Connection) -> Counters:
    """Loads the counters.

    Raises:
        SpoolCorrupt: they are not what was stored.
    """
    spool, connections = database.execute(_LOAD_SPOOL).fetchall(), database.execute(_LOAD_CONNECTIONS).fetchall()
    if len(spool) != 1 or not all(row[-1] == row_checksum(*row[:-1]) for row in (*spool, *connections)):
        raise SpoolCorrupt("the counters are not what was stored")
    return Counters(SpoolCounters(*spool[0][:-1]), {row[0]: ConnectionCounters(*row[:-1]) for row in connections})


def store_counters(database: sqlite3.Connection, counters: Counters, before: Counters) -> None:
    """Writes the counters that differ from `before`."""
    if counters.spool != before.spool:
        database.execute(_STORE_SPOOL, _with_checksum(counters.spool)[1:])
    changed = [each for number, each in counters.connections.items() if each != before.connections.get(number)]
    database.executemany(_STORE_CONNECTION, [_with_checksum(each) for each in changed])


def _with_checksum(row: SpoolCounters | ConnectionCounters) -> tuple[object, ...]:
    values = astuple(row)
    return (*values, row_checksum(*values))
