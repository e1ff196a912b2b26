"""The deliveries of a workspace while this process holds its lease."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NoReturn, Protocol, TypeVar

import asyncpg

from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.fleet.orders import Answer, Order
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import log_end
from intercomd_daemon.spool.postgresql import reading
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.fleet import PostgresqlFleet
from intercomd_daemon.spool.postgresql.function_call import function_call
from intercomd_daemon.spool.postgresql.leases import HeldLease, Leases
from intercomd_daemon.spool.postgresql.session import AnswerLost, DatabaseAway, Session, is_transient
from intercomd_daemon.spool.postgresql.settle import Holder, settle
from intercomd_daemon.spool.rows import PacingState, RowPage, Settlement

Result = TypeVar("Result")
MOVED_MAX = 2_048
"""Rows that one read moves to their parked lanes while it meets no others, as in the SQLite engine."""
LOAD_STATE = "SELECT data FROM states WHERE name = $1"
SAVE_STATE = "INSERT INTO states VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
REPEAT_SECONDS = 1.0
"""A statement that the database refuses for now (a full disk, a lock) is repeated after this time."""


class LeasingEngine(Protocol):
    """What the engine does for the outflows of its workspaces."""

    counters: Counters
    fleet: PostgresqlFleet
    leases: Leases
    settling: Session
    """The session that every statement of an outflow goes over."""
    wakes: dict[str, Callable[[Priority], None]]
    """What to call after an append, by connection."""
    on_commit: Callable[[int, float], None]
    """Takes the rows and seconds of a commit."""

    def now(self) -> float:
        """Returns Unix seconds by the clock of all daemons."""
        ...

    def holder(self, workspace: str, epoch: int) -> Holder:
        """Returns the fence of a statement on the settling session."""
        ...

    async def number(self, name: str) -> int:
        """Returns the number of a connection, which it gets if it has none."""
        ...

    def refuse_if_closed(self) -> None:
        """Raises SpoolClosed once the spool is closed."""
        ...


class PostgresqlOutflow:
    """The deliveries of a workspace; `base.Outflow` documents each method."""

    def __init__(self, spool: LeasingEngine, holding: HeldLease) -> None:
        """The holding is this outflow's until `release`."""
        self._spool = spool
        self._holding = holding
        self._released = asyncio.Event()

    @property
    def unclean(self) -> bool:
        """Whether calls of a previous owner may still arrive: it did not release the workspace."""
        return self._holding.unclean

    def check_held(self) -> None:
        """Raises LeaseLost unless a call may leave now."""
        if self._released.is_set():
            raise LeaseLost(f"the workspace {self._holding.workspace} was released")
        self._spool.refuse_if_closed()
        self._holding.check(self._spool.leases.clock())

    async def _deliver(self, job: Callable[[asyncpg.Connection, Holder], Awaitable[Result]]) -> Result:
        """Performs a statement under the lease's fence; raises LeaseLost if its commit is not certain."""
        while True:
            self.check_held()
            fence = self._holding.lease.fence

            # `holder` reads the session's number when the statement leaves: another session may have begun by then.
            async def perform(connection: asyncpg.Connection, epoch: int = fence.epoch) -> Result:
                return await job(connection, self._spool.holder(self._holding.workspace, epoch))

            try:
                return await self._spool.settling.perform(perform)
            except (AnswerLost, DatabaseAway):
                # A new session, or the end of the lease, ends the holding.
                await self._holding.lost.wait()
                self._holding.raise_lost()
            except asyncpg.PostgresError as error:
                state = error.sqlstate or ""
                if state in {"IC001", "IC002"}:
                    self._holding.lose(str(error))
                    self._holding.raise_lost()
                if not is_transient(error):
                    raise
                await asyncio.sleep(REPEAT_SECONDS)

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a log."""

        async def read(session: asyncpg.Connection, holder: Holder) -> RowPage:
            counters, now = self._spool.counters, self._spool.now()
            number, position, moved = counters.number(connection), after, 0
            start, end = counters.head(number, priority), log_end(number, priority)
            lanes: set[str] = set()
            while True:
                page = await reading.read_log(
                    session, number, connection, max(position, start), end, rows_max, bytes_max, now
                )
                if page.parked:
                    statement = "SELECT move_1($1, $2, $3, $4, $5, $6)"
                    await session.execute(statement, *holder, number, page.parked)
                position = page.after if page.rows or page.parked or page.corrupt else position
                moved += len(page.parked)
                lanes |= page.parked_lanes
                if page.rows or page.corrupt or not page.parked or moved >= MOVED_MAX:
                    break
            return await self._row_page(session, holder, number, page._replace(after=position), frozenset(lanes))

        return await self._deliver(read)

    async def _row_page(
        self,
        session: asyncpg.Connection,
        holder: Holder,
        number: int,
        page: reading.Page,
        moved: frozenset[str],
        attempts: int = 0,
    ) -> RowPage:
        """Returns the rows of a read as a page; corrupt rows are quarantined and completed."""
        outcomes: list[Outcome] = []
        if page.completions:
            name = page.completions[0].outcome.connection
            keys = [each.key for each in page.completions]
            await session.execute(
                "INSERT INTO damaged (place, key, lane, reason, data) SELECT 'waiting', key, lane, 'corrupt', data"
                " FROM (SELECT key, lane, data FROM log UNION ALL SELECT key, lane, data FROM parked) AS r"
                " WHERE key = ANY ($1)",
                keys,
            )
            settlement = Settlement(name, page.completions)
            outcomes = await settle(session, holder, self._spool.counters, [settlement], self._spool.now())
        contacts = await reading.read_contacts(session, number, {row.lane for row in page.rows})
        return RowPage(page.rows, contacts, page.after, attempts, tuple(page.corrupt), tuple(outcomes), moved)

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits settlements and returns the new outcomes."""
        if not settlements:
            self.check_held()
            return []
        for settlement in settlements:
            await self._spool.number(settlement.connection)
        time = asyncio.get_running_loop().time
        started = time()
        outcomes = await self._deliver(
            lambda session, holder: settle(session, holder, self._spool.counters, settlements, self._spool.now())
        )
        rows = sum(len(settlement.completions) + len(settlement.progress) for settlement in settlements)
        self._spool.on_commit(rows, time() - started)
        return outcomes

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Parks a lane until `due`."""
        self.check_held()
        number = await self._spool.number(connection)

        async def park(session: asyncpg.Connection, holder: Holder) -> int:
            statement, values = function_call(
                "park_1",
                **holder.arguments(),
                the_connection=number,
                the_lane=lane.encode(),
                keys=list(keys),
                the_due=due,
                the_attempts=attempts,
            )
            more: int = await session.fetchval(statement, *values)
            return more

        more = await self._deliver(park)
        self._spool.counters.of(number).parked_lanes += more

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """Returns the parked lanes due by `now`, and when the next one is due."""
        number = self._spool.counters.number(connection)
        statement = "SELECT lane, due FROM lanes WHERE connection = $1 ORDER BY due, lane LIMIT $2"
        found = await self._deliver(lambda session, _: session.fetch(statement, number, lanes_max + 1))
        ready = [row["lane"].decode() for row in found[:lanes_max] if row["due"] <= now]
        return ready, found[len(ready)]["due"] if len(ready) < len(found) else 0.0

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a parked lane."""

        async def read(session: asyncpg.Connection, holder: Holder) -> RowPage:
            number = self._spool.counters.number(connection)
            now = self._spool.now()
            page = await reading.read_parked(session, number, connection, lane, after, rows_max, bytes_max, now)
            key = (number, lane.encode())
            attempts = await session.fetchval("SELECT attempts FROM lanes WHERE connection = $1 AND lane = $2", *key)
            if not after and not page.after:
                less = await session.fetchval("SELECT unpark_1($1, $2, $3, $4, $5, $6)", *holder, *key)
                if less:
                    self._spool.counters.of(number).parked_lanes -= less
            return await self._row_page(session, holder, number, page, frozenset(), attempts or 0)

        return await self._deliver(read)

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers the callback for commits that append rows to a log of the connection."""
        self.check_held()
        self._spool.wakes[connection] = wake

    async def wait_lost(self) -> NoReturn:
        """Waits for the loss of the lease, or for the release."""
        waits = {asyncio.ensure_future(event.wait()) for event in (self._released, self._holding.lost)}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.check_held()
        raise AssertionError  # `check_held` raises after either event

    async def orders(self, known: Collection[int]) -> list[Order]:
        """Waits for orders of operators."""
        self.check_held()
        return await self._spool.fleet.orders.pending(self._holding.workspace, known)

    async def answer(self, order: Order, answer: Answer) -> None:
        """Stores what became of an order, under the lease's fence."""
        fence = self._holding.lease.fence
        values = (fence.incarnation, self._holding.workspace, fence.epoch, order.number, *answer)
        await self._deliver(lambda session, _: session.execute("SELECT answer_1($1, $2, $3, $4, $5, $6)", *values))

    async def report(self, statuses: Mapping[str, ConnectionStatus]) -> None:
        """Shows the statuses of the connections to all daemons."""
        fence, numbers = self._holding.lease.fence, [await self._spool.number(name) for name in statuses]
        data = [record.pack(status) for status in statuses.values()]
        values = (fence.incarnation, self._holding.workspace, fence.epoch, numbers, data)
        await self._deliver(lambda session, _: session.execute("SELECT report_1($1, $2, $3, $4, $5)", *values))

    async def wait_asked(self) -> None:
        """Returns when another process is to deliver the workspace."""
        await self._holding.asked.wait()

    def report_trouble(self, *, troubled: bool) -> None:
        """Notes whether this process can deliver."""
        if not troubled:
            self._holding.troubled_since = None
        elif self._holding.troubled_since is None:
            self._holding.troubled_since = self._spool.leases.clock()

    async def release(self) -> None:
        """Gives the workspace up."""
        if not self._released.is_set():
            self._released.set()
            await self._spool.leases.release(self._holding)

    async def load_state(self, name: str) -> bytes:
        """Returns a state."""
        return await self._deliver(lambda session, _: session.fetchval(LOAD_STATE, name)) or b""

    async def save_state(self, name: str, data: bytes) -> None:
        """Saves a state."""
        await self._deliver(lambda session, _: session.execute(SAVE_STATE, name, data))

    async def save_pacing(self, state: PacingState) -> None:
        """Saves what was learned of the workspace's budget."""
        values = (self._holding.workspace, *self._holding.lease.fence, *state)
        await self._deliver(
            lambda session, _: session.execute(
                "UPDATE leases SET pacing_limit = $4, window_ends = $5, calls_used = $6, reset = $7"
                " WHERE workspace = $1 AND incarnation = $2 AND epoch = $3",
                *values,
            )
        )

    async def load_pacing(self) -> PacingState | None:
        """Returns the state that was saved last."""
        statement = "SELECT pacing_limit, window_ends, calls_used, reset FROM leases WHERE workspace = $1"
        row = await self._deliver(lambda session, _: session.fetchrow(statement, self._holding.workspace))
        if row is None or row["window_ends"] <= self._spool.now():
            return None
        return PacingState(*row)
