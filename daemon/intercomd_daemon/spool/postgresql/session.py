"""A session with the database, owned by a task: callers wait for results, never for the driver.

The task performs one job at a time. A job that takes longer than its deadline ends with the connection: the driver's
own cancellation opens another connection and may hang as well.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from intercomd_daemon.errors import IntercomdError, SpoolClosed, SpoolFull

Result = TypeVar("Result")
Job = Callable[[asyncpg.Connection], Awaitable[Any]]

DEADLINE_SECONDS = 10.0
"""For one job; statements take milliseconds."""
CONNECT_SECONDS = 5.0
RETRY_SECONDS_MAX = 2.0
"""Between two attempts to connect."""
JOBS_MAX = 1_000
"""Jobs that wait for the session; further callers wait until there is room."""
AWAY_RETRY_SECONDS = 2.0
_TRANSIENT = ("53", "40", "55", "57")
"""Classes of SQLSTATE: insufficient resources, transaction rollback, object in use, operator intervention."""


class DatabaseAway(SpoolFull):
    """The database cannot be reached, or refused a statement: nothing was committed."""


class AnswerLost(IntercomdError):
    """The connection ended while a statement was on its way: it may have taken effect."""


class CommitWarned(ConnectionError):
    """The server warned while it committed: the commit may not be on the synchronous standby, so it is in doubt."""


def describe(error: Exception) -> str:
    """Returns what went wrong, as text for people."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error) or type(error).__name__


def is_connection_error(error: BaseException) -> bool:
    """Whether an error means that the session is gone."""
    if isinstance(error, asyncpg.PostgresError):
        return isinstance(
            error,
            asyncpg.PostgresConnectionError
            | asyncpg.AdminShutdownError
            | asyncpg.CrashShutdownError
            | asyncpg.CannotConnectNowError
            | asyncpg.IdleInTransactionSessionTimeoutError,
        )
    # An internal error of the driver: the server has said that it ends the session, but not closed it yet.
    return isinstance(
        error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError | ConnectionError
    )


