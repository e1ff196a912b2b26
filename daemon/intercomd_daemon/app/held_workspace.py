"""A workspace while this process delivers it: its budget, its outflow, and the tasks that run meanwhile."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool.base import Outflow

if TYPE_CHECKING:  # An agent has no budget.
    from intercomd_daemon.deliver.schedule.pacing import Pace

SAVE_PACING_SECONDS = 2.0
"""A fifth of Intercom's window of 10 s."""


class HeldWorkspace:
    """A workspace that this process delivers; at an agent without a budget."""

    def __init__(self, pace: "Pace | None", outflow: Outflow, wall: Callable[[], float]) -> None:
        """`wall` returns Unix seconds of the spool's time."""
        self.pace = pace
        self.outflow = outflow
        self._wall = wall
        self._tasks: list[asyncio.Task[None]] = []

    def run_until_release(
        self, work: Coroutine[Any, Any, None], name: str, on_end: Callable[[asyncio.Task[None]], None]
    ) -> None:
        """Runs a task until the release."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(on_end)
        self._tasks.append(task)

    async def keep_pacing_saved(self, is_troubled: Callable[[], bool]) -> None:
        """Saves the budget now and then, for a process that takes the workspace over without its release.

        It also reports whether this process cannot deliver.
        """
        with suppress(IntercomdError):  # The workspace is lost.
            while True:
                await asyncio.sleep(SAVE_PACING_SECONDS)
                self.outflow.report_trouble(troubled=is_troubled())
                await self._save_pacing()

    async def drop(self) -> None:
        """Ends the tasks, and gives up a lease that is lost."""
        await self._end_tasks()
        await self.outflow.release()

    async def release(self) -> None:
        """Ends the tasks, saves the budget and releases the lease; no worker runs any more."""
        await self._end_tasks()
        # Without the saved state, the next process learns the window from its first calls.
        with suppress(IntercomdError):
            await self._save_pacing()
        await self.outflow.release()

    async def _save_pacing(self) -> None:
        if self.pace is not None:
            await self.outflow.save_pacing(self.pace.state(time.monotonic(), self._wall()))

    async def _end_tasks(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
