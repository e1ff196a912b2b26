"""The real event loop on a clock of its own: where nothing is ready, time jumps to the next timer.

So hours pass in seconds, and the order in which things happen does not depend on the machine. What threads do takes no
time on this clock: while any is `awaited`, the loop waits for it as usual.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class NothingLeft(Exception):
    """No timer is armed, nobody outside will report, and the run is not over: everybody waits for somebody."""


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing but the world outside, and only while that is awaited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.awaited = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.awaited and timeout != 0:
            return super().select(None)
        ready = super().select(0)
        if timeout is None and not ready:
            raise NothingLeft
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    async def until(self, when: float) -> None:
        """Lets the time pass until `when`."""
        over = self.create_future()
        timer = self.call_at(when, _end, over)
        try:
            await over
        finally:
            timer.cancel()

    async def passes(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        await self.until(self.time() + seconds)

    async def outside(self, work: Awaitable[Result]) -> Result:
        """Waits for what a thread does, in which no time passes."""
        self._jumping.awaited += 1
        try:
            return await work
        finally:
            self._jumping.awaited -= 1


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, Result]]) -> Result:
    """Runs `main` on a loop in virtual time; an exception that nobody catches ends it."""
    uncaught: list[BaseException] = []

    async def run() -> Result:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        playing = loop.create_task(main(loop))

        def end(_: object, context: dict[str, Any]) -> None:
            uncaught.append(context.get("exception") or RuntimeError(context["message"]))
            playing.cancel()

        loop.set_exception_handler(end)
        return await playing

    try:
        with asyncio.Runner(loop_factory=VirtualLoop, debug=False) as runner:
            return runner.run(run())
    except asyncio.CancelledError:
        raise uncaught[0] from None
