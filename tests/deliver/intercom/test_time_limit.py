"""The limit on the time of calls: which calls fail, and when."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.deliver.intercom.time_limit import TimeLimit


class Call:
    """Notes when it failed."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.failed: list[float] = []

    def fail(self, error: Exception) -> None:
        assert isinstance(error, TimeoutError)
        self.failed.append(self._loop.time())


def in_virtual_time(main: Callable[[VirtualLoop, TimeLimit[Call]], Coroutine[Any, Any, None]]) -> None:
    async def run(loop: VirtualLoop) -> None:
        await main(loop, TimeLimit())

    run_virtually(run)


@pytest.mark.parametrize("ends", [[30.0, 31.0, 45.0], [30.0, 25.0, 29.0, 60.0], [10.0, 10.0, 10.0]])
def test_each_call_fails_at_its_own_time(ends: list[float]) -> None:
    """Also those that start later and end earlier."""

    async def run(loop: VirtualLoop, limit: TimeLimit[Call]) -> None:
        calls = {Call(loop): end for end in ends}
        for call, end in calls.items():
            limit.start(call, end)
        for call, end in calls.items():
            await loop.passes(max(0.0, end + 1.0 - loop.time()))
            limit.stop(call)
        assert [call.failed for call in calls] == [[pytest.approx(end)] for end in ends]

    in_virtual_time(run)


def test_call_that_has_stopped_does_not_fail() -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit[Call]) -> None:
        first, second = Call(loop), Call(loop)
        limit.start(first, 30.0)
        await loop.passes(10.0)
        limit.start(second, 40.0)
        limit.stop(first)
        assert limit.calls == [second]
        await loop.passes(100.0)
        assert (first.failed, second.failed) == ([], [pytest.approx(40.0)])

    in_virtual_time(run)


def test_call_may_start_after_all_others_have_ended() -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit[Call]) -> None:
        for _ in range(3):
            call, end = Call(loop), loop.time() + 30.0
            limit.start(call, end)
            await loop.passes(50.0)
            limit.stop(call)
            assert call.failed == [pytest.approx(end)]

    in_virtual_time(run)


def test_call_fails_once() -> None:
    """It stops when its caller runs again, which may be later than another call fails."""

    async def run(loop: VirtualLoop, limit: TimeLimit[Call]) -> None:
        first, second = Call(loop), Call(loop)
        limit.start(first, 30.0)
        limit.start(second, 31.0)
        await loop.passes(40.0)
        assert (len(first.failed), len(second.failed)) == (1, 1)

    in_virtual_time(run)
