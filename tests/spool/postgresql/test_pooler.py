"""A pooler that keeps sessions can be used; one that shares them is refused before anything is written."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from database.filled import USERS, filled, sent
from database.pooler import Pooler
from database.server import server
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.connecting import connector, reason_of
from intercomd_daemon.spool.postgresql.database_check import check_database
from intercomd_daemon.spool.postgresql.engine import open_spool
from intercomd_daemon.spool.postgresql.pooler import STATEMENT_LOST, check_sessions_are_kept, connect_kept
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

REFUSED = "does not keep sessions: set its pool_mode to session, or connect to the database directly"


@pytest.fixture
async def through_pooler(url: str) -> AsyncIterator[Callable[..., object]]:
    """Starts a pooler before the database; returns the URL of the spool there."""
    database = url.partition("@/")[2].partition("?")[0]
    async with AsyncExitStack() as stack:

        async def start(*, keeps_sessions: bool) -> str:
            pooler = Pooler(Path(server().folder) / ".s.PGSQL.5432", keeps_sessions=keeps_sessions)
            await stack.enter_async_context(pooler)
            return f"postgresql://intercomd@127.0.0.1:{pooler.port}/{database}?sslmode=disable"

        yield start


async def test_pooler_that_keeps_sessions_can_be_used(through_pooler: Callable[..., object]) -> None:
    url = await through_pooler(keeps_sessions=True)
    assert await check_database(url, "") == ""
    spool = await filled(url)
    assert await spool.append([sent(len(USERS), "eve")])
    await spool.close()


async def test_pooler_that_shares_sessions_is_refused(url: str, through_pooler: Callable[..., object]) -> None:
    pooled = await through_pooler(keeps_sessions=False)
    assert (await check_database(pooled, "")).endswith(REFUSED)
    with pytest.raises(SpoolUnusable, match=REFUSED):
        await open_spool(PostgresqlSettings(url=pooled))
    with pytest.raises(SpoolUnusable, match=REFUSED):
        await connect_kept(connector(PostgresqlSettings(url=pooled)))
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM intercomd.daemons") == 0
    await connection.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 1, 1], [1, 1, 1]), ([1, 2, 1], [2, 1, 2]), ([1, 1, 3], [2, 2, 2]), ([1, 1, 1], [2, 2, 4])],
    ids=["the same", "in turns", "another later", "the other later"],
)
async def test_sessions_of_changing_processes_are_shared(first: list[int], second: list[int]) -> None:
    processes = [iter(first), iter(second)]

    async def fetch(number: int) -> int:
        return next(processes[number])

    with pytest.raises(SpoolUnusable, match=REFUSED):
        await check_sessions_are_kept([lambda _: fetch(0), lambda _: fetch(1)])


@pytest.mark.parametrize("lost", STATEMENT_LOST)
def test_lost_prepared_statement_names_the_pooler(lost: type[asyncpg.PostgresError]) -> None:
    assert reason_of(lost("prepared statement")).endswith(REFUSED)
