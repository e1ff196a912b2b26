"""Deliveries under a lease that another daemon has taken."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement

ALL = (1_000, 1 << 20)


@pytest.mark.parametrize("change", ["epoch = epoch + 1", "incarnation = 'other'"])
async def test_every_commit_is_refused_once_the_lease_has_another_fence(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
    url: str,
    change: str,
) -> None:
    spool = await open_daemon()
    keys = await spool.append([row("a"), row("b", "bob")])
    first, second = await spool.acquire("one"), await spool.acquire("two")
    other = await asyncpg.connect(url)
    await other.execute(f"UPDATE intercomd.leases SET {change}")  # noqa: S608 - a change of this test
    with pytest.raises(LeaseLost):
        await first.settle([Settlement("default", [ended(keys[0], "a")])])
    with pytest.raises(LeaseLost):
        await second.park("default", "c:bob", [keys[1]], 5.0, 1)
    assert await other.fetchval("SELECT count(*) FROM intercomd.log") == 2
    await other.close()


async def test_appends_and_settlements_are_measured(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
) -> None:
    commits: list[tuple[int, float]] = []
    spool = await open_daemon(on_commit=lambda rows, seconds: commits.append((rows, seconds)))
    keys = await spool.append([row("a"), row("b", "bob"), row("c", "eve")])
    outflow = await spool.acquire("one")
    completions = [ended(key, name) for key, name in zip(keys[:2], ("a", "b"), strict=True)]
    await outflow.settle([Settlement("default", completions, [(keys[2], b"progress")])])
    assert [rows for rows, _ in commits] == [3, 3]
    assert all(seconds > 0.0 for _, seconds in commits)
