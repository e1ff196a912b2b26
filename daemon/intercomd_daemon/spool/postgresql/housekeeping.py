"""What every daemon does now and then: reads the counters, notifies owners, and keeps the tables bounded."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool.forwarded import KEPT_SECONDS
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.database_clock import DatabaseClock
from intercomd_daemon.spool.postgresql.session import Session
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rotation import rotation_due

NOTICE_SECONDS = 0.02
"""A notification holds a lock of the whole server through its commit, so those of this time are sent together."""
SECONDS_KEPT = 65_536
CONTACTS_MAX = 500_000
QUARANTINED_MAX = 10_000
JOURNAL_PARTS = 3
"""Partitions of the journal that hold `outcomes_max` together; the fourth is being filled."""
_TRIMS = (
    f"DELETE FROM seconds WHERE number < (SELECT max(number) FROM seconds) - {SECONDS_KEPT}",  # noqa: S608 - a constant
    f"DELETE FROM damaged WHERE number < (SELECT max(number) FROM damaged) - {QUARANTINED_MAX}",  # noqa: S608 - as above
    f"DELETE FROM forwarded WHERE used_at < extract(epoch FROM now()) - {KEPT_SECONDS}",  # noqa: S608 - as above
    (
        "WITH gone AS (DELETE FROM contacts WHERE number IN"  # noqa: S608 - as above
        f" (SELECT number FROM contacts ORDER BY number DESC OFFSET {CONTACTS_MAX}) RETURNING number)"
        " DELETE FROM identities WHERE contact IN (SELECT number FROM gone)"
    ),
)
CARRIED_PER_COMMIT = 2_000
"""Ids of the outgoing generation that one step looks at."""
STEPS_PER_POLL = 50
TRY_SECONDS = 1.0
"""Between two attempts to start a generation: each may delay appends by the lock's time-out."""
TRIM_EVERY = 60
"""Polls between two trims."""


class Housekeeping:
    """The timers of the engine."""

    def __init__(
        self,
        settings: PostgresqlSettings,
        session: Session,
        counters: Counters,
        clock: DatabaseClock,
        monotonic: Callable[[], float],
        wake: Callable[[set[tuple[str, Priority]]], None],
    ) -> None:
        """`wake` is called with the logs that grew by other daemons' commits."""
        self._settings = settings
        self._session = session
        self._counters = counters
        self._clock = clock
        self._monotonic = monotonic
        self._wake = wake
        self._generation = 0
        self._turned_at = 0.0
        self._elapsed = 0.0
        self._appended = 0
        self._emptied = True
        self._measured_at = 0.0
        self._tried_at = -inf
        self._notices: set[tuple[str, Priority]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._notifying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads the counters and the generation, and starts the timers."""
        await self._session.perform(self._counters.poll)
        self._measured_at = self._monotonic()
        await self._session.perform(self._read_generation)
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def _run(self) -> None:
        polls = 0
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            polls += 1
            with suppress(IntercomdError, asyncpg.PostgresError):
                await self._session.perform(self._clock.measure)
                grown = await self._session.perform(self._counters.poll)
                self._wake(set(grown))
                await self._session.perform(self._read_generation)
                await self._empty_outgoing(STEPS_PER_POLL)
                await self._session.perform(self._rotate_journal)
                if polls % TRIM_EVERY == 0:
                    await self._session.perform(self._trim)

    async def _read_generation(self, connection: asyncpg.Connection) -> None:
        """Reads the generation, and saves how long it has lasted while a daemon ran."""
        now, monotonic = self._clock.now(), self._monotonic()
        (row,) = await connection.fetch(
            "UPDATE generations SET elapsed = greatest(elapsed, $1),"
            " turned_at = CASE WHEN turned_at = 0 THEN $2 ELSE least(turned_at, $2) END"
            " RETURNING generation, turned_at, elapsed, appended, emptied",
            self._elapsed + monotonic - self._measured_at if self._turned_at else 0.0,
            now,
        )
        if row["generation"] != self._generation or not self._turned_at:
            self._generation = row["generation"]
            self._elapsed, self._measured_at = row["elapsed"], monotonic
        self._turned_at, self._appended, self._emptied = row["turned_at"], row["appended"], row["emptied"]

    async def rotate_if_due(self) -> None:
        """Starts a new generation of the duplicate window if one is due."""
        monotonic, now = self._monotonic(), self._clock.now()
        self._turned_at = min(self._turned_at, now)
        elapsed = self._elapsed + monotonic - self._measured_at
        ids = self._counters.appended() - self._appended  # Counts rows without an id of their sender, too.
        window = self._settings.duplicate_window_seconds
        if not rotation_due(window, now - self._turned_at, elapsed, ids) or monotonic - self._tried_at < TRY_SECONDS:
            return
        self._tried_at = monotonic
        with suppress(IntercomdError):
            await self._empty_outgoing(1)
            if self._emptied:  # Else ids stay known for longer.
                await self._session.perform(self._rotate)
                await self._empty_outgoing(1)

    async def _rotate(self, connection: asyncpg.Connection) -> None:
        with suppress(asyncpg.LockNotAvailableError):  # A later append tries again.
            await connection.fetchval("SELECT rotate_recent_1($1, $2)", self._generation, self._clock.now())
            await self._read_generation(connection)

    async def _empty_outgoing(self, steps: int) -> None:
        """Takes the next steps of emptying the outgoing generation; other jobs of the session come between."""
        for _ in range(0 if self._emptied else steps):
            if await self._session.fetch_value("SELECT carry_recent_1($1)", CARRIED_PER_COMMIT):
                await self._session.perform(self._empty)
                break

    async def _empty(self, connection: asyncpg.Connection) -> None:
        with suppress(asyncpg.LockNotAvailableError):  # The next call tries again.
            self._emptied = await connection.fetchval("SELECT empty_recent_1()")

    async def _rotate_journal(self, connection: asyncpg.Connection) -> None:
        (row,) = await connection.fetch(
            "SELECT slot, sequence - slot_first + 1 AS filled, slot_since FROM journal_counter"
        )
        old = row["slot_since"] and row["slot_since"] < self._clock.now() - self._settings.outcomes_kept_seconds
        if row["filled"] * JOURNAL_PARTS > self._settings.outcomes_max + JOURNAL_PARTS or (old and row["filled"]):
            with suppress(asyncpg.LockNotAvailableError):
                await connection.execute("SELECT rotate_journal_1($1, $2)", row["slot"], self._clock.now())

    async def _trim(self, connection: asyncpg.Connection) -> None:
        for statement in _TRIMS:
            await connection.execute(statement)

    def notify(self, logs: set[tuple[str, Priority]]) -> None:
        """Notifies the owners of logs that grew, a little later."""
        self._notices |= logs
        if self._notices and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NOTICE_SECONDS, self._start_notifying)

    def _start_notifying(self) -> None:
        self._timer = None
        logs, self._notices = self._notices, set()
        payloads = [f"{name} {int(priority is Priority.BULK)}" for name, priority in sorted(logs)]

        async def send() -> None:
            statement = "SELECT pg_notify('intercomd_appends', p) FROM unnest($1::text[]) AS p"
            with suppress(IntercomdError, asyncpg.PostgresError):  # The poll finds the rows.
                await self._session.perform(lambda connection: connection.execute(statement, payloads))

        self._notifying = asyncio.create_task(send())

    async def close(self) -> None:
        """Ends the timers."""
        if self._timer is not None:
            self._timer.cancel()
        for task in (self._task, self._notifying):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
