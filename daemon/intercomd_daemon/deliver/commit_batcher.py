"""Collects the results of several calls, so that one commit holds them."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

# A result waits this long for the results of other calls in flight: a commit costs as much for one as for many.
BATCH_WAIT_SECONDS = 0.02

Result = TypeVar("Result")


class CommitBatcher(Generic[Result]):
    """Collects results to be committed together."""

    def __init__(self, commit: Callable[[list[Result]], None]) -> None:
        """`commit` is called with the results, on the event loop."""
        self._commit = commit
        self._results: list[Result] = []
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: Result, *, last: bool) -> None:
        """Adds a result. After the `last` one, all are committed when this pass of the event loop ends."""
        self._results.append(result)
        # `get_running_loop` makes a system call in Python 3.11, so only the first result and the last one look it up.
        if last:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_soon(self._flush)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_WAIT_SECONDS, self._flush)

    def _flush(self) -> None:
        results, self._results, self._timer = self._results, [], None
        self._commit(results)
