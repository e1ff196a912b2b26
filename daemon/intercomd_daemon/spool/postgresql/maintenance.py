"""Verifies and exports a spool in a database, from a snapshot and while daemons use it.

While the snapshot is kept, the database removes no deleted rows.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

import asyncpg

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.content import Content
from intercomd_daemon.spool.maintenance import Damage, DamageReport, Exported, Repaired
from intercomd_daemon.spool.postgresql import schema
from intercomd_daemon.spool.postgresql.connecting import connector, reason_of
from intercomd_daemon.spool.postgresql.exporting import export
from intercomd_daemon.spool.postgresql.filling import fill
from intercomd_daemon.spool.postgresql.pooler import connect_kept
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.postgresql.verifying import verify

Result = TypeVar("Result")
ROWS_PER_FETCH = 64
"""Rows of a statement in memory: at most 64 MiB, as a row has at most 1 MiB."""
IDLE_SECONDS = 600
"""The snapshot ends when the reader of the command's output takes nothing for this time."""


class Snapshot:
    """Rows of one moment, read by a program that is not asynchronous."""

    def __init__(self, runner: asyncio.Runner, connection: asyncpg.Connection) -> None:
        """The connection is in a transaction that reads one snapshot."""
        self._runner = runner
        self._connection = connection

    def rows(self, statement: str, *values: object) -> Iterator[asyncpg.Record]:
        """Yields the rows of a statement, a few of which are in memory."""

        async def begin() -> asyncpg.cursor.Cursor:
            return await self._connection.cursor(statement, *values)

        cursor = self._runner.run(begin())
        while page := self._runner.run(cursor.fetch(ROWS_PER_FETCH)):
            yield from page


class ReadableSpool:
    """A spool in a database; `maintenance.ClosedSpool` documents each method."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Reads from the snapshot."""
        self.damages: list[Damage] = []
        self._snapshot = snapshot

    def verify(self) -> DamageReport:
        """Checks every record."""
        return verify(self._snapshot.rows)

    def export(self, now: float, findings: DamageReport, *, dead_letters: bool) -> Iterator[Exported]:  # noqa: ARG002 - a corrupt file is rebuilt
        """Returns what waits."""
        return export(self._snapshot.rows, findings, dead_letters=dead_letters)

    def repair(self, now: float) -> Repaired:  # noqa: ARG002 - see above
        """Refuses: daemons quarantine a corrupt row when they read it, and larger damage is the database's."""
        raise SpoolUnusable(
            "a spool in PostgreSQL is repaired by no command: a daemon quarantines each corrupt row when it reads it;"
            " restore a damaged database from its backup"
        )


class PostgresqlMaintenance:
    """Opens snapshots, and takes over the content of another spool."""

    def fill(self, url: str, password_file: str, content: Content) -> str:
        """Takes the content over; see `filling.fill`."""
        with unusable_on_failure():
            return asyncio.run(fill(url, password_file, content))

    def lock(self, place: str, password_file: str = "") -> AbstractContextManager[ReadableSpool]:
        """Begins a snapshot; see `maintenance.Maintenance`. Daemons may use the spool meanwhile."""
        return _snapshot(PostgresqlSettings(url=place, password_file=password_file))


@contextmanager
def _snapshot(settings: PostgresqlSettings) -> Iterator[ReadableSpool]:
    with asyncio.Runner() as runner, unusable_on_failure():
        opened = _reading(settings)
        connection = runner.run(opened.__aenter__())
        try:
            yield ReadableSpool(Snapshot(runner, connection))
        finally:
            runner.run(opened.__aexit__(None, None, None))


@contextmanager
def unusable_on_failure() -> Iterator[None]:
    """Maps errors of the database to SpoolUnusable."""
    try:
        yield
    except BrokenPipeError:  # the reader of the command's output has gone
        raise
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SpoolUnusable(f"the database cannot be used: {reason_of(error)}") from error


@asynccontextmanager
async def _reading(settings: PostgresqlSettings) -> AsyncIterator[asyncpg.Connection]:
    """Connects, and begins a transaction that reads one snapshot."""
    connection = await connect_kept(connector(settings))
    try:
        await schema.check(connection)
        if not await schema.exists(connection):
            raise SpoolUnusable("the database holds no spool yet: no daemon has used it")
        await connection.execute(
            f"SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        )
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        connection.terminate()
