"""Appends: one statement on its way at a time, which takes every request that waits.

When the answer of a statement is lost, the next session of the daemon fences the old one and reads what committed; only
then do the callers get their answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import CommitUnknown, RetryLater, SecondsTaken, SpoolFull
from intercomd_daemon.fleet.in_doubt import Committed, DaemonRow, Sent, appended
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.function_call import function_call
from intercomd_daemon.spool.postgresql.intake_state import IntakeState
from intercomd_daemon.spool.postgresql.session import AWAY_RETRY_SECONDS, AnswerLost, DatabaseAway, Session
from intercomd_daemon.spool.quota import RETRY_SECONDS, row_bytes, weigh
from intercomd_daemon.spool.rows import Incoming

GROUP_ROWS_MAX = 2_000
GROUP_BYTES_MAX = 4 << 20
"""A statement takes requests up to these sums, but at least one."""
WAITING_BYTES_MAX = 32 << 20
"""Rows that wait for the statement on its way, as in the SQLite engine's queue."""
IN_DOUBT_SECONDS = 10.0
"""A caller waits this long to learn what became of its append; then its result is unknown."""
_SECONDS_TAKEN = "IC003"
_DISK_FULL = "53100"


class _Request(NamedTuple):
    rows: Sequence[Incoming]
    forwarded: Forwarded | None
    size: int
    keys: asyncio.Future[list[int]]


