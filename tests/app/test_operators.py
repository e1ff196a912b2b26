"""Calls of operators: at daemons that share a spool, and at a daemon that starts, serves and restarts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from daemons.in_process import daemon_of, serving, settings
from delivery.worker import envelope, event, row
from fleet.delivering import Daemon, fleet
from intercom.fault_proxy import FaultProxy
from intercomd_daemon import config
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.errors import ConnectionNotFound, RetryLater
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.sandbox import Sandbox

Load = Callable[..., config.Settings]
Start = Callable[..., Awaitable[Daemon]]


@pytest.fixture
async def start(load: Load, intercom: FaultProxy) -> AsyncIterator[Start]:
    async with fleet() as starting:
        yield lambda **tables: starting(load(intercom.base_url, **tables))


@pytest.fixture
async def both(start: Start) -> tuple[Daemon, Daemon]:
    """The daemon that delivers, and another one."""
    one = await start()
    await one.publish("first", "u0")
    await one.ended("first")
    return one, await start()


@pytest.mark.parametrize("place", [0, 1], ids=["owner", "other"])
async def test_connection_is_paused_and_resumed_at_any_daemon(
    both: tuple[Daemon, Daemon], sandbox: Sandbox, place: int
) -> None:
    owner, called = both[0], both[place]
    await called.operators.pause("default", paused=True)
    assert owner.connections.statuses()[0].state is ConnectionState.PAUSED
    await called.publish("second")
    assert len(sandbox.events) == 1
    await called.operators.pause("default", paused=False)
    assert await owner.ended("second") == [OutcomeType.DELIVERED]


async def test_pause_is_kept_by_the_daemon_that_takes_over(both: tuple[Daemon, Daemon], sandbox: Sandbox) -> None:
    one, two = both
    await two.operators.pause("default", paused=True)
    await one.stop()
    await two.notes.until(lambda notes: ConnectionState.PAUSED in notes.states)
    await two.publish("second")
    await two.operators.pause("default", paused=False)
    assert await two.ended("second") == [OutcomeType.DELIVERED]
    assert len(sandbox.events) == 2


async def test_connection_is_probed_at_any_daemon(both: tuple[Daemon, Daemon], sandbox: Sandbox) -> None:
    one, two = both
    fault = sandbox.fault("* 401")
    await two.publish("second")
    await one.notes.until(lambda notes: notes.states[-1] is ConnectionState.SUSPENDED)
    await sandbox.wait_for(lambda _: fault.hit >= 2)
    sandbox.faults.clear()
    await two.operators.probe_now("default")
    assert await one.ended("second") == [OutcomeType.DELIVERED]


@pytest.mark.parametrize(("given_up", "ends"), [("one", OutcomeType.DELIVERED), ("two", OutcomeType.DEAD_LETTERED)])
async def test_give_up_waits_for_the_owners_call_in_flight(
    both: tuple[Daemon, Daemon], sandbox: Sandbox, intercom: FaultProxy, given_up: str, ends: OutcomeType
) -> None:
    one, two = both
    sandbox.workspace.add_contact("u1")
    intercom.holding = True
    await one.spool.append([row(envelope(name, "u1", None, event("came"))) for name in ("one", "two")])
    await intercom.until(lambda: intercom.open)
    giving_up = asyncio.create_task(two.operators.give_up("default", given_up))
    # No further call of the user leaves, however late the order arrives.
    await two.operators.pause("default", paused=True)
    intercom.let_go()
    outcome = await giving_up
    assert (outcome.type if outcome else OutcomeType.DELIVERED) is ends
    assert await one.ended("one", given_up) == [OutcomeType.DELIVERED, ends]
    assert await two.operators.give_up("default", given_up) is None


async def test_connection_that_no_settings_have_is_named(both: tuple[Daemon, Daemon]) -> None:
    with pytest.raises(ConnectionNotFound):
        await both[1].operators.pause("other", paused=True)
    assert await both[1].operators.give_up("default", "unknown") is None


async def test_pause_is_remembered_over_restarts(tmp_path: Path) -> None:
    for paused in (False, True):
        daemon, _ = daemon_of(settings(tmp_path))
        async with serving(daemon):
            assert await daemon.status.archive().paused() == (frozenset({"default"}) if paused else frozenset())
            await daemon.operators.pause("default", paused=not paused)


async def test_starting_daemon_changes_nothing(tmp_path: Path) -> None:
    operators = daemon_of(settings(tmp_path))[0].operators
    for call in (
        operators.drain(wait=True),
        operators.reload(),
        operators.pause("default", paused=True),
        operators.probe_now("default"),
        operators.give_up("default", "one"),
    ):
        with pytest.raises(RetryLater, match="the daemon is starting"):
            await call


async def test_envelope_that_does_not_wait_is_not_given_up(tmp_path: Path) -> None:
    daemon, _ = daemon_of(settings(tmp_path, "memory:"))
    async with serving(daemon):
        await daemon.operators.probe_now("default")
        assert await daemon.operators.give_up("default", "one") is None
