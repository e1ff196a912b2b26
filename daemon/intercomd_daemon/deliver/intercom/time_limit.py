"""Limits the time of each call, with one timer for all calls: to set and cancel a timer for each takes more time."""

import asyncio
from types import TracebackType
from typing import Any


class TimeLimit:
    """Limits how long a block of code takes, like `asyncio.timeout`: `with limit:` raises TimeoutError after that.

    Blocks of any number of tasks may run at once, at most one of each task.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        """Fires when the first block ends that ran when it was set, or earlier than any other block must end."""
        self._running: dict[asyncio.Task[Any], tuple[float, int]] = {}
        """For each task in a block: when its time is up, in that order, and how often it was cancelled before."""
        self._expired: dict[asyncio.Task[Any], int] = {}
        """The tasks in a block that were cancelled because their time was up, and how often they were before."""

    def __enter__(self) -> None:
        task = self._current_task()
        end = self._loop.time() + self._seconds
        self._running[task] = end, task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._end_expired)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = self._current_task()
        if self._running.pop(task, None) is None:
            cancelled_before = self._expired.pop(task)
            # If the task was also cancelled by someone else, it ends as cancelled.
            if task.uncancel() <= cancelled_before and isinstance(error, asyncio.CancelledError):
                raise TimeoutError from error

    def _current_task(self) -> asyncio.Task[Any]:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a time limit needs a task, which it can cancel")
        return task

    def _end_expired(self) -> None:
        """Cancels the tasks whose time is up, and sets the timer for the next one.

        A timer that is set once for many blocks fires for those that have ended, too: once in `seconds`.
        """
        self._timer = None
        now = self._loop.time()
        while self._running:
            task, (end, cancelled_before) = next(iter(self._running.items()))
            if end > now:
                self._timer = self._loop.call_at(end, self._end_expired)
                return
            del self._running[task]
            self._expired[task] = cancelled_before
            task.cancel()
