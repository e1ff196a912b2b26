"""Rejected and skipped envelopes in the database, written together twice a second: any daemon lists those of all.

Those of the last moment are lost with a crash.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.envelope import Refusal
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool import record
from intercomd_daemon.spool.postgresql.archive import Where
from intercomd_daemon.spool.postgresql.database_clock import DatabaseClock
from intercomd_daemon.spool.postgresql.session import ReadingSession
from intercomd_daemon.spool.refusals import BYTES_MAX, Refusals, share_of, size_of
from intercomd_daemon.spool.trail import TrailFilter

WRITE_SECONDS = 0.5
"""Refusals of this time are written together."""
TRIM_SHARE = 10
"""Refusals beyond the bounds are deleted after each tenth of `refusals_max`."""
_INSERT = """
INSERT INTO refusals (share, connection, envelope_id, customer_id, email, time, size, data)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::float8[], $7::integer[],
    $8::bytea[])
"""
# The newest of each share come first, then the second newest, and so on: the oldest of the largest shares are deleted.
_TRIM = """
DELETE FROM refusals WHERE time < $3 OR number IN (
    SELECT number FROM (
        SELECT number, row_number() OVER fair AS place, sum(size) OVER fair AS bytes FROM (
            SELECT number, size, row_number() OVER (PARTITION BY share ORDER BY number DESC) AS depth FROM refusals
        ) AS ranked WINDOW fair AS (ORDER BY depth, number DESC)
    ) AS placed WHERE place > $1 OR bytes > $2)
"""


class StoredRefusals:
    """The refusals of all daemons."""

    def __init__(self, session: ReadingSession, refusals_max: int, kept_seconds: float, clock: DatabaseClock) -> None:
        """`refusals_max` bounds their number, `kept_seconds` their age."""
        self._session = session
        self._refusals_max = refusals_max
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._unwritten = Refusals(refusals_max, kept_seconds)
        self._since_trim = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def add(self, refusals: Sequence[Refusal]) -> None:
        """Adds refusals, to be written soon."""
        self._unwritten.add(refusals)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._start_writing)

    def _start_writing(self) -> None:
        self._timer = None
        self._writing = asyncio.create_task(self._write_if_possible())

    async def _write_if_possible(self) -> None:
        # While the database is away they wait, within their bounds, for the next ones.
        with suppress(IntercomdError, asyncpg.PostgresError):
            await self.write()

    def _pending(self) -> list[Refusal]:
        found = self._unwritten.all(0.0)
        return [replace(row, number=0, time=self._clock.corrected(row.time)) for row in found]

    async def write(self) -> None:
        """Writes what was added."""
        await self._session.perform(self._write)

    async def _write(self, connection: asyncpg.Connection) -> None:
        if not (rows := self._pending()):
            return
        self._unwritten = Refusals(self._refusals_max, self._kept_seconds)
        await connection.execute(
            _INSERT,
            ["\0".join(share_of(row)).encode() for row in rows],
            [row.connection.encode() for row in rows],
            [row.envelope_id.encode() for row in rows],
            [row.customer_id.encode() for row in rows],
            [row.email.encode() for row in rows],
            [row.time for row in rows],
            [size_of(row) for row in rows],
            [record.pack(row) for row in rows],
        )
        self._since_trim += len(rows)
        if self._since_trim * TRIM_SHARE > self._refusals_max:
            await self.trim(connection)

    async def trim(self, connection: asyncpg.Connection) -> None:
        """Deletes what is too old, and what is beyond the bounds."""
        self._since_trim = 0
        await connection.execute(_TRIM, self._refusals_max, BYTES_MAX, self._clock.now() - self._kept_seconds)

    async def find(self, wanted: TrailFilter, before: int, limit: int) -> list[Refusal]:
        """Returns the matching ones of all daemons, newest first, below the number `before` (0: from the newest)."""
        where = Where()
        where.add("time >= ?", self._clock.now() - self._kept_seconds)
        if before:
            where.add("number < ?", before)
        if wanted.connection:
            where.add("connection = ?", wanted.connection.encode())
        if wanted.allowed is not None:
            where.add("connection = ANY (?::bytea[])", [name.encode() for name in wanted.allowed])
        where.trail(wanted)

        async def read(connection: asyncpg.Connection) -> list[Refusal]:
            await self._write(connection)
            statement = f"SELECT number, data FROM refusals WHERE {where} ORDER BY number DESC LIMIT {limit:d}"  # noqa: S608
            rows = await connection.fetch(statement, *where.values)
            return [replace(record.unpack(row["data"], Refusal), number=row["number"]) for row in rows]

        return await self._session.perform(read)

    async def close(self) -> None:
        """Writes what was added, if the database answers."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await self._writing
        if self._pending():
            await self._write_if_possible()
