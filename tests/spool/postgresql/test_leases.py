"""Leases of one workspace between daemons; the rules are explored in `tests/fleet`."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest

from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, Incoming, PacingState, Settlement

Open = Callable[..., Awaitable[PostgresqlSpool]]
WAIT = 0.7
"""Longer than a claimant's pause between two looks."""


async def waits(task: asyncio.Task[object]) -> bool:
    """Whether a task is still waiting after a claimant has looked again."""
    _, pending = await asyncio.wait({task}, timeout=WAIT)
    return bool(pending)


async def test_workspace_is_acquired_at_once_after_its_release(open_daemon: Open) -> None:
    one, two = await open_daemon(), await open_daemon()
    outflow = await one.acquire("w")
    claim = asyncio.create_task(two.acquire("w"))
    assert await waits(claim)
    await outflow.release()
    await (await claim).release()
    assert (await two.acquire("w")).unclean is False


async def test_lease_that_is_not_renewed_is_taken_after_its_length_and_the_margin(
    open_daemon: Open, clock: SimpleNamespace, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    one, two = await open_daemon(), await open_daemon()
    (key,) = await one.append([row("a")])
    outflow = await one.acquire("w")
    await outflow.save_pacing(PacingState(1_000, clock.wall + 10, 5))
    stopped = clock.monotonic
    one.leases.clock = lambda: stopped
    clock.monotonic += 100.0
    claim = asyncio.create_task(two.acquire("w"))
    assert await waits(claim)
    clock.monotonic += 11.9
    assert await waits(claim)
    clock.monotonic += 0.2
    taken = await claim
    assert taken.unclean
    assert await taken.load_pacing() == PacingState(1_000, clock.wall + 10, 5)
    with pytest.raises(LeaseLost):
        await outflow.settle([Settlement("default", [ended(key, "a")])])
    assert len(await taken.settle([Settlement("default", [ended(key, "a")])])) == 1


async def test_holder_stops_two_seconds_before_its_lease_ends(open_daemon: Open, clock: SimpleNamespace) -> None:
    spool = await open_daemon()
    outflow = await spool.acquire("w")
    clock.monotonic += 7.9
    outflow.check_held()
    clock.monotonic += 0.1
    with pytest.raises(LeaseLost):
        outflow.check_held()
    with pytest.raises(LeaseLost):
        await outflow.wait_lost()
    assert await (await spool.acquire("w")).due("default", 0.0, 1) == ([], 0.0), "under a new epoch"


async def test_lease_is_lost_when_a_session_of_its_daemon_ends(open_daemon: Open, url: str) -> None:
    spool = await open_daemon()
    outflow = await spool.acquire("w")
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    with pytest.raises(LeaseLost):
        await outflow.wait_lost()
    with pytest.raises(LeaseLost):
        await outflow.settle([Settlement("default")])
    again = await spool.acquire("w")
    assert await again.settle([Settlement("default")]) == []
