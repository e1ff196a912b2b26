"""The tables, and what each minor version added to them.

`user_version` holds major * 1000 + minor. A minor version only adds what its predecessor may ignore, and each release
names the columns that it reads and writes; so neighbouring minor versions can use one file in turn. Another major
version is refused, or upgraded when the spool is opened.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from intercomd_daemon.spool.sqlite import fingerprints
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.file.header import APPLICATION_ID

MAJOR = 2
"""Raised with 0.2, as 0.1 would quarantine each row with a record of version 2."""
UPGRADABLE = (1_000,)
"""Versions of earlier major versions that `upgrade` upgrades: 0.1 wrote 1.0, without the tables of `_ADDED_IN_2`."""
ADDITIONS: Sequence[Sequence[str]] = ()
"""The statements of each minor version from 1 on, which add to the one before."""
VERSION = MAJOR * 1000 + len(ADDITIONS)

GENERATIONS = 3
"""The generations of the duplicate window: the young one, the old one, and the one that is being emptied."""
RECENT = tuple(f"recent_{place}" for place in range(GENERATIONS))
"""Their tables; a generation's table is that of its number modulo `GENERATIONS`."""

_TABLES = (
    # One row: what is counted instead of scanned, so that opening reads no backlog.
    """CREATE TABLE counters (
        row INTEGER PRIMARY KEY CHECK (row = 1), commits INTEGER NOT NULL, position INTEGER NOT NULL,
        sequence INTEGER NOT NULL, outcomes INTEGER NOT NULL, contacts INTEGER NOT NULL, seconds INTEGER NOT NULL,
        damaged INTEGER NOT NULL,
        generation INTEGER NOT NULL, oldest_generation INTEGER NOT NULL, generation_ids INTEGER NOT NULL,
        turned_at REAL NOT NULL, elapsed_seconds REAL NOT NULL, seal INTEGER NOT NULL)""",
    """CREATE TABLE connections (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused INTEGER NOT NULL, normal INTEGER NOT NULL,
        bulk INTEGER NOT NULL, parked_lanes INTEGER NOT NULL, dead_letters INTEGER NOT NULL, bytes INTEGER NOT NULL,
        seal INTEGER NOT NULL)""",
    # No index beside the key: an append only ever touches the last page of its log.
    """CREATE TABLE log (
        key INTEGER PRIMARY KEY, lane TEXT NOT NULL, envelope_id NOT NULL, accept_time REAL NOT NULL,
        data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    """CREATE TABLE parked (
        key INTEGER PRIMARY KEY, connection INTEGER NOT NULL, lane TEXT NOT NULL, envelope_id NOT NULL,
        accept_time REAL NOT NULL, data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX parked_by_lane ON parked (connection, lane, key)",
    """CREATE TABLE lanes (
        connection INTEGER NOT NULL, lane TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL,
        oldest REAL NOT NULL, PRIMARY KEY (connection, lane)) WITHOUT ROWID""",
    "CREATE INDEX lanes_by_due ON lanes (connection, due)",
    "CREATE INDEX lanes_by_oldest ON lanes (connection, oldest)",
    "CREATE TABLE progress (key INTEGER PRIMARY KEY, data BLOB NOT NULL, seal INTEGER NOT NULL)",
    # The duplicate window, a table for each of the generations that may exist at once: a UUID's text as its 16 bytes,
    # any other id as text. Time-ordered ids append.
    *(
        f"""CREATE TABLE {recent} (
            connection INTEGER NOT NULL, envelope_id NOT NULL, key INTEGER NOT NULL,
            PRIMARY KEY (connection, envelope_id)) WITHOUT ROWID"""
        for recent in RECENT
    ),
    # `last` counts the pairs up to and with this row's, 16 bytes each.
    "CREATE TABLE seconds (last INTEGER PRIMARY KEY, pairs BLOB NOT NULL)",
    """CREATE TABLE contacts (
        number INTEGER PRIMARY KEY, connection INTEGER NOT NULL, contact_id TEXT NOT NULL, data BLOB NOT NULL,
        seal INTEGER NOT NULL, UNIQUE (connection, contact_id))""",
    """CREATE TABLE identities (
        connection INTEGER NOT NULL, lane TEXT NOT NULL, contact INTEGER NOT NULL, seal INTEGER NOT NULL,
        PRIMARY KEY (connection, lane)) WITHOUT ROWID""",
    "CREATE INDEX identities_by_contact ON identities (contact)",
    """CREATE TABLE journal (
        sequence INTEGER PRIMARY KEY, connection INTEGER NOT NULL, envelope_id NOT NULL, customer_id TEXT NOT NULL,
        email TEXT NOT NULL, type INTEGER NOT NULL, data BLOB NOT NULL)""",
    """CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, connection INTEGER NOT NULL, priority INTEGER NOT NULL, origin INTEGER NOT NULL,
        envelope_id NOT NULL, customer_id TEXT NOT NULL, email TEXT NOT NULL, reason TEXT NOT NULL,
        accept_time REAL NOT NULL, data BLOB NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX dead_letters_by_origin ON dead_letters (origin)",
    """CREATE TABLE damaged (
        number INTEGER PRIMARY KEY, place TEXT NOT NULL, key INTEGER NOT NULL, lane TEXT NOT NULL,
        reason TEXT NOT NULL, data BLOB)""",
)

_COUNTED = ("position", "sequence", "outcomes", "contacts", "seconds", "damaged")
_FIRST = {"row": 1, "commits": 1, **dict.fromkeys(_COUNTED, 0), "generation": 2, "oldest_generation": 1}
"""The counters of a new spool."""
_DESCRIPTION = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"

_ADDED_IN_2 = (
    # The workspace that the cached contacts of a connection belong to.
    "CREATE TABLE workspaces (connection INTEGER PRIMARY KEY, workspace TEXT NOT NULL)",
    # Rejected and skipped envelopes, saved when the spool closes.
    "CREATE TABLE refusals (number INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    """CREATE TABLE pacing (
        workspace TEXT PRIMARY KEY, call_limit INTEGER NOT NULL, window_ends REAL NOT NULL, calls_used INTEGER NOT NULL,
        reset REAL NOT NULL)""",
    # The results of the last request that each agent forwarded, by the connection that its envelopes name.
    """CREATE TABLE forwarded (
        number INTEGER PRIMARY KEY, caller TEXT NOT NULL, agent_id TEXT NOT NULL, connection TEXT NOT NULL,
        time REAL NOT NULL, data BLOB NOT NULL, UNIQUE (caller, agent_id, connection))""",
    "CREATE INDEX forwarded_by_time ON forwarded (time)",
    # Small states of parts of the daemon, and the id of the spool.
    "CREATE TABLE states (name TEXT PRIMARY KEY, data BLOB NOT NULL, seal INTEGER NOT NULL) WITHOUT ROWID",
    # By which the trail finds waiting rows. `log` is the number of the row's log: with the position, its key.
    """CREATE TABLE fingerprints (
        position INTEGER PRIMARY KEY, log INTEGER NOT NULL, lane INTEGER NOT NULL, email INTEGER,
        envelope_id INTEGER NOT NULL)""",
)


COPIED_IF_READABLE = (("forwarded", "caller, agent_id, connection, time, data"), ("states", "name, data, seal"))
"""Tables, with their columns, whose rows carry a checksum and are checked when they are used."""


def create(database: sqlite3.Connection, now: float, additions: Sequence[Sequence[str]] = ADDITIONS) -> None:
    """Creates the tables in an empty file, in one commit; `now` is in Unix seconds."""
    database.execute("BEGIN IMMEDIATE")
    for statement in _statements(additions):
        database.execute(statement)
    first = {**_FIRST, "generation_ids": 0, "turned_at": float(now), "elapsed_seconds": 0.0}
    database.execute(
        f"INSERT INTO counters ({', '.join(first)}, seal) VALUES ({'?, ' * len(first)}?)",  # noqa: S608 - our own names
        (*first.values(), row_checksum(*first.values())),
    )
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {MAJOR * 1000 + len(additions)}")
    database.execute("COMMIT")


def upgrade(database: sqlite3.Connection, additions: Sequence[Sequence[str]] = ADDITIONS) -> None:
    """Upgrades the file to this version, in one commit; the file of a newer minor version is unchanged."""
    major, minor = divmod(version_of(database), 1000)
    missing = additions[minor:]
    if missing or major != MAJOR:
        database.execute("BEGIN IMMEDIATE")
        for statement in (*(_ADDED_IN_2 if major != MAJOR else ()), *_flat(missing)):
            database.execute(statement)
        if major != MAJOR:
            fingerprints.fill(database)
        database.execute(f"PRAGMA user_version = {MAJOR * 1000 + len(additions)}")
        database.execute("COMMIT")


def version_problem(path: str, version: int) -> str:
    """Returns why this release cannot use a file of this version; empty if it can, after an upgrade if necessary."""
    if version // 1000 == MAJOR or version in UPGRADABLE:
        return ""
    return (
        f"{path} has the format {version // 1000}.{version % 1000}, and this release reads {MAJOR}.x and 1.0;"
        " let the release that wrote it deliver what waits, or set spool.url to another file"
    )


def version_of(database: sqlite3.Connection) -> int:
    """Returns the file's version."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def differing_definitions(database: sqlite3.Connection, additions: Sequence[Sequence[str]] = ADDITIONS) -> set[str]:
    """Returns the tables and indexes that are defined differently in the file; none if its minor version is newer."""
    major, minor = divmod(version_of(database), 1000)
    if minor > len(additions):
        return set()
    with closing(sqlite3.connect(":memory:")) as made:
        for statement in _statements(additions[:minor]) if major == MAJOR else _TABLES:
            made.execute(statement)
        expected, found = (set(each.execute(_DESCRIPTION).fetchall()) for each in (made, database))
    return {name for name, _ in expected ^ found}


def _statements(additions: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from _TABLES
    yield from _ADDED_IN_2
    yield from _flat(additions)


def _flat(additions: Sequence[Sequence[str]]) -> Iterator[str]:
    return (statement for added in additions for statement in added)
