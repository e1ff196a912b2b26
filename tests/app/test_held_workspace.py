"""A held workspace, with its budget and its tasks."""

import asyncio
import time

import pytest

from clock.virtual import VirtualLoop
from intercomd_daemon.app.held_workspace import SAVE_PACING_SECONDS, HeldWorkspace
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.memory import MemorySpool


def used_pace() -> Pace:
    pace = Pace(1_000, 1.0, time.monotonic())
    pace.take(time.monotonic())
    return pace


async def test_release_saves_the_pacing_state_for_the_next_process() -> None:
    spool = MemorySpool()
    await HeldWorkspace(used_pace(), await spool.acquire("w"), spool.now).release()
    state = await (await spool.acquire("w")).load_pacing()
    assert state is not None
    assert state.calls_used == 1


def test_pacing_state_is_no_longer_saved_after_the_loss() -> None:
    """In a loop whose clock leaps."""

    async def save() -> None:
        spool = MemorySpool()
        outflow = await spool.acquire("w")
        held = HeldWorkspace(used_pace(), outflow, spool.now)
        saving = asyncio.create_task(held.keep_pacing_saved(lambda: False))
        await asyncio.wait({saving}, timeout=SAVE_PACING_SECONDS + 0.5)
        assert await outflow.load_pacing() is not None
        await outflow.release()
        await saving

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(save())


@pytest.mark.parametrize("saves", [True, False])
async def test_release_ends_the_tasks_and_saves_the_budget_of_a_held_workspace(saves: bool) -> None:
    spool = MemorySpool()
    outflow = await spool.acquire("w")
    pace = Pace(1_000, 1.0, time.monotonic())
    held, ended = HeldWorkspace(pace, outflow, time.time), []
    held.run_until_release(asyncio.Event().wait(), "waits", ended.append)
    await (held.release() if saves else held.drop())
    assert [task.cancelled() for task in ended] == [True]
    with pytest.raises(LeaseLost):
        outflow.check_held()
    assert (await (await spool.acquire("w")).load_pacing() is not None) is saves


async def test_task_of_a_held_workspace_may_release_it() -> None:
    outflow = await MemorySpool().acquire("w")
    held, ended = HeldWorkspace(None, outflow, time.time), asyncio.Queue()
    held.run_until_release(held.release(), "releases", ended.put_nowait)
    assert (await ended.get()).exception() is None
