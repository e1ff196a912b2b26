"""Signals before and while the daemon runs; tests/e2e/test_signals.py sends them to a whole daemon."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from intercomd_daemon import signal_handlers
from intercomd_daemon.signal_handlers import IGNORED, RELOAD, STOP


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """This process's own handlers afterwards."""
    numbers = (*STOP, *RELOAD, *IGNORED)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal_handlers._held.clear()


async def connected(after: int = 0) -> list[str]:
    """What is called, for the signals that came before and, with `after`, for one that comes then."""
    called: list[str] = []
    came = asyncio.Event()

    def call(name: str) -> None:
        called.append(name)
        came.set()

    signal_handlers.connect(lambda: call("stop"), lambda: call("reload"), lambda number: call(number.name))
    if after:
        came.clear()
        os.kill(os.getpid(), after)
        await came.wait()
    return called


@pytest.mark.parametrize("number", STOP)
async def test_stop_signal_before_the_start_stops_the_daemon(number: signal.Signals) -> None:
    signal_handlers.hold()
    os.kill(os.getpid(), number)
    assert await connected() == ["stop"]
    assert await connected() == []


async def test_second_stop_signal_before_the_start_counts_too() -> None:
    signal_handlers.hold()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert await connected() == ["stop", "stop"]


@pytest.mark.parametrize("number", [*RELOAD, *IGNORED])
async def test_other_signals_before_the_start_do_nothing(number: signal.Signals) -> None:
    signal_handlers.hold()
    os.kill(os.getpid(), number)
    assert await connected() == []


@pytest.mark.parametrize(
    ("number", "called"),
    [
        *((number, "stop") for number in STOP),
        *((number, "reload") for number in RELOAD),
        *((number, number.name) for number in IGNORED),
    ],
)
async def test_signal_calls_its_handler(number: signal.Signals, called: str) -> None:
    signal_handlers.hold()
    assert await connected(after=number) == [called]
