"""Runs the real event loop in virtual time: when nothing is ready, time jumps to the next timer.

Hours pass in seconds, a timeout of 30 s costs milliseconds, and the order of events does not depend on the machine.
Sockets, servers and sessions are real. Work in threads takes no virtual time: while a thread is `awaited`, the loop
waits for it as usual.
"""

import asyncio
import selectors
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

# What is under way in another process's slice of the processor arrives within this.
GRACE_SECONDS = 0.005
Result = TypeVar("Result")


class NothingLeft(Exception):
    """The run is not over, but no timer is armed and no thread will report: a deadlock."""


class _Loopback:
    """A connection over the loopback interface, which shows that what was sent there before has arrived.

    On a busy machine the kernel hands packets on later than GRACE_SECONDS, but in their order.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._far = socket.create_connection(server.getsockname())
            self._near, _ = server.accept()
        self._far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def drain(self) -> None:
        """Returns when a byte has arrived that is sent now."""
        self._far.sendall(b".")
        self._near.recv(1)

    def close(self) -> None:
        self._far.close()
        self._near.close()


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing but the world outside: for threads as long as they take, for sockets a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.awaited = 0
        self._loopback = _Loopback()

    def close(self) -> None:
        super().close()
        self._loopback.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        sockets = len(self.get_map()) > 1  # One is the loop's own.
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        if self.awaited or (sockets and timeout is None):
            return super().select(None)
        ready = super().select(GRACE_SECONDS if sockets else 0)
        if not ready and sockets:
            self._loopback.drain()
            ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingLeft
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def skip(self, seconds: float) -> None:
        """Lets this time pass at once, as for a process that is stopped: no timer fires meanwhile."""
        self._jumping.now += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as asyncio
        """As asyncio; no time passes meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.awaited += 1
        future.add_done_callback(self._reported)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:  # noqa: ANN401 - as asyncio
        """As asyncio; no time passes meanwhile."""
        await self.outside(super().shutdown_default_executor(*args))

    def _reported(self, _: object) -> None:
        self._jumping.awaited -= 1

    async def until(self, when: float) -> None:
        """Lets the time pass until `when`."""
        over = self.create_future()
        timer = self.call_at(when, _end, over)
        try:
            await over
        finally:
            timer.cancel()

    async def passes(self, seconds: float) -> None:
        """Lets this many seconds pass."""
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
    """Runs `main` on a loop in virtual time; an uncaught exception ends it."""
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
