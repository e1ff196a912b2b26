"""The PostgreSQL engine as the rest of the daemon sees it: four sessions, each owned by a task."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar
from uuid import uuid4

import asyncpg

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Refusal
from intercomd_daemon.errors import CommitUnknown, IntercomdError, SpoolClosed, SpoolUnusable
from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.fleet import CanDeliver
from intercomd_daemon.spool.forwarded import KEPT_SECONDS, Forwarded
from intercomd_daemon.spool.postgresql import archive
from intercomd_daemon.spool.postgresql.assignment import assign, is_assigned_elsewhere, is_served_elsewhere
from intercomd_daemon.spool.postgresql.connecting import connector, reason_of
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.database_clock import DatabaseClock, ReadTime, read_time
from intercomd_daemon.spool.postgresql.dead_letters import Stored, count_and_newest, discard, read_page, replay
from intercomd_daemon.spool.postgresql.fleet import PostgresqlFleet
from intercomd_daemon.spool.postgresql.housekeeping import SECONDS_KEPT, Housekeeping
from intercomd_daemon.spool.postgresql.intake import AppendQueue, read_forwarded
from intercomd_daemon.spool.postgresql.intake_state import IntakeState
from intercomd_daemon.spool.postgresql.leases import Leases
from intercomd_daemon.spool.postgresql.outflow import LOAD_STATE, SAVE_STATE, PostgresqlOutflow
from intercomd_daemon.spool.postgresql.pooler import check_sessions_are_kept
from intercomd_daemon.spool.postgresql.refusals import StoredRefusals
from intercomd_daemon.spool.postgresql.schema import migrate
from intercomd_daemon.spool.postgresql.session import (
    AWAY_RETRY_SECONDS,
    AnswerLost,
    DatabaseAway,
    ReadingSession,
    Session,
    is_transient,
)
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.postgresql.settle import Holder, settle
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.rows import (
    Completion,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    Settlement,
    Usage,
    WaitingRow,
)
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

Result = TypeVar("Result")


class PostgresqlSpool:
    """A spool in a PostgreSQL database; `base.Spool` documents each method."""

    def __init__(
        self,
        settings: PostgresqlSettings,
        clock: DatabaseClock,
        monotonic: Callable[[], float],
        on_commit: Callable[[int, float], None],
        on_refusing: Callable[[str], None],
    ) -> None:
        """Creates the closed spool; `open_spool` opens it."""
        self._settings = settings
        self._clock = clock
        self.incarnation = uuid4().hex
        self.on_commit = on_commit
        self.counters = Counters(Quota(settings.bytes_max, settings.connections))
        self.wakes: dict[str, Callable[[Priority], None]] = {}
        self.leases = Leases(self.incarnation, settings.daemon_id, Terms(settings.lease_seconds), clock.now)
        intake_state = IntakeState(on_refusing, monotonic)
        self._appends = AppendQueue(
            self.incarnation,
            settings.daemon_id,
            self.counters,
            clock.now,
            self._appended,
            on_commit,
            intake_state,
        )
        self._settle_session = 0
        connect = connector(settings)
        self._appends.session = self._appending = Session(connect, self._appends.begin, intake_state.on_away)
        self.settling = Session(connect, self._begin_settling)
        self._reading = ReadingSession(connect, _begin_nothing)
        self._control = Session(connect, self._begin_control)
        self._sessions = (self._control, self._appending, self.settling, self._reading)
        self._refusals = StoredRefusals(self._reading, settings.refusals_max, settings.outcomes_kept_seconds, clock)
        self.fleet = PostgresqlFleet(settings, self._reading, self.leases, clock, self._refusals.trim)
        self._housekeeping = Housekeeping(settings, self._reading, self.counters, clock, monotonic, self._wake)
        self._on_discard: Callable[[Sequence[Outcome]], None] = lambda _: None
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Opens the sessions and reads the counters; called once, by `open_spool`."""
        try:
            await self._reading.start()
            await self._control.start()
            await check_sessions_are_kept([self._reading.fetch_value, self._control.fetch_value])
            self.counters.spool_id = await self._reading.perform(migrate)
            await self._reading.perform(self._clock.measure)
            for session in (self._appending, self.settling):
                await session.start()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, DatabaseAway) as error:
            raise SpoolUnusable(f"the database cannot be used: {reason_of(error)}") from error
        self.leases.start(self._control)
        await self.set_connections(self._settings.connections)
        await self._housekeeping.start()
        await self.fleet.start()

    async def _begin_settling(self, connection: asyncpg.Connection) -> None:
        """Fences the session before, so that none of its settlements can commit any more, and gives up all leases.

        Which of them committed is seen when the logs are read again, under new leases.
        """
        statement = "SELECT session FROM begin_session_1($1, 'settle', $2, $3)"
        self._settle_session = await connection.fetchval(
            statement, self.incarnation, self._settings.daemon_id, self.now()
        )
        self.leases.lose_all("the session with the database ended")

    async def _begin_control(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener("intercomd_appends", self._on_notice)
        await connection.add_listener("intercomd_orders", lambda *_: self.fleet.orders.wake())
        self.leases.on_new_session()

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        name, _, bulk = str(payload).rpartition(" ")
        self._wake({(name, Priority.BULK if bulk == "1" else Priority.NORMAL)})

    def holder(self, workspace: str = "", epoch: int = 0) -> Holder:
        """Returns the fence of a statement on the settling session."""
        return Holder(self.incarnation, self._settle_session, workspace, epoch)

    async def number(self, name: str) -> int:
        """Returns the number of a connection, which it gets if it has none."""
        if name not in self.counters.numbers:
            number = await self._reading.fetch_value("SELECT connection_1($1)", name)
            self.counters.numbers[name], self.counters.names[number] = number, name
            self.counters.of(number)
        return self.counters.numbers[name]

    def refuse_if_closed(self) -> None:
        """Raises SpoolClosed once the spool is closed."""
        if self._closed.is_set():
            raise SpoolClosed

    # Accepting

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        """Appends rows to the logs."""
        self.refuse_if_closed()
        await self._housekeeping.rotate_if_due()
        if not rows and forwarded is None:
            return []
        return await self._appends.append(rows, forwarded)

    def _appended(self, grown: set[tuple[str, Priority]]) -> None:
        self._wake(grown)
        self._housekeeping.notify({log for log in grown if log[0] not in self.wakes})

    def _wake(self, grown: set[tuple[str, Priority]]) -> None:
        for connection, priority in sorted(grown):
            if connection in self.wakes:
                self.wakes[connection](priority)

    def insertion(self) -> None:
        """Returns None: rows are not inserted in a thread of this process."""

    async def forwarded(self, caller: str, agent_id: str, connection: str) -> Forwarded | None:
        """Returns the results of the last request that an agent forwarded for a connection."""
        key, since = (caller, agent_id, connection), self.now() - KEPT_SECONDS
        return await self._read(lambda session: read_forwarded(session, key, since))

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Keeps refusals for the trail of any daemon; they are written a little later."""
        self._refusals.add(refusals)

    def usage(self) -> Usage:
        """Returns the counters."""
        self.counters.away = next((f"the database is away: {each.away}" for each in self._sessions if each.away), "")
        return self.counters.usage()

    async def seconds(self) -> list[tuple[int, int]]:
        """Returns the pairs remembered at the opening, oldest first."""
        statement = "SELECT key, owner FROM seconds ORDER BY number DESC LIMIT $1"
        rows = await self._reading.fetch(statement, SECONDS_KEPT)
        return [(row["key"], row["owner"]) for row in reversed(rows)]

    # Delivering

    async def acquire(self, workspace: str, can_deliver: CanDeliver | None = None) -> PostgresqlOutflow:
        """Waits until this process holds the lease of the workspace."""
        holding = await self.leases.acquire(workspace, can_deliver)
        try:
            for name in self.leases.claims.members.connections_of(workspace):
                await assign(self._reading, await self.number(name), workspace)
        except BaseException:
            await self.leases.release(holding)
            raise
        return PostgresqlOutflow(self, holding)

    # Operating

    def now(self) -> float:
        """Returns Unix seconds by the clock of all daemons."""
        return self._clock.now()

    async def _read(self, job: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        return await self._reading.perform(job)

    async def _oldest(self) -> int:
        outcomes_from = self.now() - self._settings.outcomes_kept_seconds
        return await self._read(lambda each: archive.oldest(each, self._settings.outcomes_max, outcomes_from))

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """Lists the journal, newest first."""
        first = await self._oldest()
        return await self._read(lambda each: archive.outcomes(each, self.counters, wanted, before, first, limit))

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """Lists the journal in order, and returns the oldest sequence that it holds."""
        first = await self._oldest()
        read = lambda each: archive.outcomes_after(each, self.counters, wanted, after, first, limit)  # noqa: E731
        return await self._read(read), first

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters in the order of their ids."""
        where = archive.letter_where(self.counters, wanted)
        where.add("id > ?", after)
        return await self._read(lambda each: archive.letters(each, where, "id", limit))

    async def newest_dead_letters(self, wanted: DeadLetterFilter, before: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters, newest first."""
        where = archive.letter_where(self.counters, wanted)
        if before:
            where.add("id < ?", before)
        return await self._read(lambda each: archive.letters(each, where, "id DESC", limit))

    async def count_dead_letters_by_reason(self, wanted: DeadLetterFilter) -> dict[str, int]:
        """Counts the dead letters of each reason that the filter matches."""
        where = archive.letter_where(self.counters, wanted)
        return await self._read(lambda each: archive.count_by_reason(each, where))

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """Counts the dead letters that the filter matches."""
        return sum((await self.count_dead_letters_by_reason(wanted)).values())

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters, 500 letters a commit."""

        async def take(page: list[Stored]) -> None:
            session = self._appends.session_number
            keys = await self._change(
                lambda each: replay(each, self.incarnation, session(), self.counters, page, self.now())
            )
            grown = {(row.letter.outcome.connection, row.priority) for row, key in zip(page, keys, strict=True) if key}
            self._appended(grown)

        return await self._take_all(wanted, expected, take)

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters, 500 letters a commit."""

        async def take(page: list[Stored]) -> None:
            session = self._appends.session_number
            discarding = asyncio.ensure_future(
                self._change(lambda each: discard(each, self.incarnation, session(), self.counters, page, self.now()))
            )
            # If the caller is cancelled meanwhile, the commit still happens and its outcomes are still reported.
            discarding.add_done_callback(self._report_discarded)
            await asyncio.shield(discarding)

        return await self._take_all(wanted, expected, take)

    async def _change(self, job: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        """Changes dead letters, on the session whose fence the statements carry."""
        try:
            return await self._appending.perform(job)
        except AnswerLost as error:
            text = "the database did not answer, so it is unknown whether it took the dead letters: list them again"
            raise CommitUnknown(text) from error
        except asyncpg.PostgresError as error:
            if is_transient(error):
                raise DatabaseAway(f"the database refuses: {error}", AWAY_RETRY_SECONDS) from error
            raise

    def _report_discarded(self, discarding: asyncio.Future[list[Outcome]]) -> None:
        if not discarding.cancelled() and not discarding.exception() and discarding.result():
            self._on_discard(discarding.result())

    async def _take_all(
        self, wanted: DeadLetterFilter, expected: int, take: Callable[[list[Stored]], Awaitable[None]]
    ) -> int:
        """Takes the matching letters page by page, in the order of their first acceptance; returns how many."""
        where = archive.letter_where(self.counters, wanted)
        count, newest = await self._read(lambda each: count_and_newest(each, where))
        if count != expected:
            return -1
        cursor, done = (0, 0), 0
        while page := await self._read(partial(read_page, where=where, after=cursor, newest=newest)):
            await take(page)
            cursor = page[-1].letter.envelope.origin, page[-1].letter.dead_letter_id
            done += len(page)
        return done

    def on_discard(self, report: Callable[[Sequence[Outcome]], None]) -> None:
        """Registers the callback for commits that discard dead letters."""
        self._on_discard = report

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """Returns the envelope of this id if it still waits."""
        keys = await self.find_waiting(TrailFilter(connection=connection, envelope_id=envelope_id), 0, 1)
        found = await self.waiting_rows(keys)
        return record.unpack(found[0].row.data, AcceptedEnvelope) if found else None

    async def find_waiting(self, wanted: TrailFilter, before: int, limit: int) -> list[int]:
        """Returns the keys of waiting rows, newest first."""
        return await self._read(lambda each: archive.find_waiting(each, self.counters, wanted, before, limit))

    async def waiting_rows(self, keys: Sequence[int]) -> list[WaitingRow]:
        """Returns the rows of these keys that still wait."""
        return await self._read(lambda each: archive.waiting_rows(each, self.counters, keys))

    async def complete(self, connection: str, completion: Completion) -> Outcome | None:
        """Ends a waiting row."""
        settlement = Settlement(connection, [completion])
        outcomes = await self.settling.perform(
            lambda each: settle(each, self.holder(), self.counters, [settlement], self.now())
        )
        return outcomes[0] if outcomes else None

    async def trail_outcomes(self, wanted: TrailFilter, before: int, limit: int) -> list[KeptOutcome]:
        """Lists outcomes of the journal, then of dead letters that outlived it, newest first."""
        first = await self._oldest()
        return await self._read(lambda each: archive.trail_outcomes(each, self.counters, wanted, before, first, limit))

    async def refusals(self, wanted: TrailFilter, before: int, limit: int) -> list[Refusal]:
        """Lists rejected and skipped envelopes, newest first."""
        return await self._refusals.find(wanted, before, limit)

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Stores whether an operator paused the connection."""
        number = await self.number(connection)
        statement = "UPDATE connections SET paused = $2 WHERE number = $1"
        await self._reading.fetch(statement, number, paused)

    async def paused(self) -> frozenset[str]:
        """Returns the paused connections."""
        rows = await self._reading.fetch("SELECT name FROM connections WHERE paused")
        return frozenset(row["name"] for row in rows)

    async def set_connections(self, names: Sequence[str]) -> None:
        """Replaces the connections that share the quota."""
        for name in names:
            await self.number(name)
        self.counters.quota = self.counters.quota._replace(connections=tuple(names))

    async def set_workspaces(self, workspaces: Mapping[str, str]) -> list[str]:
        """Stores the workspace of each connection; returns those that had another one.

        Where daemons deliver to that one by their settings, it is stored once this process acquires the new one.
        """
        self.leases.claims.members.serve(workspaces)
        moved = []
        for name, workspace in workspaces.items():
            number = await self.number(name)
            if await is_assigned_elsewhere(self._reading, number, workspace):
                moved.append(name)
            if not await is_served_elsewhere(self._reading, self.incarnation, name, workspace):
                await assign(self._reading, number, workspace)
        return moved

    async def load_state(self, name: str) -> bytes:
        """Returns a state that `save_state` stored."""
        return await self._reading.fetch_value(LOAD_STATE, name) or b""

    async def save_state(self, name: str, data: bytes) -> None:
        """Stores a state."""
        await self._reading.fetch(SAVE_STATE, name, data)

    # Ending

    def busy_seconds(self) -> float:
        """Returns 0.0: a statement that hangs ends with its deadline, and the daemon goes on without the database."""
        return 0.0

    async def wait_closed(self) -> None:
        """Returns once the spool is closed."""
        await self._closed.wait()

    async def close(self) -> None:
        """Commits all requests that were made, releases the leases and closes the sessions."""
        if self._closed.is_set():
            return
        await self._housekeeping.close()
        await self.fleet.close()
        await self._refusals.close()
        await self._appends.wait_idle()
        with suppress(IntercomdError):
            await self.leases.close()
        for session in self._sessions:
            await session.close()
        self._closed.set()


async def _begin_nothing(_: asyncpg.Connection) -> None:
    """A session of reads fences nothing."""


async def open_spool(
    settings: PostgresqlSettings,
    *,
    on_commit: Callable[[int, float], None] = lambda _rows, _seconds: None,
    on_refusing: Callable[[str], None] = lambda _: None,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    database_time: ReadTime = read_time,
) -> PostgresqlSpool:
    """Opens the spool, creating its schema if it does not exist.

    Args:
        settings: where it is, and how much it may hold.
        on_commit: is called with the rows of each append or settlement, and the seconds until it was confirmed.
        on_refusing: is called with the reason when appends begin to be refused, for lack of room or because the
            database is away or refuses them, and with "" when they are accepted again.
        wall: the clock of this host.
        monotonic: measures how long a generation of the duplicate window has lasted.
        database_time: reads the database's clock, by which `wall` is corrected.

    Raises:
        SpoolUnusable: the database cannot be reached or used.
    """
    spool = PostgresqlSpool(settings, DatabaseClock(wall, database_time), monotonic, on_commit, on_refusing)
    try:
        await spool.start()
    except BaseException:
        await spool.close()
        raise
    return spool
