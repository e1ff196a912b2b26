"""Who waits for whom: nobody who is alone, and many who come together for each other, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.ingest.coalescing import (
    COALESCE_BYTES_MAX,
    COALESCE_MIN,
    COALESCE_SECONDS,
    LATE_SECONDS,
    QUIET_SECONDS,
    RequestCoalescer,
    next_check_at,
)

SMALL = 300
SOON = QUIET_SECONDS / 2
"""Between two who come one after the other."""


class Callers:
    """Those who join a coalescer, and when each of them went on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.coalescer = RequestCoalescer()
        self.went: dict[int, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def comes(self, size_bytes: int = SMALL) -> int:
        """One more comes; returns its number."""
        number = len(self._tasks)
        self._tasks.append(self.loop.create_task(self._join(number, size_bytes)))
        await self.loop.passes(0)
        return number

    async def _join(self, number: int, size_bytes: int) -> None:
        await self.coalescer.join(size_bytes)
        self.went[number] = self.loop.time()

    def gives_up(self, number: int) -> None:
        """One who waits is cancelled."""
        self._tasks[number].cancel()

    def answered(self, count: int) -> None:
        """So many are answered by one commit."""
        for _ in range(count):
            self.coalescer.on_response()


def played(play: Callable[[Callers], Awaitable[None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        await play(Callers(loop))

    run_virtually(main)


def test_a_caller_that_is_alone_goes_at_once() -> None:
    async def play(callers: Callers) -> None:
        for _ in range(3 * COALESCE_MIN):
            number = await callers.comes()
            assert callers.went[number] == callers.loop.time()
            callers.answered(1)
            await callers.loop.passes(SOON)

    played(play)


def test_after_many_were_answered_at_once_the_first_waits_until_as_many_have_come() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(6)
        for _ in range(5):
            await callers.comes()
            await callers.loop.passes(SOON)
        assert not callers.went
        last = await callers.comes()
        await callers.loop.passes(0)
        assert sorted(callers.went) == list(range(6))
        assert set(callers.went.values()) == {callers.went[last]}
        alone = await callers.comes()
        assert callers.went[alone] == callers.loop.time()

    played(play)


def test_when_nobody_comes_any_more_those_who_are_there_go() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(100)
        for _ in range(2):
            await callers.comes()
            await callers.loop.passes(SOON)
        assert not callers.went
        await callers.loop.passes(QUIET_SECONDS - SOON)
        assert sorted(callers.went) == [0, 1]

    played(play)


@pytest.mark.fills("ingest.coalescing.COALESCE_SECONDS")
def test_nobody_waits_longer_however_many_come() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(1_000)
        while not callers.went:
            await callers.comes()
            await callers.loop.passes(SOON)
        assert callers.went[0] == pytest.approx(COALESCE_SECONDS)

    played(play)


def test_those_who_were_answered_long_ago_are_not_waited_for() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(100)
        await callers.loop.passes(COALESCE_SECONDS * 1.01)
        number = await callers.comes()
        assert callers.went[number] == callers.loop.time()

    played(play)


@pytest.mark.fills("ingest.coalescing.COALESCE_BYTES_MAX")
def test_requests_that_are_large_alone_or_together_wait_for_nobody() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(100)
        large = await callers.comes(COALESCE_BYTES_MAX)
        assert callers.went[large] == callers.loop.time()
        callers.answered(100)
        for _ in range(2):
            await callers.comes(COALESCE_BYTES_MAX // 2)
        await callers.loop.passes(0)
        assert set(callers.went) == {0, 1, 2}
        assert callers.loop.time() == 0.0

    played(play)


def test_one_who_gives_up_takes_nobody_along() -> None:
    async def play(callers: Callers) -> None:
        callers.answered(COALESCE_MIN)
        given_up = await callers.comes()
        callers.gives_up(given_up)
        for _ in range(COALESCE_MIN - 1):
            await callers.comes()
        await callers.loop.passes(0)
        assert sorted(callers.went) == list(range(1, COALESCE_MIN))

    played(play)


@pytest.mark.parametrize(
    ("late", "last", "look"),
    [
        (0.0, 0.005, 0.005 + QUIET_SECONDS),
        (LATE_SECONDS * 0.9, 0.005, 0.005 + QUIET_SECONDS),
        (LATE_SECONDS * 1.1, 0.005, 0.01 + QUIET_SECONDS),
        (1.0, 0.005, 0.01 + QUIET_SECONDS),
        (0.0, 0.01 - QUIET_SECONDS, 0.01),
    ],
    ids=["quiet", "a little late", "the loop had work", "much work", "as long as it takes"],
)
def test_it_is_quiet_only_if_the_loop_had_nothing_else_to_do(late: float, last: float, look: float) -> None:
    now = 0.01
    assert next_check_at(now, scheduled_at=now - late, first_at=0.0, last_at=last) == pytest.approx(look)
    assert next_check_at(COALESCE_SECONDS, scheduled_at=0.0, first_at=0.0, last_at=last) == pytest.approx(
        COALESCE_SECONDS
    )
