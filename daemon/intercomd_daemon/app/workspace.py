"""What `Connections` runs for a workspace that this process delivers: workers, pacing, reports, operators' orders."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NoReturn, Protocol

from intercomd_daemon.connection import RateSettings
from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.errors import ConnectionNotFound, IntercomdError, LeaseLost
from intercomd_daemon.fleet.orders import Answer, Order
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.rows import ReadWaiting

SAVE_PACING_SECONDS = 2.0
"""A fifth of Intercom's window of 10 s."""

REPORT_SECONDS = 2.0
"""Between two reports of a connection's status."""
REPEAT_SECONDS = 1.0
"""Before an order that could not be performed is tried again."""


class ConnectionWorker(Protocol):
    """Delivers or forwards the envelopes of one connection."""

    async def run(self) -> None:
        """Runs until `stop`; a bug in the daemon ends it with the exception."""
        ...

    def stop(self) -> None:
        """Starts no further call; `run` returns when the results of those in flight are committed."""
        ...

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes the calls; those in flight are finished."""
        ...

    def probe_now(self) -> None:
        """Probes a suspended or down connection now; changes nothing in other states."""
        ...

    def status(self) -> ConnectionStatus:
        """Returns the status of the connection."""
        ...

    @property
    def troubled(self) -> bool:
        """Whether it cannot deliver for a reason that another daemon may not have."""
        ...

    async def give_up(self, lane_key: str, key: int, read: ReadWaiting, /) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait any more.

        `read` reads the row again, if it is not in memory.

        Raises:
            RetryLater: the worker does not run, or cannot end the envelope now.
        """
        ...

    def lane_state(self, lane_key: str, key: int, /) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        ...


async def load_pace(settings: RateSettings, outflow: Outflow, wall: Callable[[], float]) -> Pace:
    """Returns the budget of a workspace that was just acquired, as the owner before left it.

    `wall` returns Unix seconds of the spool's time.
    """
    pace = Pace(settings.calls_per_window, settings.share, time.monotonic())
    if state := await outflow.load_pacing():
        pace.restore(state, time.monotonic(), wall())
    if outflow.unclean:
        pace.take_over()
        await outflow.save_pacing(pace.state(time.monotonic(), wall()))
    return pace


async def release(pace: Pace | None, outflow: Outflow, wall: Callable[[], float]) -> None:
    """Releases a workspace whose workers have ended, for the process that acquires it next.

    `wall` returns Unix seconds of the spool's time.
    """
    if pace is not None:
        # Without the saved state, the next process learns the window from its first calls.
        with suppress(IntercomdError):
            await outflow.save_pacing(pace.state(time.monotonic(), wall()))
    await outflow.release()


async def save_pacing(
    pace: Pace, outflow: Outflow, wall: Callable[[], float], is_troubled: Callable[[], bool] = lambda: False
) -> None:
    """Saves the pacing state now and then, for a process that takes the workspace over without its release.

    It also reports whether this process cannot deliver.
    """
    with suppress(IntercomdError):  # The workspace is lost.
        while True:
            await asyncio.sleep(SAVE_PACING_SECONDS)
            outflow.report_trouble(troubled=is_troubled())
            await outflow.save_pacing(pace.state(time.monotonic(), wall()))


async def report_statuses(outflow: Outflow, statuses: Callable[[], Mapping[str, ConnectionStatus]]) -> None:
    """Reports the statuses of a workspace's connections to the daemons that share it, whenever they have changed."""
    reported: Mapping[str, ConnectionStatus] = {}
    with suppress(IntercomdError):  # The workspace is lost.
        while True:
            current = statuses()
            if current != reported:
                await outflow.report(current)
                reported = current
            await asyncio.sleep(REPORT_SECONDS)


async def obey_orders(outflow: Outflow, perform: Callable[[Order], Awaitable[int]]) -> None:
    """Performs the orders of operators, each in a task of its own, until the workspace is lost or released.

    `perform` returns the result of an order's answer. An order that cannot be performed now is left for the next look,
    or for the daemon that acquires the workspace next.
    """
    known: set[int] = set()

    async def obey(order: Order) -> None:
        try:
            answer = Answer(await perform(order))
        except ConnectionNotFound:
            answer = Answer(error=f"the daemon that delivers the workspace has no connection {order.connection}")
        except LeaseLost:
            raise
        except IntercomdError:
            await asyncio.sleep(REPEAT_SECONDS)
            known.discard(order.number)
            return
        await outflow.answer(order, answer)
        known.discard(order.number)

    with suppress(LeaseLost):
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    for order in await outflow.orders(known):
                        known.add(order.number)
                        tasks.create_task(obey(order))
        except ExceptionGroup as ended:
            raise_first_loss(ended)


def raise_first_loss(ended: ExceptionGroup) -> NoReturn:
    """Raises the first LeaseLost of a group: several tasks may have noticed the loss. A bug raises the group."""
    lost, bugs = ended.split(LeaseLost)
    if lost is None or bugs is not None:
        raise ended
    first: BaseException = lost
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    raise first from None


async def run_worker(worker: ConnectionWorker, outflow: Outflow) -> None:
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
        raise_first_loss(ended)
