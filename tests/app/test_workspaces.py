"""Two daemons on one spool: one delivers a workspace, the other takes it over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from daemons.process import WAIT_SECONDS
from database.server import spool_url
from delivery.worker import Notes, envelope, event, row
from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

Load = Callable[..., config.Settings]


class Daemon:
    """The delivering half of a daemon."""

    def __init__(self, settings: config.Settings, spool: PostgresqlSpool) -> None:
        self.connections = Connections(settings, lambda _: None)
        self.spool = spool
        self.notes = Notes()

    async def delivered(self, *names: str) -> None:
        """Waits until this daemon has delivered envelopes of these ids, in this order."""
        await self.notes.until(lambda notes: [each.envelope_id for each in notes.outcomes][-len(names) :] == [*names])

    async def publish(self, name: str) -> None:
        await self.spool.append([row(envelope(name, f"u{name}", None, event("came")))])

    async def stop(self) -> None:
        self.connections.stop()
        await self.connections.wait_stopped()
        await self.connections.close()
        await self.spool.close()


@pytest.fixture
async def start(load: Load, sandbox: Sandbox) -> AsyncIterator[Callable[[], Awaitable[Daemon]]]:
    started: list[Daemon] = []
    url = spool_url()

    async def make() -> Daemon:
        daemon = Daemon(load(sandbox.base_url), await open_spool(PostgresqlSettings(url=url)))
        started.append(daemon)
        await daemon.connections.start(daemon.spool, daemon.notes, shared=True)
        return daemon

    yield make
    for daemon in started:
        await daemon.stop()
        assert daemon.connections.faults() == []


@pytest.fixture
async def one(start: Callable[[], Awaitable[Daemon]]) -> Daemon:
    """A daemon that delivers the workspace: it has delivered an envelope."""
    daemon = await start()
    await daemon.publish("1")
    await daemon.delivered("1")
    return daemon


async def test_second_daemon_accepts_and_delivers_after_the_first_has_stopped(
    one: Daemon, start: Callable[[], Awaitable[Daemon]], sandbox: Sandbox
) -> None:
    two = await start()
    await two.publish("2")
    await one.delivered("1", "2")
    assert two.connections.statuses()[0].elsewhere
    await one.stop()
    await two.publish("3")
    await two.delivered("3")
    assert len(sandbox.events) == 3


async def test_pacing_state_is_saved_while_the_workspace_is_held(start: Callable[[], Awaitable[Daemon]]) -> None:
    one = await start()
    connection = await asyncpg.connect(one.spool._settings.url)
    number = 0
    while await connection.fetchval("SELECT calls_used FROM intercomd.leases") == 0:
        # Calls count in the window that is saved.
        number += 1
        await one.publish(str(number))
        await one.delivered(str(number))
    await connection.close()


async def test_daemon_goes_on_under_a_new_lease_after_its_sessions_ended(one: Daemon, sandbox: Sandbox) -> None:
    connection = await asyncpg.connect(one.spool._settings.url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await connection.fetchval("SELECT epoch FROM intercomd.leases") == 1
    await connection.close()
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await one.publish("2")
            except IntercomdError:
                # Refused while the sessions are opened again: a sender repeats, here once the database answers.
                await (await asyncpg.connect(one.spool._settings.url)).close()
                continue
            break
    await one.delivered("2")
    assert len(sandbox.events) == 2


async def moment() -> None:
    """Lets a moment pass between two looks at what changes elsewhere."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.1)


async def test_workspace_is_handed_over_to_another_daemon_that_could_deliver_it(
    one: Daemon, start: Callable[[], Awaitable[Daemon]], sandbox: Sandbox
) -> None:
    """Its owner has a stale token and was suspended for long; the other one verifies its own access first."""
    two = await start()
    connection = await asyncpg.connect(one.spool._settings.url)
    (held,) = one.connections._workspaces._held.values()
    holding, worker = held.outflow._holding, one.connections.worker("default")
    worker._client._intercom._token = AccessToken("stale")
    worker._monitor.suspend("TOKEN_REFUSED", 401)
    holding.held_since -= 100.0
    async with asyncio.timeout(WAIT_SECONDS):
        while holding.troubled_since is None:
            await moment()
        holding.troubled_since -= 100.0
        while ("workspace_moved", {"workspace": holding.workspace}) not in one.notes.events:
            await connection.execute("UPDATE intercomd.members SET heartbeats = 100")
            await moment()
        await two.publish("2")
        await two.delivered("2")
    await connection.close()
    assert one.notes.calls["GET /me", 200] == 1
    assert one.connections.worker("default") is None
    assert len(sandbox.events) == 2


async def test_daemon_that_lost_a_workspace_is_alive(one: Daemon) -> None:
    """Liveness restarts a daemon: one that accepts while another one delivers must not be restarted."""
    assert one.connections.workers_alive() == {"worker default": True}
    connection = await asyncpg.connect(one.spool._settings.url)
    await connection.execute("UPDATE intercomd.leases SET incarnation = 'other', epoch = epoch + 1")
    await one.notes.until(lambda notes: "workspace_lost" in [event for event, _ in notes.events])
    assert all(one.connections.workers_alive().values())
    await connection.execute("UPDATE intercomd.leases SET incarnation = '', renewal = renewal + 1")
    await connection.close()
    await one.publish("2")
    await one.delivered("2")
    assert one.connections.workers_alive() == {"worker default": True}