class AppendQueue:
    """The requests that wait, and the session that appends them."""

    def __init__(
        self,
        incarnation: str,
        daemon_id: str,
        counters: Counters,
        wall: Callable[[], float],
        on_append: Callable[[set[tuple[str, Priority]]], None],
        on_commit: Callable[[int, float], None],
        state: IntakeState,
    ) -> None:
        """`on_append` is called with the logs that grew, `on_commit` with the rows and seconds of each commit."""
        self._state = state
        self._incarnation = incarnation
        self._daemon_id = daemon_id
        self._counters = counters
        self._wall = wall
        self._on_append = on_append
        self._on_commit = on_commit
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._row = DaemonRow(0, 0)
        self._results: list[int] = []
        self._began = asyncio.Event()
        self.in_doubt_seconds = IN_DOUBT_SECONDS
        self.session: Session

    async def begin(self, connection: asyncpg.Connection) -> Callable[[], None]:
        """Begins a session: fences the one before, and reads what committed.

        That is certain only once this commit is: then the standby has what it read, too.
        """
        statement = "SELECT session, number, results FROM begin_session_1($1, 'append', $2, $3)"
        (row,) = await connection.fetch(statement, self._incarnation, self._daemon_id, self._wall())

        def begun() -> None:
            self._row, self._results = DaemonRow(row["session"], row["number"]), row["results"]
            self._began.set()

        return begun

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None) -> list[int]:
        """Appends the rows of a request; see `base.Intake`."""
        size = sum(row_bytes(row.data) for row in rows)
        if self._waiting_bytes + size > WAITING_BYTES_MAX and self._waiting:
            message = f"{self._waiting_bytes} bytes of appends wait for the database, limit {WAITING_BYTES_MAX}"
            raise SpoolFull(f"{message}: retry later", 1.0)
        request = _Request(rows, forwarded, size, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._waiting_bytes += size
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await request.keys

    def session_number(self) -> int:
        """Returns the number of the session, by which statements of it are fenced."""
        return self._row.session

    async def wait_idle(self) -> None:
        """Waits until no append waits."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft()]
            rows, size = len(group[0].rows), group[0].size
            while (
                self._waiting
                and rows + len(self._waiting[0].rows) <= GROUP_ROWS_MAX
                and (size + self._waiting[0].size <= GROUP_BYTES_MAX)
            ):
                group.append(self._waiting.popleft())
                rows, size = rows + len(group[-1].rows), size + group[-1].size
            self._waiting_bytes -= size
            await self._append_group(group)

    async def _append_group(self, group: list[_Request]) -> None:
        """Appends requests together; if they do not all fit, or one is refused, each by itself."""
        rows = [row for request in group for row in request.rows]
        time = asyncio.get_running_loop().time
        started = time()
        try:
            keys = await self._send(rows, group)
        except Exception as error:  # noqa: BLE001 - the callers wait for it and raise it
            if len(group) > 1 and isinstance(error, RetryLater) and not isinstance(error, DatabaseAway):
                for request in group:
                    await self._append_group([request])
                return
            if _is_refusal(error):
                self._state.refused(str(error))
            for request in group:
                if not request.keys.done():
                    request.keys.set_exception(error)
            return
        start = 0
        for request in group:
            if not request.keys.done():
                request.keys.set_result(keys[start : start + len(request.rows)])
            start += len(request.rows)
        if rows:
            self._state.accepted()
        self._on_commit(len(rows), time() - started)
        self._count(rows, keys)

    def _count(self, rows: Sequence[Incoming], keys: Sequence[int]) -> None:
        grown: set[tuple[str, Priority]] = set()
        now = self._wall()
        for row, key in zip(rows, keys, strict=True):
            if key:
                number = self._counters.number(row.connection)
                self._counters.count(number, row.priority, 1, row_bytes(row.data), now)
                grown.add((row.connection, row.priority))
        if grown:
            self._on_append(grown)

    async def _send(self, rows: Sequence[Incoming], group: list[_Request]) -> list[int]:
        if rows and (refusal := self._counters.refusal(weigh(rows))):
            raise SpoolFull(refusal, RETRY_SECONDS)
        for name in {row.connection for row in rows} - self._counters.numbers.keys():
            number = await self.session.fetch_value("SELECT connection_1($1)", name)
            self._counters.numbers[name], self._counters.names[number] = number, name
        sent: Sent | None = None
        arguments = self._arguments(rows, group)

        async def send(connection: asyncpg.Connection) -> list[int]:
            nonlocal sent
            sent = Sent(self._row.session, self._row.append + 1)
            self._began.clear()
            statement, values = function_call(
                "append_1",
                the_incarnation=self._incarnation,
                the_session=sent.session,
                the_number=sent.append,
                now=self._wall(),
                **arguments,
            )
            keys: list[int] = await connection.fetchval(statement, *values)
            self._row = self._row._replace(append=sent.append)
            return keys

        try:
            return await self.session.perform(send)
        except AnswerLost as error:
            return await self._settle_doubt(sent, error)
        except asyncpg.PostgresError as error:
            if error.sqlstate == _SECONDS_TAKEN:
                pairs = [each.split(" ") for each in (error.detail or "").split(",")]
                raise SecondsTaken([(int(key), int(owner)) for key, owner in pairs]) from error
            if error.sqlstate == _DISK_FULL:
                raise SpoolFull(f"the database's disk is full: {error}", RETRY_SECONDS) from error
            raise DatabaseAway(f"the database refuses: {error}", AWAY_RETRY_SECONDS) from error

    async def _settle_doubt(self, sent: Sent | None, error: AnswerLost) -> list[int]:
        """Waits for the next session, and returns the keys if the append committed.

        Raises:
            DatabaseAway: it did not.
            CommitUnknown: no session began in time.
        """
        if sent is None:
            raise DatabaseAway(str(error), AWAY_RETRY_SECONDS) from error
        try:
            async with asyncio.timeout(self.in_doubt_seconds):
                while appended(sent, self._row) is Committed.UNKNOWN:
                    await self._began.wait()
                    if appended(sent, self._row) is Committed.UNKNOWN:
                        self._began.clear()
        except TimeoutError:
            text = "the database did not answer, so it is unknown whether it accepted the envelopes"
            raise CommitUnknown(f"{text}: send them again with the same ids") from error
        if appended(sent, self._row) is Committed.YES:
            return self._results
        text = "the connection to the database broke before the envelopes were accepted: send them again"
        raise DatabaseAway(text, 1.0) from error

    def _arguments(self, rows: Sequence[Incoming], group: list[_Request]) -> dict[str, list[object]]:
        """Returns the arguments of `append_1` that describe the rows: an array for each column."""
        seconds = [(place, *pair) for place, row in enumerate(rows, 1) for pair in row.seconds]
        start, forwards = 1, []
        for request in group:
            if request.forwarded is not None:
                forwards.append((request.forwarded, start, start + len(request.rows) - 1))
            start += len(request.rows)
        return {
            "row_connections": [self._counters.number(row.connection) for row in rows],
            "row_bulk": [row.priority is Priority.BULK for row in rows],
            "row_lanes": [row.lane.encode() for row in rows],
            "row_ids": [row.envelope_id.encode() for row in rows],
            "lane_hashes": [fingerprint(row.lane) for row in rows],
            "email_hashes": [fingerprint(row.email) for row in rows],
            "id_hashes": [fingerprint(row.envelope_id) for row in rows],
            "row_recognised": [row.recognised for row in rows],
            "row_data": [row.data for row in rows],
            "second_rows": [place for place, _, _ in seconds],
            "second_keys": [key for _, key, _ in seconds],
            "second_owners": [owner for _, _, owner in seconds],
            "f_callers": [each.caller.encode() for each, _, _ in forwards],
            "f_agents": [each.agent_id.encode() for each, _, _ in forwards],
            "f_connections": [each.connection.encode() for each, _, _ in forwards],
            "f_sequences": [each.sequence for each, _, _ in forwards],
            "f_data": [each.data for each, _, _ in forwards],
            "f_first": [first for _, first, _ in forwards],
            "f_last": [last for _, _, last in forwards],
        }


def _is_refusal(error: Exception) -> bool:
    """Whether an append was refused for lack of room, or by the database; a session that is lost reports itself."""
    by_database = isinstance(error, DatabaseAway) and isinstance(error.__cause__, asyncpg.PostgresError)
    return by_database or isinstance(error, SpoolFull)


async def read_forwarded(connection: asyncpg.Connection, key: tuple[str, str, str], since: float) -> Forwarded | None:
    """Returns the record of an agent and connection that was used after `since`."""
    row = await connection.fetchrow(
        "SELECT sequence, data, duplicates FROM forwarded"
        " WHERE caller = $1 AND agent_id = $2 AND connection = $3 AND used_at > $4",
        *(text.encode() for text in key),
        since,
    )
    return Forwarded(*key, row["sequence"], row["data"], tuple(row["duplicates"])) if row else None
