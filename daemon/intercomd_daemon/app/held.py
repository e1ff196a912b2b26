"""A workspace while this process delivers it: its budget, its deliveries, and the tasks that tend it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from intercomd_daemon.app.workspace import release
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.spool.base import Outflow


class Held:
    """A workspace that this process delivers; at an agent without a budget."""

    def __init__(self, pace: Pace | None, outflow: Outflow) -> None:
        self.pace = pace
        self.outflow = outflow
        self._tasks: list[asyncio.Task[None]] = []

    def tend(self, work: Coroutine[Any, Any, None], name: str, on_end: Callable[[asyncio.Task[None]], None]) -> None:
        """Runs a task until the release."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(on_end)
        self._tasks.append(task)

    async def drop(self) -> None:
        """Ends the tasks, and gives up a lease that is lost."""
        await self._end_tasks()
        await self.outflow.release()

    async def release(self, wall: Callable[[], float]) -> None:
        """Ends the tasks, saves the budget and releases the lease; no worker runs any more."""
        await self._end_tasks()
        await release(self.pace, self.outflow, wall)

    async def _end_tasks(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
