"""Everything that a closed spool's file holds, for another engine to take over."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Refusal
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import content
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.maintenance import Contents, Damage
from intercomd_daemon.spool.rows import PacingState
from intercomd_daemon.spool.sqlite import claimed_seconds, refusals, states
from intercomd_daemon.spool.sqlite.counters import load_counters
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.duplicate_window import unpack_id
from intercomd_daemon.spool.sqlite.file.replacement import real_path, sync_folder
from intercomd_daemon.spool.sqlite.maintenance import SqliteMaintenance
from intercomd_daemon.spool.sqlite.repair.tables import decode
from intercomd_daemon.spool.sqlite.schema import GENERATIONS, RECENT

RETIRED = ".copied"
"""The suffix of a file whose content was taken over."""


def find(path: str) -> str:
    """Returns the path of the spool, or of the retired one if taking it over was interrupted.

    Raises:
        SpoolUnusable: there is none, or both.
    """
    path = real_path(path)
    retired = Path(path + RETIRED)
    if Path(path).exists():
        if retired.exists():
            raise SpoolUnusable(f"{retired} exists beside {path}: copy it first, or move it away")
        return path
    if retired.exists():
        return str(retired)
    raise SpoolUnusable(f"there is no spool {path}: name the file of one")


@contextmanager
def opened(path: str) -> Iterator["SqliteContent"]:
    """Locks a spool against daemons, verifies and opens it; a file of 0.1 is upgraded.

    Raises:
        SpoolLocked: a daemon has it open.
        SpoolUnusable: it cannot be read.
    """
    path = real_path(path)
    with SqliteMaintenance().lock(path) as spool:
        report = spool.verify()
        damages = [*spool.damages, *(each for each in report.damages if not each.reason.startswith("quarantined: "))]
        database = open_database(path, time.time()) if not damages else sqlite3.connect(":memory:")
        made = SqliteContent(path, database)
        made.contents, made.damages = report.contents, damages
        try:
            yield made
        finally:
            database.close()


class SqliteContent:
    """The content of a file whose lock is held; `content.Content` documents each method."""

    def __init__(self, path: str, database: sqlite3.Connection) -> None:
        """The database is open."""
        self.contents = Contents()
        self.damages: list[Damage] = []
        self._path = path
        self._database = database

    def numbers(self) -> content.Numbers:
        """Returns the counters."""
        spool = load_counters(self._database).spool
        return content.Numbers(
            states.spool_id(self._database),
            spool.position,
            spool.sequence,
            spool.generation,
            spool.generation_ids,
            spool.turned_at,
            spool.elapsed_seconds,
        )

    def connections(self) -> list[content.StoredConnection]:
        """Returns the connections."""
        workspaces = dict(self._database.execute("SELECT connection, workspace FROM workspaces").fetchall())
        return [
            content.StoredConnection(each.number, each.name, bool(each.paused), workspaces.get(each.number, ""))
            for each in load_counters(self._database).connections.values()
        ]

    def rows(self, *, parked: bool) -> Iterator[content.StoredRow]:
        """Returns waiting rows."""
        table = "parked" if parked else "log"
        statement = f"SELECT key, lane, envelope_id, accept_time, data FROM {table} ORDER BY key"  # noqa: S608 - one of two
        for key, lane, packed_id, accept_time, data in self._database.execute(statement):
            envelope = decode(data, AcceptedEnvelope)
            email = envelope.email if envelope else ""
            yield content.StoredRow(key, lane, unpack_id(packed_id), email, accept_time, data)

    def lanes(self) -> Iterator[content.StoredLane]:
        """Returns the parked lanes."""
        rows = self._database.execute("SELECT connection, lane, due, attempts FROM lanes")
        return (content.StoredLane(*row) for row in rows)

    def progress(self) -> Iterator[tuple[int, bytes]]:
        """Returns the progress of rows."""
        yield from self._database.execute("SELECT key, data FROM progress")

    def ids(self) -> Iterator[content.KnownId]:
        """Returns the duplicate window."""
        spool = load_counters(self._database).spool
        for generation in range(max(spool.oldest_generation, spool.generation - GENERATIONS + 1), spool.generation + 1):
            table = RECENT[generation % GENERATIONS]
            for connection, packed_id, key in self._database.execute(
                f"SELECT connection, envelope_id, key FROM {table}"  # noqa: S608 - our own tables
            ):
                yield content.KnownId(generation, connection, unpack_id(packed_id), key)

    def seconds(self) -> list[tuple[int, int]]:
        """Returns the claimed seconds."""
        return claimed_seconds.unpack_pairs(claimed_seconds.load(self._database))

    def contacts(self) -> Iterator[content.CopiedContact]:
        """Returns the contact cache."""
        rows = self._database.execute("SELECT number, connection, contact_id, data FROM contacts ORDER BY number")
        return (content.CopiedContact(*row) for row in rows)

    def identities(self) -> Iterator[content.StoredIdentity]:
        """Returns the contact of each lane."""
        rows = self._database.execute("SELECT connection, lane, contact FROM identities")
        return (content.StoredIdentity(*row) for row in rows)

    def outcomes(self) -> Iterator[content.StoredOutcome]:
        """Returns the journal."""
        rows = self._database.execute(
            "SELECT sequence, connection, envelope_id, customer_id, email, type, data FROM journal ORDER BY sequence"
        )
        for sequence, connection, packed_id, customer_id, email, kind, data in rows:
            outcome = decode(data, Outcome)
            ended = outcome.end_time if outcome else 0.0
            yield content.StoredOutcome(
                sequence, connection, unpack_id(packed_id), customer_id, email, kind, ended, data
            )

    def letters(self) -> Iterator[content.StoredLetter]:
        """Returns the dead letters."""
        rows = self._database.execute(
            "SELECT id, connection, priority, origin, envelope_id, customer_id, email, reason, accept_time, data"
            " FROM dead_letters ORDER BY id"
        )
        for number, connection, priority, origin, packed_id, *rest in rows:
            bulk = priority == Priority.BULK
            yield content.StoredLetter._make((number, connection, bulk, origin, unpack_id(packed_id), *rest))

    def forwarded(self) -> Iterator[tuple[Forwarded, float]]:
        """Returns the results of the last request of each agent; a damaged one is unknown to the daemon, too."""
        for used_at, data in self._database.execute("SELECT time, data FROM forwarded"):
            if (found := decode(data, Forwarded)) is not None:
                yield found, used_at

    def states(self) -> Iterator[tuple[str, bytes]]:
        """Returns the sound states."""
        for (name,) in self._database.execute("SELECT name FROM states WHERE name <> 'spool_id'").fetchall():
            if data := states.load(self._database, name):
                yield name, data

    def pacing(self) -> Iterator[tuple[str, PacingState]]:
        """Returns what was learned of each budget."""
        rows = self._database.execute("SELECT workspace, call_limit, window_ends, calls_used, reset FROM pacing")
        return ((workspace, PacingState(*state)) for workspace, *state in rows)

    def refusals(self) -> list[Refusal]:
        """Returns the saved refusals."""
        return refusals.load(self._database)

    def quarantined(self) -> Iterator[content.QuarantinedRecord]:
        """Returns the quarantined records."""
        rows = self._database.execute("SELECT place, key, lane, reason, data FROM damaged ORDER BY number")
        return (content.QuarantinedRecord._make((*texts, data or b"")) for *texts, data in rows)

    def retire(self) -> str:
        """Renames the file; closing it has moved its write-ahead log into it."""
        self._database.close()
        if self._path.endswith(RETIRED):
            return self._path
        Path(self._path).rename(self._path + RETIRED)
        sync_folder(self._path)
        return self._path + RETIRED
