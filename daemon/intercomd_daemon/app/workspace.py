"""A workspace while this process delivers it: its workers run, its pacing state is saved, at last it is released."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol

from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.errors import IntercomdError, LeaseLost
from intercomd_daemon.spool.base import Outflow

SAVE_PACING_SECONDS = 2.0
"""A fifth of Intercom's window of 10 s."""


class Runs(Protocol):
    """A worker, as far as running it is concerned."""

    async def run(self) -> None:
        """Delivers until the worker is stopped."""
        ...


async def release(pace: Pace | None, outflow: Outflow) -> None:
    """Releases a workspace whose workers have ended, for the process that acquires it next."""
    if pace is not None:
        # Without the saved state, the next process learns the window from its first calls.
        with suppress(IntercomdError):
            await outflow.save_pacing(pace.state(time.monotonic(), time.time()))
    await outflow.release()


async def save_pacing(pace: Pace, outflow: Outflow) -> None:
    """Saves the pacing state now and then, for a process that takes the workspace over without its release."""
    with suppress(IntercomdError):  # The workspace is lost.
        while True:
            await asyncio.sleep(SAVE_PACING_SECONDS)
            await outflow.save_pacing(pace.state(time.monotonic(), time.time()))


async def run_worker(worker: Runs, outflow: Outflow) -> None:
    """Runs a worker, and cancels it if its workspace is lost: then it must make no further call.

    Raises:
        LeaseLost: the workspace was lost.
        ExceptionGroup: a bug.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            lease = tasks.create_task(outflow.wait_lost())
            await worker.run()
            lease.cancel()
    except ExceptionGroup as ended:
        lost, bugs = ended.split(LeaseLost)
        if lost is None or bugs is not None:
            raise
        # Several tasks may have noticed the loss; the first one's error is enough.
        first: BaseException = lost
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
