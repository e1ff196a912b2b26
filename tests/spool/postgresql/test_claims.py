"""Workspaces that move from an owner that lives, and who takes a free one; the rules are explored in `tests/fleet`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace

import asyncpg

from daemons.process import WAIT_SECONDS
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool

Open = Callable[..., Awaitable[PostgresqlSpool]]
BOTH = {"default": "w1", "eu": "w2"}
LOOKED = 0.7
"""Longer than the pause between two looks."""


class Probe:
    """A `GET /me` with a chosen result."""

    def __init__(self, *, succeeds: bool = True) -> None:
        self.succeeds = succeeds
        self.made = asyncio.Event()

    async def __call__(self) -> bool:
        self.made.set()
        return self.succeeds


async def moment(seconds: float) -> None:
    """Lets time pass between two looks at what changes elsewhere."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


async def settle(url: str) -> None:
    """Makes both members as old as two leases, once they are there."""
    connection = await asyncpg.connect(url)
    while await connection.execute("UPDATE intercomd.members SET heartbeats = 100") != "UPDATE 2":
        await moment(0.05)
    await connection.close()


async def lease(url: str, workspace: str) -> asyncpg.Record:
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow("SELECT * FROM intercomd.leases WHERE workspace = $1", workspace)
    await connection.close()
    return row


async def waits(task: asyncio.Task[object]) -> bool:
    """Whether a task is still waiting after the next look."""
    _, pending = await asyncio.wait({task}, timeout=LOOKED)
    return bool(pending)


