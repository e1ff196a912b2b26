"""The workers of all connections at work: which there are, what they share, how they are paused."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from daemons.process import connection_for
from delivery.worker import Notes, envelope, event, row
from intercom.fault_proxy import FaultProxy
from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.errors import ConnectionNotFound, LeaseLost
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import RowPage, Settlement

Load = Callable[..., config.Settings]
LIMIT = 1000


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(recorded=NONE, rate_limit=LIMIT, rate_window_seconds=86_400.0)) as running:
        yield running
        assert running.illegal_requests == []


async def start_with_call_in_flight(
    connections: Connections, spool: MemorySpool, notes: Notes, intercom: FaultProxy, *names: str
) -> None:
    """Starts the workers, appends envelopes of a user, and has the call for the first one wait for its response."""
    await connections.start(spool, notes)
    await notes.until(lambda notes: notes.calls["GET /me", 200] == 1)
    intercom.holding = True
    await spool.append([row(envelope(name, "u1", None, event("came"))) for name in names])
    await intercom.until(lambda: intercom.open)


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


async def test_pause_without_a_worker_changes_nothing(load: Load, sandbox: Sandbox) -> None:
    connections = Connections(load(sandbox.base_url, connections={"default": {"active": False}}), lambda _: None)
    spool = MemorySpool()
    await connections.start(spool, Notes())
    connections.performer.pause("default", paused=True)
    connections.performer.probe_now("default")
    assert status_of(connections, "default").state is ConnectionState.INACTIVE
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
    connections.performer.pause("default", paused=False)
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    connections.performer.pause("nobody", paused=True)
    await finish(connections)
    await spool.close()


class LosingOutflow(LocalOutflow):
    """An outflow whose workspace another process takes at a chosen call of a method."""

    def __init__(self, engine: MemorySpool, method: str = "", calls: int = 0) -> None:
        super().__init__(engine, "workspace")
        self.method = method
        self.calls = calls

    async def lose(self, method: str) -> None:
        if method == self.method:
            self.calls -= 1
            if self.calls == 0:
                await self.release()

    async def read(self, *arguments: Any) -> RowPage:  # noqa: ANN401 - those of the engine
        await self.lose("read")
        return await super().read(*arguments)

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        await self.lose("settle")
        return await super().settle(settlements)


class LeasedSpool(MemorySpool):
    """A spool whose workspaces can be lost."""

    def __init__(self, method: str = "", calls: int = 0) -> None:
        super().__init__()
        self.leases: dict[str, LosingOutflow] = {}
        self.loss = method, calls

    async def acquire(self, workspace: str) -> LosingOutflow:
        self.leases[workspace] = LosingOutflow(self, *self.loss)
        return self.leases[workspace]


async def test_worker_ends_when_its_workspace_is_lost(load: Load, sandbox: Sandbox) -> None:
    """It makes no further call, and its envelopes stay for the next owner."""
    connections = Connections(load(sandbox.base_url), lambda _: None)
    spool = LeasedSpool()
    notes = Notes()
    await connections.start(spool, notes)
    await spool.append([row(envelope("one", "u1", None, event("came")))])
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    (lease,) = spool.leases.values()
    await lease.release()
    await connections.wait_fault()
    assert [type(fault) for fault in connections.faults()] == [LeaseLost]
    requests = len(sandbox.calls)
    await spool.append([row(envelope("two", "u1", None, event("came")))])
    connections.performer.pause("default", paused=False)
    assert spool.usage().connections["default"].normal == 1
    assert len(sandbox.calls) == requests
    await spool.close()


@pytest.mark.parametrize(("method", "calls"), [("read", 1), ("read", 2), ("settle", 1), ("settle", 2), ("settle", 5)])
async def test_next_owner_completes_what_a_lost_workspace_left(
    load: Load, sandbox: Sandbox, method: str, calls: int
) -> None:
    """A settlement of the old owner is refused. Each envelope has one outcome; only calls in flight are repeated."""
    first, second = (Connections(load(sandbox.base_url), lambda _: None) for _ in range(2))
    before, after = Notes(), Notes()
    spool = LeasedSpool(method, calls)
    names = [f"{user}-{number}" for number in range(3) for user in range(20)]
    await spool.append([row(envelope(name, f"u{name.split('-')[0]}", None, event(name))) for name in names[:30]])
    await first.start(spool, before)
    await spool.append([row(envelope(name, f"u{name.split('-')[0]}", None, event(name))) for name in names[30:]])
    await first.wait_fault()
    await first.wait_stopped()
    assert [type(fault) for fault in first.faults()] == [LeaseLost], first.faults()
    made, settled = before.calls.total(), [outcome.envelope_id for outcome in before.outcomes]
    assert spool.usage().connections["default"].normal == len(names) - len(settled)
    spool.loss = "", 0
    await second.start(spool, after)
    await after.until(lambda notes: len(notes.outcomes) == len(names) - len(settled))
    await finish(second)
    assert before.calls.total() == made
    assert sorted(settled + [outcome.envelope_id for outcome in after.outcomes]) == sorted(names)
    calls_of = Counter(recorded.name for recorded in sandbox.events)
    assert set(calls_of) == set(names), after.calls
    assert {name for name, count in calls_of.items() if count > 1}.isdisjoint(settled), (before.calls, after.calls)
    assert max(calls_of.values()) <= 2, after.calls
    await spool.close()


async def test_workspaces_are_released_when_the_workers_have_ended(
    load: Load, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Also that of a connection which new settings remove; the others keep theirs."""
    stranger = connection_for(sandbox.base_url, tmp_path / "token", app_id="", verify_app_id=False)
    settings = load(sandbox.base_url, connections={"stranger": stranger})
    connections = Connections(settings, lambda _: None)
    spool = LeasedSpool()
    await connections.start(spool, Notes())
    kept, removed = spool.leases.values()
    await connections.reconfigure({"default": settings.connections["default"]})
    with pytest.raises(LeaseLost, match="was released"):
        await removed.settle([])
    assert await kept.settle([]) == []
    connections.stop()
    await connections.wait_stopped()
    await connections.close()
    with pytest.raises(LeaseLost):
        await kept.settle([])
    assert connections.faults() == []
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


