"""Does on a worker what operators ask for: by a call of this daemon, or by an order of a shared spool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

from intercomd_daemon.app.workers import ConnectionWorker, raise_first_loss
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.errors import ConnectionNotFound, IntercomdError, LeaseLost, ShuttingDown
from intercomd_daemon.fleet.orders import Answer, Order, OrderKind
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Outflow, Spool
from intercomd_daemon.spool.completion import GIVEN_UP
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.rows import Completion, OutcomeFilter, Settlement, WaitingRow
from intercomd_daemon.spool.trail import TrailFilter

Complete = Callable[[str, Completion], Awaitable[Outcome | None]]
"""Ends a waiting row of a connection without a worker."""


REPORT_SECONDS = 2.0
"""Between two reports of a connection's status."""
REPEAT_SECONDS = 1.0
"""Before an order that could not be performed is tried again."""


class Workers(Protocol):
    """The workers of a daemon."""

    reconfiguring: asyncio.Lock
    """Held while workers are replaced."""

    def worker(self, name: str) -> ConnectionWorker | None:
        """Returns the worker of a connection; None: it has none."""
        ...

    def settings_of(self, name: str) -> ConnectionSettings:
        """Returns the settings of a connection; raises ConnectionNotFound."""
        ...


class Performer:
    """Gives up, pauses, resumes and probes on the workers of this daemon."""

    def __init__(self, workers: Workers, spool: Spool, on_outcome: Callable[[Outcome], None]) -> None:
        """`on_outcome` takes outcomes of connections without a worker."""
        self._workers = workers
        self._spool = spool
        self._on_outcome = on_outcome

    def pause(self, name: str, *, paused: bool) -> None:
        """Pauses or resumes a connection; without effect on one without a worker."""
        if (worker := self._workers.worker(name)) is not None:
            worker.pause(paused=paused)

    def probe_now(self, name: str) -> None:
        """Probes a suspended or down connection now; without effect in other states."""
        if (worker := self._workers.worker(name)) is not None:
            worker.probe_now()

    async def give_up(self, name: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait.

        A reload that replaces the worker meanwhile delays it.

        Raises:
            ConnectionNotFound: a reload has just removed the connection.
            RetryLater: the daemon is stopping.
        """
        keys = await self._spool.find_waiting(TrailFilter(connection=name, envelope_id=envelope_id), 0, 1)
        return await self._give_up(name, keys[0], self._spool.complete) if keys else None

    async def _give_up(self, name: str, key: int, complete: Complete) -> Outcome | None:
        found = await self._waiting_row(key)
        if found is None:
            return None
        worker = self._workers.worker(name)
        if worker is not None:
            try:
                return await worker.give_up(found.row.lane, key, self._waiting_row)
            except ShuttingDown:
                if worker is self._workers.worker(name) and not self._workers.reconfiguring.locked():
                    raise
        # The worker that a reload stops finishes its calls in flight first, and their results count.
        async with self._workers.reconfiguring:
            if self._workers.worker(name) is None:
                return await self._complete(name, key, complete)
        return await self._give_up(name, key, complete)

    async def _complete(self, name: str, key: int, complete: Complete) -> Outcome | None:
        """Ends an envelope of a connection without a worker."""
        from intercomd_daemon.deliver.give_up import complete_row  # noqa: PLC0415 - an agent does not load it

        settings = self._workers.settings_of(name)
        found = await self._waiting_row(key)
        if found is None:
            return None
        try:
            completion = complete_row(found, settings, self._spool.now())
        except RecordDamaged:
            return None  # Another release wrote it: only that one can end it.
        outcome = await complete(name, completion)
        if outcome is not None:
            self._on_outcome(outcome)
        return outcome

    async def _waiting_row(self, key: int) -> WaitingRow | None:
        return next(iter(await self._spool.waiting_rows([key])), None)

    async def serve(self, outflow: Outflow, statuses: Callable[[], Mapping[str, ConnectionStatus]]) -> None:
        """Performs the orders for a workspace and reports its statuses until it is lost or released."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.obey(outflow))
            tasks.create_task(report_statuses(outflow, statuses))

    async def obey(self, outflow: Outflow) -> None:
        """Performs the orders of operators for a workspace until it is lost or released."""
        await obey_orders(outflow, partial(self._perform, outflow))

    async def stand_in(self, workspace: str) -> None:
        """Obeys the orders for a workspace that no daemon may deliver; ends with its cancellation."""
        outflow = await self._spool.acquire(workspace)
        try:
            await self.obey(outflow)
        finally:
            await outflow.release()

    async def _perform(self, outflow: Outflow, order: Order) -> int:
        """Performs an order; returns the result of its answer.

        Raises:
            ConnectionNotFound: the settings have no such connection.
            IntercomdError: it cannot be performed now.
        """
        name = order.connection
        if order.kind is OrderKind.GIVE_UP:
            return await self._perform_give_up(outflow, order)
        # The latest of several orders counts. Reloads replace workers meanwhile.
        async with self._workers.reconfiguring:
            paused = name in await self._spool.paused()
            if (worker := self._workers.worker(name)) is not None:
                worker.pause(paused=paused)
                if order.kind is OrderKind.RETRY:
                    worker.probe_now()
                await outflow.report({name: worker.status()})
        return 0

    async def _perform_give_up(self, outflow: Outflow, order: Order) -> int:
        async def complete(name: str, completion: Completion) -> Outcome | None:
            outcomes = await outflow.settle([Settlement(name, [completion])])
            return outcomes[0] if outcomes else None

        outcome = await self._give_up(order.connection, order.key, complete)
        if outcome is not None:
            return outcome.sequence
        # A daemon may have ended it for this very order, and lost the workspace before its answer was stored.
        wanted = OutcomeFilter(connection=order.connection, envelope_id=order.envelope_id)
        found, _ = await self._spool.outcomes_after(wanted, order.sequence, 1)
        return found[0].sequence if found and found[0].reason == GIVEN_UP else 0


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

    `perform` returns the result of an order's answer.
    """
    with suppress(LeaseLost):
        try:
            await _take_orders(outflow, perform)
        except ExceptionGroup as ended:
            raise_first_loss(ended)


async def _take_orders(outflow: Outflow, perform: Callable[[Order], Awaitable[int]]) -> None:
    known: set[int] = set()
    async with asyncio.TaskGroup() as tasks:
        while True:
            for order in await outflow.orders(known):
                known.add(order.number)
                task = tasks.create_task(_obey(outflow, order, perform))
                task.add_done_callback(partial(_forget, known, order.number))


def _forget(known: set[int], number: int, _task: asyncio.Task[None]) -> None:
    known.discard(number)


async def _obey(outflow: Outflow, order: Order, perform: Callable[[Order], Awaitable[int]]) -> None:
    """Performs an order and stores its answer.

    One that cannot be performed now is left for the next look, or for the daemon that acquires the workspace next.
    """
    try:
        answer = Answer(await perform(order))
    except ConnectionNotFound:
        answer = Answer(error=f"the daemon that delivers the workspace has no connection {order.connection}")
    except LeaseLost:
        raise
    except IntercomdError:
        await asyncio.sleep(REPEAT_SECONDS)
        return
    await outflow.answer(order, answer)