async def test_workspace_moves_to_a_settled_process_that_delivers_fewer(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.set_workspaces(BOTH)
    first, second = await one.acquire("w1"), await one.acquire("w2")
    await two.set_workspaces(BOTH)
    probe = Probe()
    claims = [asyncio.create_task(two.acquire(workspace, probe)) for workspace in ("w1", "w2")]
    assert await waits(claims[0]), "it has just joined"
    assert not probe.made.is_set()
    await settle(url)
    async with asyncio.timeout(WAIT_SECONDS):
        await first.wait_asked()
        assert probe.made.is_set()
        await first.release()
        taken = await claims[0]
    assert not taken.unclean
    row = await lease(url, "w1")
    found = {name: row[name] for name in ("reason", "previous", "daemon_id", "successor")}
    assert found == {"reason": "spread", "previous": "daemon-0", "daemon_id": "daemon-1", "successor": ""}
    assert await waits(claims[1]), "the spread is even"
    second.check_held()
    claims[1].cancel()


async def test_workspace_stays_where_it_is_if_get_me_fails_elsewhere(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.set_workspaces(BOTH)
    owned = [await one.acquire(workspace) for workspace in ("w1", "w2")]
    await two.set_workspaces(BOTH)
    probe = Probe(succeeds=False)
    claim = asyncio.create_task(two.acquire("w1", probe))
    await settle(url)
    async with asyncio.timeout(WAIT_SECONDS):
        await probe.made.wait()
    assert await waits(claim)
    assert (await lease(url, "w1"))["successor"] == ""
    for outflow in owned:
        outflow.check_held()
    claim.cancel()


async def test_owner_that_cannot_deliver_offers_its_workspace(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    for spool in (one, two):
        await spool.set_workspaces({"default": "w1"})
    outflow = await one.acquire("w1")
    outflow.report_trouble(troubled=True)
    outflow.report_trouble(troubled=True)
    outflow._holding.held_since -= 100.0
    outflow._holding.troubled_since -= 100.0
    claim = asyncio.create_task(two.acquire("w1", Probe()))
    await settle(url)
    async with asyncio.timeout(WAIT_SECONDS):
        await outflow.wait_asked()
        await outflow.release()
        await claim
    assert (await lease(url, "w1"))["reason"] == "offered"
    outflow.report_trouble(troubled=False)


async def test_process_without_a_connection_of_the_workspace_does_not_take_it(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.set_workspaces({"default": "w1", "eu": "w1"})
    outflow = await one.acquire("w1")
    await two.set_workspaces({"default": "w1"})
    claim = asyncio.create_task(two.acquire("w1"))
    await settle(url)
    await outflow.release()
    assert await waits(claim)
    async with asyncio.timeout(WAIT_SECONDS):
        await one.close()
        await claim, "the only one left"


async def test_owner_refuses_a_process_whose_request_makes_the_spread_no_better(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    for spool in (one, two):
        await spool.set_workspaces({"default": "w1"})
    outflow = await one.acquire("w1")
    claim = asyncio.create_task(two.acquire("w1", Probe()))
    assert await waits(claim)
    await settle(url)
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE intercomd.leases SET successor = $1", two.incarnation)
    async with asyncio.timeout(WAIT_SECONDS):
        while await connection.fetchval("SELECT successor FROM intercomd.leases"):
            await asyncio.wait({claim}, timeout=LOOKED)
    await connection.close()
    outflow.check_held()
    claim.cancel()


async def test_lease_that_was_claimed_for_nobody_is_released(open_daemon: Open, url: str) -> None:
    """Its claimant was cancelled meanwhile."""
    spool = await open_daemon()
    claims = spool.leases.claims
    claim = asyncio.create_task(spool.acquire("w1"))
    await asyncio.wait({asyncio.create_task(claims.control.fetch("SELECT 1"))})
    claim.cancel()
    await asyncio.wait({claim})
    async with asyncio.timeout(WAIT_SECONDS):
        while (row := await lease(url, "w1")) is not None and row["incarnation"]:
            await moment(LOOKED)
    await (await spool.acquire("w1")).release()


async def test_process_that_stops_leaves_the_fleet(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    for spool in (one, two):
        await (await spool.acquire("w1")).release()
    await two.close()
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT incarnation FROM intercomd.members")
    assert [row["incarnation"] for row in rows] == [one.incarnation]
    await connection.close()


async def test_connection_of_two_workspaces_is_delivered_to_one_at_a_time(open_daemon: Open, url: str) -> None:
    """A second fleet on one database by mistake, or daemons before and after a change of the App ID."""
    one, two = await open_daemon(), await open_daemon()
    assert await one.set_workspaces({"default": "w1"}) == []
    outflow = await one.acquire("w1")
    assert await two.set_workspaces({"default": "w2"}) == ["default"]
    assert await two.set_workspaces({"default": "w2"}) == ["default"], "stored only once it is acquired"
    claim = asyncio.create_task(two.acquire("w2"))
    assert await waits(claim)
    await settle(url)
    assert await waits(claim)
    outflow.check_held()
    await one.close()
    async with asyncio.timeout(WAIT_SECONDS):
        await claim
    assert await two.set_workspaces({"default": "w2"}) == []


async def test_owner_hands_over_a_connection_that_another_workspace_has(
    open_daemon: Open, url: str, clock: SimpleNamespace
) -> None:
    """Its settings were read again, and the workspace that the connection has now was its own already."""
    one = await open_daemon()
    clock.wall += 1.0
    two = await open_daemon()
    await one.set_workspaces({"default": "w1", "eu": "w2"})
    await two.set_workspaces({"default": "w1", "eu": "w2"})
    first, second = await one.acquire("w1"), await two.acquire("w2")
    await two.set_workspaces({"default": "w2", "eu": "w2"})
    async with asyncio.timeout(WAIT_SECONDS):
        await second.wait_asked()
        await second.release()
    first.check_held()
    assert (await lease(url, "w2"))["reason"] == "settings"


async def test_workspace_that_is_not_announced_yet_is_not_claimed(open_daemon: Open) -> None:
    """While settings are read again, its connections are not known."""
    spool = await open_daemon()
    await spool.set_workspaces({"default": "w1"})
    claim = asyncio.create_task(spool.acquire("w2", Probe()))
    assert await waits(claim)
    await spool.set_workspaces({"default": "w2"})
    async with asyncio.timeout(WAIT_SECONDS):
        await claim


async def test_workspace_without_active_connections_is_acquired_for_orders(open_daemon: Open) -> None:
    spool = await open_daemon()
    await spool.set_workspaces({"default": "w1"})
    await spool.acquire("w1", Probe())
    async with asyncio.timeout(WAIT_SECONDS):
        await spool.acquire("w2")


async def test_connection_goes_on_while_another_one_changes_to_its_workspace(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.set_workspaces(BOTH)
    first, second = await one.acquire("w1", Probe()), await one.acquire("w2", Probe())
    await two.set_workspaces({"default": "w1", "eu": "w1"})
    await settle(url)
    claim = asyncio.create_task(two.acquire("w1", Probe()))
    assert await waits(claim)
    await first.release()
    async with asyncio.timeout(WAIT_SECONDS):
        await one.acquire("w1", Probe())
    assert await waits(claim)
    second.check_held()
    await one.close()
    async with asyncio.timeout(WAIT_SECONDS):
        await claim
