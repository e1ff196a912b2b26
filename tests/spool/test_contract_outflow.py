"""What every engine promises of the outflow of a workspace."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.rows import Completion, Incoming, PacingState, Settlement

ALL = (1_000, 1 << 20)


async def test_outflow_delivers_what_the_spool_accepted(
    spool: Spool, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    outflow = await spool.acquire("workspace")
    woken = asyncio.Event()
    outflow.on_append("default", lambda _: woken.set())
    keys = await spool.append([row("1"), row("2", "bob")])
    await woken.wait()
    batch = await outflow.read("default", Priority.NORMAL, 0, *ALL)
    assert [each.key for each in batch.rows] == keys
    await outflow.park("default", "c:bob", [keys[1]], 5.0, 1)
    assert await outflow.due("default", 9.0, 10) == (["c:bob"], 0.0)
    assert [each.key for each in (await outflow.parked("default", "c:bob", 0, *ALL)).rows] == keys[1:]
    (outcome,) = await outflow.settle([Settlement("default", [ended(keys[0], "1")])])
    assert outcome.envelope_id == "1"
    assert spool.usage().connections["default"].normal == 1


async def test_pacing_state_is_restored_for_its_workspace_until_its_window_ends(
    spool: Spool, clock: SimpleNamespace
) -> None:
    outflow = await spool.acquire("one")
    assert await outflow.load_pacing() is None
    await outflow.save_pacing(PacingState(10_000, 1_750_000_010.0, 7))
    await outflow.save_pacing(PacingState(10_000, 1_750_000_020.0, 9, 1_750_000_021.0))
    again = await spool.acquire("one")
    assert await again.load_pacing() == PacingState(10_000, 1_750_000_020.0, 9, 1_750_000_021.0)
    assert await (await spool.acquire("other")).load_pacing() is None
    clock.wall = 1_750_000_020.0
    assert await again.load_pacing() is None


async def test_states_are_those_of_the_spool(spool: Spool) -> None:
    outflow = await spool.acquire("one")
    assert await outflow.load_state("count") == b""
    for data in (b"1", b"2"):
        await outflow.save_state("count", data)
    assert await (await spool.acquire("other")).load_state("count") == b"2"
    assert await spool.load_state("count") == b"2"


async def test_held_workspace_is_not_lost(spool: Spool) -> None:
    outflow = await spool.acquire("workspace")
    waiting = asyncio.create_task(outflow.wait_lost())
    await spool.append([])
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_released_workspace_refuses_all_methods_and_can_be_acquired_again(
    spool: Spool, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    (key,) = await spool.append([row("1")])
    outflow, other = await spool.acquire("workspace"), await spool.acquire("other")
    waiting = asyncio.create_task(outflow.wait_lost())
    for _ in range(2):
        await outflow.release()
    for refused in (
        outflow.read("default", Priority.NORMAL, 0, *ALL),
        outflow.settle([Settlement("default", [ended(key, "1")])]),
        outflow.park("default", "c:ann", [key], 5.0, 1),
        outflow.due("default", 9.0, 10),
        outflow.parked("default", "c:ann", 0, *ALL),
        outflow.save_pacing(PacingState(10_000, 1_750_000_010.0, 7)),
        outflow.load_pacing(),
        outflow.save_state("s", b"1"),
        outflow.load_state("s"),
        outflow.wait_lost(),
        waiting,
    ):
        with pytest.raises(LeaseLost):
            await refused
    with pytest.raises(LeaseLost):
        outflow.on_append("default", lambda _: None)
    assert spool.usage().connections["default"].normal == 1
    again = await spool.acquire("workspace")
    assert await again.load_pacing() is None
    assert [each.key for each in (await other.read("default", Priority.NORMAL, 0, *ALL)).rows] == [key]
    assert len(await again.settle([Settlement("default", [ended(key, "1")])])) == 1
