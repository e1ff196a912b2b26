"""Reads a spool through its engine as the deliverer does: rows in order, with the cached contacts."""

import asyncio
import sys
import time
from typing import Any

from backlog import CONNECTION
from questions import answer_all

from intercomd_daemon.deliver.schedule.read_ahead import READ_ROWS
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

_BYTES_MAX = 1 << 20


class Claims:
    """An open spool and the position up to which it has been read."""

    def __init__(self, path: str) -> None:
        self._runner = asyncio.Runner()
        settings = SqliteSettings(path, bytes_max=8 << 30, free_bytes_min=0)
        self._outflow = self._runner.run(self._runner.run(open_spool(settings)).acquire("backlog"))
        self._after = 0

    def claim(self, times: int) -> dict[str, Any]:
        """Reads `times` pages, starting over at the end; returns the milliseconds of each full page."""
        return {"milliseconds": self._runner.run(self._claim(times))}

    async def _claim(self, times: int) -> list[float]:
        taken: list[float] = []
        while len(taken) < times:
            begin = time.perf_counter()
            batch = await self._outflow.read(CONNECTION, Priority.NORMAL, self._after, READ_ROWS, _BYTES_MAX)
            seconds = time.perf_counter() - begin
            self._after = batch.after
            if len(batch.rows) < READ_ROWS:
                self._after = 0
            else:
                taken.append(seconds * 1000)
        return taken


if __name__ == "__main__":
    claims = Claims(sys.argv[1])
    answer_all({"claim": claims.claim})
