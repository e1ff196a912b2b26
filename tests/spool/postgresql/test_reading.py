"""Pages of a log: rows of parked lanes move, corrupt rows end, progress that is corrupt is left out."""

from collections.abc import Awaitable, Callable

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool import record
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.outflow import MOVED_MAX
from intercomd_daemon.spool.rows import Incoming, Settlement


async def test_corrupt_progress_is_left_out(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]], row: Callable[..., Incoming], url: str
) -> None:
    spool = await open_daemon()
    (key,) = await spool.append([row("a")])
    outflow = await spool.acquire("w")
    await outflow.settle([Settlement("default", progress=[(key, record.pack(row("half")))])])
    other = await asyncpg.connect(url)
    await other.execute("UPDATE intercomd.progress SET data = data || 'x'")
    await other.close()
    batch = await outflow.read("default", Priority.NORMAL, 0, 10, 1 << 20)
    assert [each.progress for each in batch.rows] == [b""]


async def test_read_moves_a_bounded_number_of_rows(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]], row: Callable[..., Incoming]
) -> None:
    spool = await open_daemon()
    outflow = await spool.acquire("w")
    await outflow.park("default", "c:ann", [], 5.0, 1)
    for start in range(0, MOVED_MAX + 500, 500):
        keys = await spool.append([row(str(number)) for number in range(start, start + 500)])
    batch = await outflow.read("default", Priority.NORMAL, 0, 500, 1 << 20)
    assert (batch.rows, batch.moved) == ([], {"c:ann"})
    assert batch.after < keys[-1]
    batch = await outflow.read("default", Priority.NORMAL, batch.after, 500, 1 << 20)
    assert batch.after == keys[-1]
