"""What operators see of the daemons that share a database: read every second."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import asyncpg
import msgspec
from msgspec.structs import replace

from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.fleet.heartbeat import Heartbeat, follow_heartbeats
from intercomd_daemon.fleet.lease import Fence, LeaseRow, Observation, may_claim, observe
from intercomd_daemon.fleet.orders import Answer, OrderKind
from intercomd_daemon.fleet.status import DatabaseHealth, FleetStatus, MemberRow, WorkspaceDelivery, members_of
from intercomd_daemon.spool import record
from intercomd_daemon.spool.postgresql.database_clock import DatabaseClock
from intercomd_daemon.spool.postgresql.leases import Leases
from intercomd_daemon.spool.postgresql.orders import Orders
from intercomd_daemon.spool.postgresql.session import ReadingSession
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

HEALTH_EVERY = 10
"""Polls between two looks at the health of the database, and between two trims."""
_MEMBERS = "SELECT incarnation, daemon_id, version, since, heartbeats, seen, digests FROM members"
_LEASES = """
SELECT l.workspace, l.incarnation, l.epoch, l.renewal, l.timeline, l.daemon_id, l.since, l.reason, l.previous,
    timeline_1() AS current,
    array(SELECT name FROM connections c WHERE c.workspace = l.workspace ORDER BY name) AS names
