"""Requests coalesce within their bounds, in virtual time; a single caller never waits."""

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
"""Between two arrivals."""


class Callers:
    """Those who join a coalescer, and when each of them started on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.coalescer = RequestCoalescer()
        self.started: dict[int, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def arrive(self, size_bytes: int = SMALL) -> int:
        """Lets a request arrive; returns its number."""
        number = len(self._tasks)
        self._tasks.append(self.loop.create_task(self._join(number, size_bytes)))
        await self.loop.passes(0)
        return number

    async def _join(self, number: int, size_bytes: int) -> None:
        turn = self.coalescer.join(size_bytes)
        if turn is not None:
            await turn
        self.started[number] = self.loop.time()

    def cancel(self, number: int) -> None:
        """Cancels a waiting request."""
        self._tasks[number].cancel()

    def respond(self, count: int) -> None:
        """Counts the responses of one commit."""
        for _ in range(count):
            self.coalescer.on_response()


def run(scenario: Callable[[Callers], Awaitable[None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        await scenario(Callers(loop))

    run_virtually(main)


def test_single_caller_never_waits() -> None:
    async def scenario(callers: Callers) -> None:
        for _ in range(3 * COALESCE_MIN):
            number = await callers.arrive()
            assert callers.started[number] == callers.loop.time()
            callers.respond(1)
            await callers.loop.passes(SOON)

    run(scenario)


def test_first_request_waits_for_as_many_as_got_responses() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(6)
        for _ in range(5):
            await callers.arrive()
            await callers.loop.passes(SOON)
        assert not callers.started
        last = await callers.arrive()
        await callers.loop.passes(0)
        assert sorted(callers.started) == list(range(6))
        assert set(callers.started.values()) == {callers.started[last]}
        alone = await callers.arrive()
        assert callers.started[alone] == callers.loop.time()

    run(scenario)


def test_batch_starts_when_arrivals_stop() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(100)
        for _ in range(2):
            await callers.arrive()
            await callers.loop.passes(SOON)
        assert not callers.started
        await callers.loop.passes(QUIET_SECONDS - SOON)
        assert sorted(callers.started) == [0, 1]

    run(scenario)


@pytest.mark.fills("ingest.coalescing.COALESCE_SECONDS")
def test_wait_is_bounded_while_requests_keep_arriving() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(1_000)
        while not callers.started:
            await callers.arrive()
            await callers.loop.passes(SOON)
        assert callers.started[0] == pytest.approx(COALESCE_SECONDS)

    run(scenario)


def test_old_responses_are_not_waited_for() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(100)
        await callers.loop.passes(COALESCE_SECONDS * 1.01)
        number = await callers.arrive()
        assert callers.started[number] == callers.loop.time()

    run(scenario)


@pytest.mark.fills("ingest.coalescing.COALESCE_BYTES_MAX")
def test_large_requests_do_not_wait() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(100)
        large = await callers.arrive(COALESCE_BYTES_MAX)
        assert callers.started[large] == callers.loop.time()
        callers.respond(100)
        for _ in range(2):
            await callers.arrive(COALESCE_BYTES_MAX // 2)
        await callers.loop.passes(0)
        assert set(callers.started) == {0, 1, 2}
        assert callers.loop.time() == 0.0

    run(scenario)


def test_cancelled_request_does_not_affect_its_batch() -> None:
    async def scenario(callers: Callers) -> None:
        callers.respond(COALESCE_MIN)
        cancelled = await callers.arrive()
        callers.cancel(cancelled)
        for _ in range(COALESCE_MIN - 1):
            await callers.arrive()
        await callers.loop.passes(0)
        assert sorted(callers.started) == list(range(1, COALESCE_MIN))

    run(scenario)


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
def test_busy_loop_restarts_the_quiet_time(late: float, last: float, look: float) -> None:
    now = 0.01
    assert next_check_at(now, scheduled_at=now - late, first_at=0.0, last_at=last) == pytest.approx(look)
    assert next_check_at(COALESCE_SECONDS, scheduled_at=0.0, first_at=0.0, last_at=last) == pytest.approx(
        COALESCE_SECONDS
    )
