"""Daemons that share one database; their clocks for leases change only when a test sets them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace

import pytest

from database.server import database_time, spool_url
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


@pytest.fixture
def url() -> str:
    """A new, empty spool."""
    return spool_url()


@pytest.fixture
async def open_daemon(url: str, clock: SimpleNamespace) -> AsyncIterator[Callable[..., Awaitable[PostgresqlSpool]]]:
    """Opens the spool for one more daemon."""
    opened: list[PostgresqlSpool] = []

    async def make(
        *,
        on_refusing: Callable[[str], None] = lambda _: None,
        on_commit: Callable[[int, float], None] = lambda _rows, _seconds: None,
        **settings: object,
    ) -> PostgresqlSpool:
        configured = PostgresqlSettings(**{"url": url, "daemon_id": f"daemon-{len(opened)}", **settings})
        spool = await open_spool(
            configured,
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
            database_time=database_time(lambda: clock.wall),
            on_refusing=on_refusing,
            on_commit=on_commit,
        )
        spool.leases.clock = lambda: clock.monotonic
        opened.append(spool)
        return spool

    yield make
    for spool in opened:
        await spool.close()
