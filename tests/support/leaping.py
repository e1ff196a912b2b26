"""An event loop whose clock stands still while there is something to do, and leaps to the next timer when there is not.

Sockets, servers and sessions on it are real; only waiting takes no time. So half a minute's time-out costs
milliseconds, each play takes the same course every time, and how long something waited can be told exactly.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

# What is under way on the loopback, or in another process's slice of the processor, arrives within this.
GRACE_SECONDS = 0.005


class LeapingLoop(asyncio.SelectorEventLoop):
    """The loop; `time` is what has been leapt over so far."""

    def __init__(self) -> None:
        self._selector_of_ours = _Selector()
        super().__init__(self._selector_of_ours)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._selector_of_ours.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 -- as asyncio
        """As asyncio; what a thread does is waited for, and never leapt over."""
        future = super().run_in_executor(executor, func, *args)
        self._selector_of_ours.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._selector_of_ours.threads -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(GRACE_SECONDS)
        if not ready and not self.threads:
            self.now += timeout
        return ready
