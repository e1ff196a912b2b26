"""A session: jobs in order, failures told apart, a new connection after each break."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from intercomd_daemon.errors import ShuttingDown
from intercomd_daemon.spool.postgresql.session import JOBS_MAX, AnswerLost, DatabaseAway, Session


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
    session.deadline_seconds = 0.2
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_sleep(60)")
    assert await session.fetch_value("SELECT pg_backend_pid()") != first
    await session.close()


async def test_connection_that_does_not_begin_in_time_is_replaced(url: str) -> None:
    pids: list[int] = []
    replaced = asyncio.Event()

    async def begin(connection: asyncpg.Connection) -> Callable[[], None] | None:
        pids.append(await connection.fetchval("SELECT pg_backend_pid()"))
        if len(pids) == 2:
            await connection.fetchval("SELECT pg_sleep(60)")
        return replaced.set if len(pids) == 3 else None

    session = Session(lambda: asyncpg.connect(url), begin)
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

    session = Session(connect, nothing, reports.append)
    await session.start()
    with pytest.raises(AnswerLost):
        await session.fetch_value("SELECT pg_terminate_backend(pg_backend_pid())")
    while reports != ["no host accepts writes", ""]:
        with suppress(DatabaseAway):
            await session.fetch_value("SELECT 1")
    await session.close()
