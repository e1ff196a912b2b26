"""The workers that run, a task for each connection that this process delivers, and the errors that ended some."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple, NoReturn, Protocol

from msgspec.structs import replace

from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.rows import ReadWaiting


class ConnectionWorker(Protocol):
    """Delivers or forwards the envelopes of one connection."""

    async def run(self) -> None:
        """Runs until `stop`; a bug in the daemon ends it with the exception."""
        ...

    def stop(self) -> None:
        """Starts no further call; `run` returns when the results of those in flight are committed."""
        ...

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes the calls; those in flight are finished."""
        ...

    def probe_now(self) -> None:
        """Probes a suspended or down connection now; changes nothing in other states."""
        ...

    def status(self) -> ConnectionStatus:
        """Returns the status of the connection."""
        ...

    @property
    def troubled(self) -> bool:
        """Whether it cannot deliver for a reason that another daemon may not have."""
        ...

    async def give_up(self, lane_key: str, key: int, read: ReadWaiting, /) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait any more.

        `read` reads the row again, if it is not in memory.

        Raises:
            RetryLater: the worker does not run, or cannot end the envelope now.
        """
        ...

    def lane_state(self, lane_key: str, key: int, /) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        ...


class AssignedWorker(NamedTuple):
    """A worker, and what it delivers."""

    worker: ConnectionWorker
    workspace: str
    outflow: Outflow


class _Running(NamedTuple):
    """A worker and its task, which may have ended."""

    worker: ConnectionWorker
    workspace: str
    task: asyncio.Task[None]


class RunningWorkers:
    """The running workers, by the names of their connections."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self.faults: list[BaseException] = []
        """Errors of workers, and of the tasks of a held workspace: each ends the daemon."""
        self._faulty = asyncio.Event()
        self._stopping = False
        self.on_lost: Callable[[str, str, LeaseLost], None] | None = None
        """Takes name and workspace of a worker that lost its workspace, which is removed. None: the loss is a fault."""

    def start(self, workers: Mapping[str, AssignedWorker]) -> None:
        """Runs these workers."""
        for name, (worker, workspace, outflow) in workers.items():
            task = asyncio.create_task(run_worker(worker, outflow), name=f"worker {name}")
            task.add_done_callback(partial(self._on_end, name))
            self._running[name] = _Running(worker, workspace, task)

    def _on_end(self, name: str, task: asyncio.Task[None]) -> None:
        """Notes why a worker ended by itself. A bug ends the daemon, and so does a lost workspace of its own spool."""
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, LeaseLost) or self.on_lost is None:
            self.note_fault(task)
            return
        running = self._running.get(name)
        if not self._stopping and running is not None and running.task is task:
            # Health does not count it any more: a lost workspace does not make the daemon unhealthy.
            del self._running[name]
            self.on_lost(name, running.workspace, error)

    def note_fault(self, task: asyncio.Task[None]) -> None:
        """Notes the error of a task that has ended, if it ended with one."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.faults.append(error)
            self._faulty.set()

    async def wait_fault(self) -> None:
        """Waits for the first error."""
        await self._faulty.wait()

    def get(self, name: str) -> ConnectionWorker | None:
        """Returns the worker of a connection, also one that has ended; None: it has none."""
        return self._running[name].worker if name in self._running else None

    def running(self, name: str) -> ConnectionWorker | None:
        """Returns the worker of a connection; None: it has none, or it has ended."""
        return self._running[name].worker if name in self._running and not self._running[name].task.done() else None

    def names(self) -> list[str]:
        """Returns the connections that have a worker."""
        return [*self._running]

    def of(self, workspace: str) -> dict[str, ConnectionWorker]:
        """Returns the workers of a workspace by their connections."""
        return {name: each.worker for name, each in self._running.items() if each.workspace == workspace}

    def statuses(self, workspace: str) -> dict[str, ConnectionStatus]:
        """Returns the statuses of the workers of a workspace, equal as long as nothing has happened."""
        found = {name: worker.status() for name, worker in self.of(workspace).items()}
        # The end of the window is computed anew each time.
        return {name: replace(status, window_ends=round(status.window_ends)) for name, status in found.items()}

    def alive(self) -> dict[str, bool]:
        """Returns whether each worker runs, by the name of its task: `worker`, a space, the connection's name."""
        return {running.task.get_name(): not running.task.done() for running in self._running.values()}

    async def end(self, names: Iterable[str]) -> None:
        """Removes these workers, and waits until their calls in flight have ended."""
        removed = [self._running.pop(name) for name in names]
        for running in removed:
            running.worker.stop()
        await asyncio.gather(*(running.task for running in removed), return_exceptions=True)

    async def drain(self, workspace: str) -> list[str]:
        """Removes the workers of a workspace once their calls in flight have ended; returns their connections."""
        for worker in self.of(workspace).values():
            worker.stop()
        await self.wait_ended(workspace)
        names = [*self.of(workspace)]
        for name in names:
            del self._running[name]
        return names

    async def wait_ended(self, workspace: str | None = None) -> None:
        """Waits until no worker runs, or none of a workspace."""
        tasks = (each.task for each in self._running.values() if workspace in {None, each.workspace})
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Stops every worker after its calls in flight."""
        self._stopping = True
        for running in self._running.values():
            running.worker.stop()

    async def cancel(self) -> None:
        """Ends every worker at once; a call in flight will be made again."""
        for running in self._running.values():
            running.task.cancel()
        await self.wait_ended()


async def run_worker(worker: ConnectionWorker, outflow: Outflow) -> None:
    """Runs a worker, and cancels it if its workspace is lost: then it must make no further call.

    Raises:
        LeaseLost: the workspace was lost.
        ExceptionGroup: a bug.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            lease = tasks.create_task(outflow.wait_lost())
            await worker.run()
            lease.cancel()
    except ExceptionGroup as ended:
        raise_first_loss(ended)


def raise_first_loss(ended: ExceptionGroup) -> NoReturn:
    """Raises the first LeaseLost of a group: several tasks may have noticed the loss. A bug raises the group."""
    lost, bugs = ended.split(LeaseLost)
    if lost is None or bugs is not None:
        raise ended
    first: BaseException = lost
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    raise first from None
