"""An event loop whose clock runs faster, so that a limit of half a minute is met in half a second."""

import asyncio
import selectors

FASTER = 50


class _Selector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / FASTER if timeout and timeout > 0 else timeout)


class HurriedLoop(asyncio.SelectorEventLoop):
    """Timers of this loop, and what it tells of the time, are in seconds of its own."""

    def __init__(self) -> None:
        super().__init__(_Selector())
        self.slow_callback_duration *= FASTER

    def time(self) -> float:
        return super().time() * FASTER