async def within(
    seconds: float, connection: asyncpg.Connection, job: Callable[[asyncpg.Connection], Awaitable[Result]]
) -> Result:
    """Performs a job on a connection; terminates the connection if it takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    working = asyncio.ensure_future(job(connection))
    await asyncio.wait({working}, timeout=seconds)
    if working.done():
        return working.result()
    connection.terminate()
    await asyncio.wait({working}, timeout=CONNECT_SECONDS)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    raise TimeoutError(f"no answer within {seconds:g} s")


def is_transient(error: asyncpg.PostgresError) -> bool:
    """Whether the database refuses a statement only for now."""
    return (error.sqlstate or "").startswith(_TRANSIENT)


class Session:
    """One session of the pool."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        begin: Callable[[asyncpg.Connection], Awaitable[Callable[[], None] | None]],
        on_away: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`begin` is called with each new connection before any job.

        What it returns is called once its commit is certain. `on_away` is called with the reason when the database
        cannot be reached any more, and with "" when it can again.
        """
        self._on_away = on_away
        self._connect = connect
        self._begin = begin
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[Any]]] = asyncio.Queue(JOBS_MAX)
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._warning = ""
        self.deadline_seconds = DEADLINE_SECONDS
        self.connections_begun = 0
        """Connections so far."""
        self.away = ""
        """Why the database cannot be reached; empty if it can."""

    async def start(self) -> None:
        """Connects; raises the error if that fails."""
        self._connection = await self._open()
        self._task = asyncio.create_task(self._run())

    async def perform(self, job: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        """Performs a job and returns its result.

        Raises:
            DatabaseAway: nothing was sent.
            AnswerLost: it may have taken effect.
            SpoolClosed: the session is closed.
        """
        if self._closing:
            raise SpoolClosed
        if self.away:
            raise DatabaseAway(f"the database cannot be reached: {self.away}", AWAY_RETRY_SECONDS)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        await self._jobs.put((job, result))
        return await result

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Performs a statement and returns its rows."""
        return await self.perform(lambda connection: connection.fetch(statement, *values))

    async def fetch_value(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - a value of any column
        """Performs a statement and returns the first value of its first row; None if there is none."""
        return await self.perform(lambda connection: connection.fetchval(statement, *values))

    async def close(self) -> None:
        """Performs what waits, and closes."""
        self._closing = True
        if self._task is not None:
            await self._jobs.put((_last, asyncio.get_running_loop().create_future()))
            await self._task

    async def _run(self) -> None:
        while True:
            job, result = await self._jobs.get()
            if job is _last:
                break
            if not result.cancelled():
                await self._perform(job, result)
        if self._connection is not None:
            self._connection.terminate()

    async def _perform(self, job: Job, result: asyncio.Future[Any]) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            await self._reconnect()
            connection = self._connection
        if connection is None:
            _fail(result, DatabaseAway(f"the database cannot be reached: {self.away}", AWAY_RETRY_SECONDS))
            return
        try:
            done = await self._perform_in_time(connection, job)
        except asyncio.CancelledError as error:
            # The session's own task is never cancelled: the driver cancelled the job.
            await self._lose(connection, error, result)
        except Exception as error:  # noqa: BLE001 - the caller waits for it and raises it
            if is_connection_error(error):
                await self._lose(connection, error, result)
            else:
                _fail(result, error)
        else:
            if not result.cancelled():
                result.set_result(done)

    async def _lose(self, connection: asyncpg.Connection, error: BaseException, result: asyncio.Future[Any]) -> None:
        """Ends a connection whose job may have taken effect, and begins the next one."""
        connection.terminate()
        lost = AnswerLost(f"the database did not answer: {error!r}")
        lost.__cause__ = error
        _fail(result, lost)
        await self._reconnect()

    async def _open(self) -> asyncpg.Connection:
        """Connects and begins."""
        connection = await self._connect()
        try:
            connection.add_log_listener(self._on_log)
            on_begun = await self._perform_in_time(connection, self._begin)
        except BaseException:
            connection.terminate()
            raise
        if on_begun is not None:
            on_begun()
        self.connections_begun += 1
        return connection

    async def _perform_in_time(
        self, connection: asyncpg.Connection, job: Callable[[asyncpg.Connection], Awaitable[Result]]
    ) -> Result:
        """Performs a job within the deadline; raises CommitWarned if the server warned meanwhile."""
        self._warning = ""
        result = await within(self.deadline_seconds, connection, job)
        if self._warning:
            raise CommitWarned(self._warning)
        return result

    def _on_log(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        # A wait for a synchronous standby that ends early commits nevertheless, with a WARNING: "The transaction has
        # already committed locally, but might not have been replicated to the standby."
        # The driver calls this before it returns the statement's result, as the server sends the warning first.
        # One for the shutdown of the server has the class of that error.
        if isinstance(message, asyncpg.PostgresWarning | asyncpg.PostgresError):
            self._warning = str(message)

    async def _reconnect(self) -> None:
        """Connects again; while that fails, jobs fail at once and new attempts follow."""
        pause = 0.05
        while True:
            try:
                self._connection = await self._open()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported to the callers, and tried again
                reason = describe(error)
                if not self.away:
                    self._on_away(reason)
                self.away = reason
                self._connection = None
                self._fail_waiting()
            else:
                if self.away:
                    self._on_away("")
                self.away = ""
                return
            if self._closing:
                return
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads the attempts of a fleet
            pause = min(2 * pause, RETRY_SECONDS_MAX)

    def _fail_waiting(self) -> None:
        last = False
        while not self._jobs.empty():
            job, result = self._jobs.get_nowait()
            last = last or job is _last
            _fail(result, DatabaseAway(f"the database cannot be reached: {self.away}", AWAY_RETRY_SECONDS))
        if last:
            self._jobs.put_nowait((_last, asyncio.get_running_loop().create_future()))


class ReadingSession(Session):
    """A session of statements that may be repeated: whatever the database failed at, the caller may try again."""

    async def perform(self, job: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        """Performs a job and returns its result.

        Raises:
            DatabaseAway: the database did not answer, or refuses for now.
            SpoolClosed: the session is closed.
        """
        try:
            return await super().perform(job)
        except AnswerLost as error:
            raise DatabaseAway(str(error), AWAY_RETRY_SECONDS) from error
        except asyncpg.PostgresError as error:
            if is_transient(error):
                raise DatabaseAway(f"the database refuses: {error}", AWAY_RETRY_SECONDS) from error
            raise


async def _last(_: asyncpg.Connection) -> None:
    """Marks the end of the jobs."""


def _fail(result: asyncio.Future[Any], error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)
        result.exception()  # A caller that is gone must not make the loop report it.
