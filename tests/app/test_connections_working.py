"""The workers of all connections at work: which there are, what they share, how they are paused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daemons.process import connection_for
from delivery.worker import Notes, envelope, event, row
from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.deliver.schedule.connection_state import ConnectionState, ConnectionStatus
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool

Load = Callable[..., config.Settings]
LIMIT = 1000


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(recorded=NONE, rate_limit=LIMIT, rate_window_seconds=60.0)) as running:
        yield running
        assert running.illegal_requests == []


async def finish(connections: Connections) -> None:
    connections.stop()
    await connections.wait_stopped()
    assert connections.faults() == []


def status_of(connections: Connections, name: str) -> ConnectionStatus:
    return next(status for status in connections.statuses() if status.name == name)


async def test_each_active_connection_has_a_worker_that_delivers(load: Load, tmp_path: Path, sandbox: Sandbox) -> None:
    off = connection_for(sandbox.base_url, tmp_path / "token", active=False)
    connections = Connections(load(sandbox.base_url, connections={"off": off}), lambda _: None)
    spool = MemorySpool(("default", "off"))
    notes = Notes()
    await connections.start(spool, notes)
    assert connections.workers_alive() == {"worker default": True}
    await spool.append([row(envelope("one", "u1", None, event("came")))])
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    assert status_of(connections, "default").state is ConnectionState.DELIVERING
    assert status_of(connections, "off").state is ConnectionState.INACTIVE
    await finish(connections)
    assert connections.workers_alive() == {"worker default": False}
    await spool.close()


async def test_connections_of_one_workspace_share_its_budget(load: Load, tmp_path: Path, sandbox: Sandbox) -> None:
    """What one of them uses, the other does not have; a connection of another App ID has its own."""
    tables = {
        "twin": connection_for(sandbox.base_url, tmp_path / "token"),
        "stranger": connection_for(sandbox.base_url, tmp_path / "token", app_id="", verify_app_id=False),
    }
    connections = Connections(load(sandbox.base_url, connections=tables), lambda _: None)
    spool = MemorySpool(("default", "twin", "stranger"))
    notes = Notes()
    await connections.start(spool, notes)
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came")), connection="twin") for n in range(10)])
    await notes.until(lambda notes: len(notes.outcomes) == 10)
    left = {status.name: status.budget_remaining for status in connections.statuses()}
    assert left["default"] == left["twin"]
    assert left["stranger"] > left["twin"]
    await finish(connections)
    await spool.close()


async def test_stored_pause_is_restored_and_can_be_ended(load: Load, sandbox: Sandbox) -> None:
    connections = Connections(load(sandbox.base_url), lambda _: None)
    spool: Spool = MemorySpool()
    await spool.set_paused("default", paused=True)
    notes = Notes()
    await connections.start(spool, notes)
    await spool.append([row(envelope("one", "u1", None, event("came")))])
    await notes.until(lambda notes: ConnectionState.PAUSED in notes.states or bool(notes.states))
    assert status_of(connections, "default").state is ConnectionState.PAUSED
    connections.pause("default", paused=False)
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    connections.pause("nobody", paused=True)
    await finish(connections)
    await spool.close()


class Lease(LocalOutflow):
    """An outflow whose workspace another process takes."""

    def __init__(self, engine: MemorySpool) -> None:
        super().__init__(engine, {}, "workspace")
        self.taken = asyncio.Event()

    async def wait_lost(self) -> None:
        await self.taken.wait()
        raise LeaseLost("another process delivers for the workspace")


class LeasedSpool(MemorySpool):
    """A spool whose workspaces can be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: dict[str, Lease] = {}

    async def acquire(self, workspace: str) -> Lease:
        self.leases[workspace] = Lease(self)
        return self.leases[workspace]


async def test_worker_ends_when_its_workspace_is_lost(load: Load, sandbox: Sandbox) -> None:
    """No call is made any more, and what waits stays for whoever delivers it now."""
    connections = Connections(load(sandbox.base_url), lambda _: None)
    spool = LeasedSpool()
    notes = Notes()
    await connections.start(spool, notes)
    await spool.append([row(envelope("one", "u1", None, event("came")))])
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    (lease,) = spool.leases.values()
    lease.taken.set()
    await connections.wait_fault()
    (error,) = connections.faults()
    assert isinstance(error, ExceptionGroup)
    assert error.subgroup(LeaseLost)
    requests = len(sandbox.calls)
    await spool.append([row(envelope("two", "u1", None, event("came")))])
    connections.pause("default", paused=False)
    assert spool.usage().connections["default"].normal == 1
    assert len(sandbox.calls) == requests
    await spool.close()


async def test_connections_of_one_workspace_acquire_it_by_the_same_name(
    load: Load, tmp_path: Path, sandbox: Sandbox
) -> None:
    tables = {
        "twin": connection_for(sandbox.base_url, tmp_path / "token"),
        "stranger": connection_for(sandbox.base_url, tmp_path / "token", app_id="", verify_app_id=False),
    }
    connections = Connections(load(sandbox.base_url, connections=tables), lambda _: None)
    spool = LeasedSpool()
    await connections.start(spool, Notes())
    assert len(spool.leases) == 2
    await finish(connections)
    await spool.close()
