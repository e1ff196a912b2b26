"""Ends tests that hang: a wait or a loop for something that never comes fails, and says where."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

TEST_SECONDS_MAX = 600.0
"""Of most tests: far longer than any takes on a busy machine."""
LONGEST_SECONDS_MAX = 1_800.0
"""Of the files in `conftest.LONGEST`, whose tests take minutes."""
GRACE_SECONDS = 30.0
"""The alarm comes so much later than the timeout of a coroutine, which says what the coroutine waits for."""


class Overdue(Exception):
    """A test has taken too long."""


def ending(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """Returns the coroutine function such that it fails after this time, at the line where it waits."""

    @wraps(test)
    async def ended(*arguments: Any, **fixtures: Any) -> None:  # noqa: ANN401 - those of any test
        try:
            async with asyncio.timeout(seconds) as limit:
                await test(*arguments, **fixtures)
        except TimeoutError as error:
            if limit.expired():
                raise Overdue(f"not done within {seconds:g} s") from error
            raise

    return ended


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Ends what the main thread does after this time: loops and waits outside of coroutines, also of fixtures."""

    def end(_: int, __: FrameType | None) -> None:
        raise Overdue(f"not done within {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, end)
    timer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, timer)
        signal.signal(signal.SIGALRM, handler)
