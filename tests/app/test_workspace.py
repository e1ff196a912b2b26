"""A workspace that is held, lost and released."""

import asyncio
import time

import pytest

from intercomd_daemon.app.workspace import SAVE_PACING_SECONDS, release, run_worker, save_pacing
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.memory import MemorySpool


def used_pace() -> Pace:
    pace = Pace(1_000, 1.0, time.monotonic())
    pace.take(time.monotonic())
    return pace


async def test_release_saves_the_pacing_state_for_the_next_process() -> None:
    spool = MemorySpool()
    await release(used_pace(), await spool.acquire("w"), spool.now)
    state = await (await spool.acquire("w")).load_pacing()
    assert state is not None
    assert state.calls_used == 1


async def test_pacing_state_is_no_longer_saved_after_the_loss() -> None:
    spool = MemorySpool()
    outflow = await spool.acquire("w")
    saving = asyncio.create_task(save_pacing(used_pace(), outflow, spool.now))
    await asyncio.wait({saving}, timeout=SAVE_PACING_SECONDS + 0.5)
    assert await outflow.load_pacing() is not None
    await outflow.release()
    await saving


async def test_worker_is_cancelled_when_its_workspace_is_lost() -> None:
    outflow = await MemorySpool().acquire("w")
    cancelled = asyncio.Event()

    class Waiting:
        async def run(self) -> None:
            try:
                await outflow.release()
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    with pytest.raises(LeaseLost):
        await run_worker(Waiting(), outflow)
    assert cancelled.is_set()


async def test_worker_that_ends_by_itself_ends_the_run() -> None:
    class Done:
        async def run(self) -> None:
            """Ends at once."""

    await run_worker(Done(), await MemorySpool().acquire("w"))