async def test_next_process_continues_the_window_of_the_budget(load: Load, sandbox: Sandbox) -> None:
    spool = MemorySpool()
    left = []
    for number in range(2):
        connections = Connections(load(sandbox.base_url), lambda _: None)
        notes = Notes()
        await connections.start(spool, notes)
        await spool.append([row(envelope(f"{number}-{n}", f"u{n}", None, event("came"))) for n in range(10)])
        await notes.until(lambda notes: len(notes.outcomes) == 10)
        left.append(status_of(connections, "default").budget_remaining)
        await finish(connections)
        await connections.close()
    assert left[1] <= left[0] - 10
    await spool.close()


@pytest.mark.parametrize("order", ["before the reload", "during the reload"])
@pytest.mark.parametrize(("given_up", "ends"), [("one", OutcomeType.DELIVERED), ("two", OutcomeType.DEAD_LETTERED)])
async def test_give_up_waits_for_a_reload_and_for_the_call_in_flight(
    load: Load, sandbox: Sandbox, intercom: FaultProxy, order: str, given_up: str, ends: OutcomeType
) -> None:
    """The result of the call in flight counts; the envelope behind it is given up by the new worker."""
    sandbox.workspace.add_contact("u1")
    connections = Connections(load(intercom.base_url), lambda _: None)
    spool, notes = MemorySpool(), Notes()
    await start_with_call_in_flight(connections, spool, notes, intercom, "one", "two")
    changed = load(intercom.base_url, connections={"default": {"session_end_name": "Closed"}}).connections
    steps = [lambda: connections.performer.give_up("default", given_up), lambda: connections.reconfigure(changed)]
    if order == "during the reload":
        steps.reverse()
    performing = [asyncio.create_task(step()) for step in steps]
    while connections.worker("default") is not None:
        await asyncio.wait(performing, timeout=0)
    intercom.let_go()
    outcomes = await asyncio.gather(*performing)
    assert [outcome.type for outcome in outcomes if isinstance(outcome, Outcome)] in (
        [],
        [OutcomeType.DEAD_LETTERED],
    )
    await notes.until(lambda notes: len(notes.outcomes) == 2)
    assert {outcome.envelope_id: outcome.type for outcome in notes.outcomes}[given_up] is ends
    await finish(connections)
    await spool.close()


@pytest.mark.parametrize("paused", [True, False])
async def test_pause_during_a_reload_holds_for_the_new_worker(
    load: Load, sandbox: Sandbox, intercom: FaultProxy, paused: bool
) -> None:
    sandbox.workspace.add_contact("u1")
    connections = Connections(load(intercom.base_url), lambda _: None)
    spool, notes = MemorySpool(), Notes()
    await start_with_call_in_flight(connections, spool, notes, intercom, "one")
    await pause(connections, spool, paused=not paused)
    changed = load(intercom.base_url, connections={"default": {"session_end_name": "Closed"}}).connections
    reload = asyncio.create_task(connections.reconfigure(changed))
    while connections.worker("default") is not None:
        await asyncio.wait({reload}, timeout=0)
    await pause(connections, spool, paused=paused)
    intercom.let_go()
    await reload
    await notes.until(lambda notes: len(notes.outcomes) == 1)
    assert (status_of(connections, "default").state is ConnectionState.PAUSED) is paused
    await finish(connections)
    await spool.close()


async def pause(connections: Connections, spool: MemorySpool, *, paused: bool) -> None:
    await spool.set_paused("default", paused=paused)
    connections.performer.pause("default", paused=paused)


async def test_give_up_of_a_removed_connection_names_it(load: Load, sandbox: Sandbox) -> None:
    connections = Connections(load(sandbox.base_url), lambda _: None)
    spool = MemorySpool()
    await connections.start(spool, Notes())
    await spool.set_paused("default", paused=True)
    connections.performer.pause("default", paused=True)
    await spool.append([row(envelope("one", "u1", None, event("came")))])
    await connections.reconfigure({})
    with pytest.raises(ConnectionNotFound):
        await connections.performer.give_up("default", "one")
    await finish(connections)
    await spool.close()
