"""A session: jobs in order, failures told apart, a new connection after each break."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from intercomd_daemon.errors import ShuttingDown
from intercomd_daemon.spool.postgresql.connecting import connector
from intercomd_daemon.spool.postgresql.session import (
    JOBS_MAX,
    AnswerLost,
    DatabaseAway,
    ReadingSession,
    Session,
    describe,
)
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def nothing(_: asyncpg.Connection) -> None:
    """Begins a session."""


def session_of(url: str) -> Session:
    def connect() -> Awaitable[asyncpg.Connection]:
        return asyncpg.connect(url)

    return Session(connect, nothing)


async def test_session_connects_again_after_its_connection_ended(url: str) -> None:
    session = session_of(url)
    await session.start()
    first = await session.fetch_value("SELECT pg_backend_pid()")
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await session.fetch_value("SELECT pg_backend_pid()") != first
    with pytest.raises(asyncpg.DivisionByZeroError):
        await session.fetch_value("SELECT 1 / 0")
    assert await session.fetch("SELECT 1 WHERE false") == []
    await session.close()
    with pytest.raises(ShuttingDown):
        await session.fetch_value("SELECT 1")


@pytest.mark.fills("spool.postgresql.session.JOBS_MAX")
async def test_callers_wait_while_too_many_jobs_wait(url: str) -> None:
    session = session_of(url)
    await session.start()
    asked = [asyncio.create_task(session.fetch_value("SELECT 1")) for _ in range(JOBS_MAX + 1)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert session._jobs.maxsize == JOBS_MAX
    assert set(await asyncio.gather(*asked)) == {1}
    await session.close()


async def test_job_past_its_deadline_ends_the_connection(url: str) -> None:
    session = session_of(url)
    await session.start()
    first = await session.fetch_value("SELECT pg_backend_pid()")
    usual, session.deadline_seconds = session.deadline_seconds, 0.2
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_sleep(60)")
    session.deadline_seconds = usual
    assert await session.fetch_value("SELECT pg_backend_pid()") != first
    await session.close()


async def test_connection_that_does_not_begin_in_time_is_replaced(url: str) -> None:
    pids: list[int] = []
    replaced = asyncio.Event()

    async def begin(connection: asyncpg.Connection) -> Callable[[], None] | None:
        pids.append(await connection.fetchval("SELECT pg_backend_pid()"))
        if len(pids) == 2:
            await connection.fetchval("SELECT pg_sleep(60)")
        session.deadline_seconds = usual
        return replaced.set if len(pids) > 2 else None

    session = Session(lambda: asyncpg.connect(url), begin)
    usual = session.deadline_seconds
    await session.start()
    session.deadline_seconds = 0.5
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_terminate_backend(pg_backend_pid())")
    await replaced.wait()
    assert await session.fetch_value("SELECT pg_backend_pid()") == pids[-1]
    await session.close()


async def test_warning_of_the_server_makes_a_commit_uncertain(url: str) -> None:
    session = session_of(url)
    await session.start()
    first = await session.fetch_value("SELECT pg_backend_pid()")
    statement = "DO $$ BEGIN RAISE {} 'the standby'; END $$"
    await session.fetch(statement.format("NOTICE"))
    assert await session.fetch_value("SELECT pg_backend_pid()") == first
    with pytest.raises(AnswerLost, match="the standby"):
        await session.fetch(statement.format("WARNING"))
    assert await session.fetch_value("SELECT pg_backend_pid()") != first
    await session.close()


async def test_session_reports_once_that_the_database_is_away_and_that_it_is_back(url: str) -> None:
    reports: list[str] = []
    attempts = 0

    async def connect() -> asyncpg.Connection:
        nonlocal attempts
        attempts += 1
        if attempts in {2, 3}:
            raise ConnectionError("no host accepts writes")
        return await asyncpg.connect(url)

    back = asyncio.Event()

    def report(reason: str) -> None:
        reports.append(reason)
        if not reason:
            back.set()

    session = Session(connect, nothing, report)
    await session.start()
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_terminate_backend(pg_backend_pid())")
    async with asyncio.timeout(60):
        await back.wait()
    assert reports == ["no host accepts writes", ""]
    assert await session.fetch_value("SELECT 1") == 1
    await session.close()


async def test_read_whose_answer_is_lost_or_refused_may_be_repeated(url: str) -> None:
    """Operators' calls end as UNAVAILABLE, and the session goes on."""
    session = ReadingSession(connector(PostgresqlSettings(url=url)), nothing)
    await session.start()
    pid = await session.fetch_value("SELECT pg_backend_pid()")
    sleeping = asyncio.create_task(session.fetch("SELECT pg_sleep(60)"))
    other = await asyncpg.connect(url)
    while not await other.fetchval("SELECT query LIKE '%pg_sleep%' FROM pg_stat_activity WHERE pid = $1", pid):
        assert not sleeping.done(), "it was not seen while it slept"
    await other.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(DatabaseAway):
        await sleeping
    lock = other.transaction()
    await lock.start()
    await other.execute("LOCK TABLE intercomd.connections")
    with pytest.raises(DatabaseAway, match="refuses"):
        await session.perform(wait_for_lock)
    await lock.rollback()
    with pytest.raises(asyncpg.UndefinedTableError):
        await session.fetch("SELECT FROM missing")
    assert await session.fetch_value("SELECT 1") == 1
    await other.close()
    await session.close()


async def wait_for_lock(connection: asyncpg.Connection) -> None:
    await connection.execute("SET lock_timeout = '50ms'")
    await connection.execute("SELECT FROM connections")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "no answer in time"),
        (TimeoutError("no answer within 5 s"), "no answer within 5 s"),
        (ConnectionResetError(), "ConnectionResetError"),
        (OSError(111, "Connection refused"), "[Errno 111] Connection refused"),
    ],
)
def test_error_is_described_for_people(error: Exception, text: str) -> None:
    assert describe(error) == text
