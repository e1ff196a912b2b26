"""Every test ends: one that hangs fails, and says where."""

import asyncio
import signal
import threading
import traceback
from collections.abc import Awaitable, Callable

import pytest

from deadlines import Overdue, alarm, ending

SOON = 0.05


async def wait_for_nothing() -> None:
    await asyncio.Event().wait()


async def look_again_and_again() -> None:
    while True:
        await asyncio.to_thread(threading.active_count)


@pytest.mark.parametrize("test", [wait_for_nothing, look_again_and_again])
async def test_coroutine_that_hangs_fails_where_it_waits(test: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(Overdue, match=r"0\.05 s") as caught:
        await ending(test, SOON)()
    assert f"in {test.__name__}" in "".join(traceback.format_exception(caught.value))


async def test_timeout_of_the_test_itself_stays_one() -> None:
    async def fail() -> None:
        raise TimeoutError("of the test")

    with pytest.raises(TimeoutError, match="of the test"):
        await ending(fail, 60.0)()


def loop_forever() -> None:
    while True:
        pass


async def loop_in_a_coroutine() -> None:
    loop_forever()


@pytest.mark.parametrize(
    "hang",
    [
        loop_forever,
        threading.Event().wait,
        lambda: asyncio.run(wait_for_nothing()),
        lambda: asyncio.run(loop_in_a_coroutine()),
    ],
    ids=["loop", "wait", "waiting coroutine", "looping coroutine"],
)
def test_alarm_ends_what_hangs(hang: Callable[[], object]) -> None:
    with pytest.raises(Overdue), alarm(SOON):
        hang()


def test_alarm_is_off_afterwards() -> None:
    handler, (seconds, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with alarm(seconds * 2):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > seconds
    assert signal.getsignal(signal.SIGALRM) == handler
    assert 0.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= seconds, "that of this test itself goes on"
