"""A workspace that is held, with the tasks that tend it."""

import asyncio
import time

import pytest

from intercomd_daemon.app.held import Held
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.memory import MemorySpool


@pytest.mark.parametrize("saves", [True, False])
async def test_release_ends_the_tasks_and_saves_the_budget_of_a_held_workspace(saves: bool) -> None:
    spool = MemorySpool()
    outflow = await spool.acquire("w")
    pace = Pace(1_000, 1.0, time.monotonic())
    held, ended = Held(pace, outflow), []
    held.tend(asyncio.Event().wait(), "waits", ended.append)
    await (held.release(time.time) if saves else held.drop())
    assert [task.cancelled() for task in ended] == [True]
    with pytest.raises(LeaseLost):
        outflow.check_held()
    assert (await (await spool.acquire("w")).load_pacing() is not None) is saves


async def test_task_of_a_held_workspace_may_release_it() -> None:
    outflow = await MemorySpool().acquire("w")
    held, ended = Held(None, outflow), asyncio.Queue()
    held.tend(held.release(time.time), "releases", ended.put_nowait)
    assert (await ended.get()).exception() is None
