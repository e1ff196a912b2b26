"""Workers that run, end, and lose their workspace."""

import asyncio

import pytest

from intercomd_daemon.app.workers import AssignedWorker, RunningWorkers, run_worker
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.memory import MemorySpool


class Waiting:
    """A worker that runs until it is stopped."""

    def __init__(self) -> None:
        self.started, self.stopped = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def run(self) -> None:
        self.started.set()
        try:
            await self.stopped.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    def stop(self) -> None:
        self.stopped.set()


class Failing:
    """A worker with a bug."""

    async def run(self) -> None:
        raise ZeroDivisionError


async def test_worker_is_cancelled_when_its_workspace_is_lost() -> None:
    outflow = await MemorySpool().acquire("w")
    cancelled = asyncio.Event()

    class Losing:
        async def run(self) -> None:
            try:
                await outflow.release()
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    with pytest.raises(LeaseLost):
        await run_worker(Losing(), outflow)
    assert cancelled.is_set()


async def test_worker_that_ends_by_itself_ends_the_run() -> None:
    class Done:
        async def run(self) -> None:
            """Ends at once."""

    await run_worker(Done(), await MemorySpool().acquire("w"))


async def two(workers: RunningWorkers) -> tuple[dict[str, Waiting], dict[str, Outflow]]:
    """Starts a worker in each of two workspaces."""
    spool = MemorySpool()
    waiting = {name: Waiting() for name in ("eu", "us")}
    outflows = {name: await spool.acquire(name) for name in waiting}
    workers.start({name: AssignedWorker(each, f"of {name}", outflows[name]) for name, each in waiting.items()})
    await asyncio.gather(*(each.started.wait() for each in waiting.values()))
    return waiting, outflows


async def test_drain_removes_the_workers_of_one_workspace_after_their_calls() -> None:
    workers = RunningWorkers()
    waiting, _ = await two(workers)
    assert await workers.drain("of eu") == ["eu"]
    assert (waiting["eu"].stopped.is_set(), waiting["us"].stopped.is_set()) == (True, False)
    assert (workers.names(), workers.get("eu"), workers.alive()) == (["us"], None, {"worker us": True})
    await workers.end(["us"])
    assert workers.names() == []


@pytest.mark.parametrize("ends", ["stop", "cancel"])
async def test_stopped_worker_stays_but_does_not_run(ends: str) -> None:
    workers = RunningWorkers()
    waiting, _ = await two(workers)
    if ends == "stop":
        workers.stop()
    else:
        await workers.cancel()
    await workers.wait_ended()
    assert {each.cancelled for each in waiting.values()} == {ends == "cancel"}
    assert workers.alive() == {"worker eu": False, "worker us": False}
    assert workers.get("eu") is waiting["eu"]
    assert workers.running("eu") is None


@pytest.mark.parametrize("shared", [True, False])
async def test_lost_workspace_removes_the_worker_in_a_shared_spool_and_is_a_fault_elsewhere(shared: bool) -> None:
    lost = asyncio.Queue()
    workers = RunningWorkers()
    workers.on_lost = (lambda *loss: lost.put_nowait(loss[:2])) if shared else None
    _, outflows = await two(workers)
    await outflows["eu"].release()
    if shared:
        assert await lost.get() == ("eu", "of eu")
        assert workers.names() == ["us"]
    else:
        await workers.wait_fault()
        assert workers.names() == ["eu", "us"]
    assert [type(error) for error in workers.faults] == ([] if shared else [LeaseLost])
    await workers.cancel()


@pytest.mark.parametrize("ends", ["stop", "end"])
async def test_loss_while_the_worker_ends_is_not_reported(ends: str) -> None:
    lost = []
    workers = RunningWorkers()
    workers.on_lost = lambda *loss: lost.append(loss)
    _, outflows = await two(workers)
    ending = asyncio.create_task(workers.end(["eu"])) if ends == "end" else workers.stop()
    await outflows["eu"].release()
    if ending is not None:
        await ending
    await workers.cancel()
    assert (lost, workers.faults) == ([], [])


async def test_bug_of_a_worker_is_a_fault() -> None:
    workers = RunningWorkers()
    workers.on_lost = lambda *_: None
    workers.start({"eu": AssignedWorker(Failing(), "w", await MemorySpool().acquire("w"))})
    await workers.wait_fault()
    assert [type(error) for error in workers.faults] == [ExceptionGroup]


async def test_only_a_task_that_failed_is_a_fault() -> None:
    workers = RunningWorkers()
    tasks = [asyncio.create_task(work) for work in (Failing().run(), workers.wait_fault(), asyncio.Event().wait())]
    tasks[2].cancel()
    for task in tasks:
        task.add_done_callback(workers.note_fault)
    await asyncio.wait(tasks)
    assert [type(error) for error in workers.faults] == [ZeroDivisionError]
