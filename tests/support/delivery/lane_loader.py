"""A lane loader whose tasks a test can wait for."""

import asyncio
from collections.abc import Coroutine

from delivery.worker import Notes, settings_for
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.schedule.lane_loader import LaneLoader
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.base import Spool


class Loading:
    """Loads the lanes of one connection from a spool, step by step."""

    def __init__(self, spool: Spool) -> None:
        settings = settings_for(Sandbox(), base_url="http://127.0.0.1:1")
        self.tasks: list[asyncio.Task[None]] = []
        self.notes = Notes()
        self.ready_queue = ReadyQueue()
        self.loader = LaneLoader(
            settings, spool, AttributeCatalog(settings), self.ready_queue, self.notes, self._spawn, lambda: None
        )

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    @property
    def lanes(self) -> dict[str, Lane]:
        """The lanes in memory."""
        return self.loader.residency.lanes

    def take(self) -> Lane:
        """Takes the next ready lane, and ends its turn before it needed anything."""
        lane = self.ready_queue.take()
        assert lane is not None
        self.ready_queue.finish(lane)
        return lane

    async def finish(self) -> None:
        """Waits until all tasks have ended."""
        while self.tasks:
            await self.tasks.pop(0)

    async def read_all(self) -> None:
        """Reads until the window is full or the logs are at their end."""
        while True:
            self.loader.start_next_read()
            if not self.tasks:
                return
            await self.finish()

    async def load_due(self, now: float) -> None:
        """Loads the parked lanes that are due."""
        self.loader.load_due(now)
        await self.finish()
