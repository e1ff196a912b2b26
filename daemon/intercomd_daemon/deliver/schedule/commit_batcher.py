"""What was judged and is not on the disk yet: it waits a little for the results of other calls that are under way.

A commit costs as much for one as for many.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

LINGER_SECONDS = 0.02

Result = TypeVar("Result")


class CommitBatcher(Generic[Result]):
    """The results that wait."""

    def __init__(self, commit: Callable[[list[Result]], None]) -> None:
        """`commit` is called with results, on the event loop."""
        self._commit = commit
        self._results: list[Result] = []
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: Result, *, last: bool) -> None:
        """Enters a result; after the last one all go when this turn of the event loop is over."""
        self._results.append(result)
        loop = asyncio.get_running_loop()
        if last:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_soon(self._go)
        elif self._timer is None:
            self._timer = loop.call_later(LINGER_SECONDS, self._go)

    def _go(self) -> None:
        results, self._results, self._timer = self._results, [], None
        self._commit(results)
