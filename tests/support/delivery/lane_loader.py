"""A feeder whose tasks can be waited for."""

import asyncio
from collections.abc import Coroutine

from delivery.worker import settings_for
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.schedule.lane_loader import LaneLoader
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.base import Spool


class Feeding:
    """What feeds the lanes of one connection from a spool."""

    def __init__(self, spool: Spool) -> None:
        settings = settings_for(Sandbox(), base_url="http://127.0.0.1:1")
        self.tasks: list[asyncio.Task[None]] = []
        self.ready_queue = ReadyQueue()
        self.loader = LaneLoader(
            settings, spool, AttributeCatalog(settings), self.ready_queue, self._spawn, lambda: None
        )

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def quiet(self) -> None:
        """All that was spawned is done."""
        while self.tasks:
            await self.tasks.pop(0)

    async def fill(self) -> None:
        """Reads until the window is full or the logs are at their end."""
        while True:
            self.loader.fill()
            if not self.tasks:
                return
            await self.quiet()

    async def bring_back(self, now: float) -> None:
        self.loader.feed_due(now)
        await self.quiet()