FROM leases l ORDER BY l.workspace
"""
_REPORTS = """
SELECT c.name, c.paused, l.daemon_id, l.workspace, l.incarnation, r.data FROM connections c
LEFT JOIN leases l ON l.workspace = c.workspace
LEFT JOIN reports r ON r.connection = c.number AND r.incarnation = l.incarnation
"""
# These columns of pg_stat_activity are shown to every role, except for xact_start.
_SNAPSHOTS = """
SELECT coalesce(max(age), 0) AS transactions, coalesce(max(seconds), 0)::float8 AS seconds FROM (
    SELECT age(backend_xmin) AS age, extract(epoch FROM clock_timestamp() - xact_start) AS seconds FROM pg_stat_activity
        WHERE backend_xmin IS NOT NULL AND coalesce(datname, current_database()) = current_database()
    UNION ALL SELECT greatest(age(xmin), age(catalog_xmin)), NULL FROM pg_replication_slots
    UNION ALL SELECT age(transaction), extract(epoch FROM clock_timestamp() - prepared) FROM pg_prepared_xacts
        WHERE database = current_database()
) AS snapshots
"""
FORGOTTEN_SECONDS = 604_800.0
"""A process of which nothing was seen for a week has ended: what it sent last is no longer in doubt."""
_FORGET = """
DELETE FROM daemons WHERE seen < $1 AND NOT EXISTS (SELECT FROM members m WHERE m.incarnation = daemons.incarnation)
"""
_DEAD_ROWS = "SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'intercomd'"


class PostgresqlFleet:
    """The fleet, as one daemon last read it; `spool.fleet.Fleet` documents each method."""

    def __init__(
        self,
        settings: PostgresqlSettings,
        session: ReadingSession,
        leases: Leases,
        clock: DatabaseClock,
        trim: Callable[[asyncpg.Connection], Awaitable[None]],
    ) -> None:
        """`leases` has the clock that cannot be set, and the length of a lease; `trim` is performed now and then."""
        self._settings = settings
        self._session = session
        self._leases = leases
        self._clock = clock
        self._trim = trim
        self.orders = Orders(session, leases, settings.poll_seconds)
        self._digests: Mapping[str, str] = {}
        self._heartbeats: dict[str, Heartbeat] = {}
        self._seen: dict[str, Observation] = {}
        self._begun = 0
        self._sequence: int | None = None
        self._reports: dict[str, ConnectionStatus] = {}
        self._paused: frozenset[str] = frozenset()
        self._on_outcomes: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self._status = FleetStatus(settings.daemon_id)

    def join(self, version: str, digests: Mapping[str, str]) -> None:
        """Sets what other daemons are shown of this one."""
        self._digests = digests
        self._leases.claims.members.describe(version, digests)

    def on_outcomes(self, wake: Callable[[], None]) -> None:
        """Registers what to call when other daemons have committed outcomes."""
        self._on_outcomes = wake

    async def order(self, workspace: str, connection: str, kind: OrderKind, key: int, envelope_id: str) -> Answer:
        """Gives an order to the daemon that delivers a workspace, and waits for its answer."""
        answer = await self.orders.order(workspace, connection, kind, key, envelope_id)
        with suppress(IntercomdError, asyncpg.PostgresError):  # The order is in effect: the next read will show it.
            await self.read()
        return answer

    def status(self) -> FleetStatus:
        """Returns what was last read."""
        return self._status

    def connection_status(self, connection: str) -> ConnectionStatus | None:
        """Returns what the daemon that delivers a connection last reported of it; None: nothing."""
        return self._reports.get(connection)

    def deliverer(self, connection: str) -> str:
        """Returns the daemon that delivers a connection; empty: none does."""
        held = (each for each in self._status.deliveries if each.held and connection in each.connections)
        return next((each.daemon_id for each in held), "")

    def is_paused(self, connection: str) -> bool:
        """Returns whether an operator paused a connection."""
        return connection in self._paused

    async def start(self) -> None:
        """Reads the fleet, and goes on."""
        await self.read()
        self._task = asyncio.create_task(self._run(), name="overview")

    async def _run(self) -> None:
        polls = 0
        while True:
            with suppress(IntercomdError, asyncpg.PostgresError):
                if polls % HEALTH_EVERY == 0:
                    await self._session.perform(self._read_health)
                    await self._session.perform(self._trim)
                    await self._session.perform(self._forget)
                await self.read()
            polls += 1
            await asyncio.sleep(self._settings.poll_seconds)

    async def read(self) -> None:
        """Reads the fleet now, with the row of this daemon as it is."""
        with suppress(IntercomdError, asyncpg.PostgresError):  # While the control session is away, others can be read.
            await self._leases.claims.members.write_heartbeat(self._leases.control, self._leases.clock)
        await self._session.perform(self._read)

    async def _read(self, connection: asyncpg.Connection) -> None:
        members = [
            MemberRow(
                row["incarnation"],
                row["daemon_id"],
                row["version"],
                row["since"],
                row["heartbeats"],
                row["seen"],
                msgspec.json.decode(row["digests"], type=dict[str, str]),
            )
            for row in await connection.fetch(_MEMBERS)
        ]
        now, wall = self._leases.clock(), self._clock.now()
        counts = {each.incarnation: each.heartbeats for each in members}
        ages = {each.incarnation: max(0.0, wall - each.seen) for each in members}
        self._heartbeats = follow_heartbeats(self._heartbeats, counts, now, ages)
        deliveries = [self._delivery(row, now) for row in await connection.fetch(_LEASES)]
        self._status = self._status._replace(
            members=members_of(members, self._heartbeats, self._digests, now, self._leases.terms), deliveries=deliveries
        )
        await self._read_reports(connection)
        sequence = await connection.fetchval("SELECT sequence FROM journal_counter")
        if self._sequence not in {None, sequence}:
            self._on_outcomes()
        self._sequence = sequence

    def _delivery(self, row: asyncpg.Record, now: float) -> WorkspaceDelivery:
        if self._begun != self._session.connections_begun:
            # As for a claimant: the database behind a new session may have lost renewals.
            self._seen, self._begun = {}, self._session.connections_begun
        lease = LeaseRow(Fence(row["incarnation"], row["epoch"]), row["renewal"], row["timeline"])
        seen = observe(self._seen.get(row["workspace"]), lease, row["current"], now)
        self._seen[row["workspace"]] = seen
        return WorkspaceDelivery(
            row["workspace"],
            tuple(row["names"]),
            row["daemon_id"],
            row["since"],
            bool(row["incarnation"]) and not may_claim(seen, "", now, self._leases.terms),
            row["reason"],
            row["previous"],
        )

    async def _read_reports(self, connection: asyncpg.Connection) -> None:
        rows = await connection.fetch(_REPORTS)
        held = {each.workspace for each in self._status.deliveries if each.held}
        reports: dict[str, ConnectionStatus] = {}
        for row in rows:
            # A report that another release wrote may not be readable.
            if row["data"] is not None and row["workspace"] in held and not record.check(row["data"]):
                with suppress(record.RecordDamaged):
                    report = record.unpack(row["data"], ConnectionStatus)
                    reports[row["name"]] = replace(report, delivered_by=row["daemon_id"])
        self._reports = reports
        self._paused = frozenset(row["name"] for row in rows if row["paused"])

    async def _read_health(self, connection: asyncpg.Connection) -> None:
        (snapshots,) = await connection.fetch(_SNAPSHOTS)
        tables = await connection.fetch(_DEAD_ROWS)
        health = DatabaseHealth(
            snapshots["transactions"], snapshots["seconds"], {row["relname"]: row["n_dead_tup"] for row in tables}
        )
        self._status = self._status._replace(database=health)

    async def _forget(self, connection: asyncpg.Connection) -> None:
        """Deletes what processes that ended long ago left."""
        await connection.execute(_FORGET, self._clock.now() - FORGOTTEN_SECONDS)

    async def close(self) -> None:
        """Ends the reads."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
