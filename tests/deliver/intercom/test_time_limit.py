"""The limit on the time of calls: which blocks end, when, and as what."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.deliver.intercom.time_limit import TimeLimit

SECONDS = 30.0


def in_virtual_time(main: Callable[[VirtualLoop, TimeLimit], Coroutine[Any, Any, None]]) -> None:
    async def run(loop: VirtualLoop) -> None:
        await main(loop, TimeLimit(SECONDS))

    run_virtually(run)


async def hang() -> None:
    await asyncio.Event().wait()


def test_each_block_ends_at_its_own_time() -> None:
    """Also blocks that begin after others have expired, and those of a task that was in a block before."""

    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        async def block(pauses: list[float]) -> None:
            for pause in pauses:
                with limit:
                    await loop.passes(pause)
            begin = loop.time()
            with pytest.raises(TimeoutError), limit:
                await hang()
            lasted.append(loop.time() - begin)

        lasted: list[float] = []
        blocks = [[], [29.0], [1.0, 29.5], [10.0] * 7, [29.0, 29.0, 29.0]]
        async with asyncio.TaskGroup() as tasks:
            for pauses in blocks:
                tasks.create_task(block(pauses))
                await loop.passes(3.0)
        assert lasted == pytest.approx([SECONDS] * len(blocks))

    in_virtual_time(run)


def test_block_that_ends_in_time_raises_its_own_error() -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        with limit:
            await loop.passes(SECONDS - 1.0)

        async def block() -> None:
            with limit:
                await loop.passes(1.0)
                raise ConnectionError

        with pytest.raises(ConnectionError):
            await block()
        await loop.passes(2 * SECONDS)

    in_virtual_time(run)


@pytest.mark.parametrize("late", [False, True], ids=["before its time is up", "when its time is up"])
def test_block_of_a_cancelled_task_ends_as_cancelled(late: bool) -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        async def block() -> None:
            with limit:
                await hang()

        task = loop.create_task(block())
        await loop.passes(0.0)
        # Timers that are due at the same time fire one after the other, before the task runs.
        loop.call_at(SECONDS if late else 1.0, task.cancel)
        await asyncio.wait({task})
        assert task.cancelled()
        assert loop.time() == pytest.approx(SECONDS if late else 1.0)

    in_virtual_time(run)


@pytest.mark.parametrize("outer_seconds", [SECONDS - 1.0, SECONDS, SECONDS + 1.0])
def test_block_within_a_timeout_ends_at_the_earlier_of_both(outer_seconds: float) -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        async def block() -> None:
            async with asyncio.timeout(outer_seconds):
                with limit:
                    await hang()

        with pytest.raises(TimeoutError):
            await block()
        assert loop.time() == pytest.approx(min(SECONDS, outer_seconds))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await loop.passes(1.0)

    in_virtual_time(run)


def test_task_that_was_cancelled_before_may_still_use_it() -> None:
    """As a task does that cleans up after its own cancellation."""

    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        async def clean_up() -> None:
            try:
                await hang()
            finally:
                with pytest.raises(TimeoutError), limit:
                    await hang()

        task = loop.create_task(clean_up())
        await loop.passes(1.0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert loop.time() == pytest.approx(1.0 + SECONDS)

    in_virtual_time(run)


def test_error_of_a_block_that_expires_is_not_hidden() -> None:
    """What the block does with its cancellation is its own decision."""

    async def run(_: VirtualLoop, limit: TimeLimit) -> None:
        task = asyncio.current_task()
        assert task is not None

        async def block() -> None:
            with limit:
                try:
                    await hang()
                except asyncio.CancelledError as cancelled:
                    raise ConnectionError from cancelled

        with pytest.raises(ConnectionError):
            await block()
        assert task.cancelling() == 0

    in_virtual_time(run)


def test_limit_outside_of_a_task_is_an_error() -> None:
    async def run(loop: VirtualLoop, limit: TimeLimit) -> None:
        failed: asyncio.Future[Exception] = loop.create_future()

        def enter() -> None:
            with pytest.raises(RuntimeError) as raised, limit:
                pass
            failed.set_result(raised.value)

        loop.call_soon(enter)
        assert "needs a task" in str(await failed)

    in_virtual_time(run)
