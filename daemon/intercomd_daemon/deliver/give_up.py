"""Gives up waiting envelopes of one connection: each ends as a dead letter, and its user's other envelopes go on.

The lane decides while nothing of it is in progress, so a call in flight is recorded first. A settlement ends a row only
once: where a result and a give-up meet, the first commit counts.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.actions import AfterResponse
from intercomd_daemon.deliver.lane.lane import Lane, give_up
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import Observer
from intercomd_daemon.deliver.schedule.lane_loader import LaneLoader
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import IntercomdError, ShuttingDown
from intercomd_daemon.outcome import Outcome, Progress
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.record import RecordDamaged, unpack
from intercomd_daemon.spool.rows import Completion, ReadWaiting, Settlement, WaitingRow

STOPPED = "the deliveries of the connection are stopped: try again"
RETRY_SECONDS = 1.0


class _Request(NamedTuple):
    key: int
    read: ReadWaiting
    ended: asyncio.Future[Outcome | None]


class GiveUps:
    """The envelopes of one connection that are being given up."""

    def __init__(
        self,
        settings: ConnectionSettings,
        spool: Outflow,
        loader: LaneLoader,
        ready_queue: ReadyQueue,
        observer: Observer,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_free: Callable[[Lane, AfterResponse], None],
    ) -> None:
        """`on_free` continues a lane of which nothing is in progress any more."""
        self._settings = settings
        self._spool = spool
        self._loader = loader
        self._ready_queue = ready_queue
        self._observer = observer
        self._clock = clock
        self._spawn = spawn
        self._on_free = on_free
        self._requests: dict[str, list[_Request]] = {}
        """Of lanes with a call or a commit in progress, by lane."""

    async def give_up(self, lane_key: str, key: int, read: ReadWaiting) -> Outcome | None:
        """Ends a waiting envelope; returns its outcome, or None if it does not wait any more.

        Raises:
            RetryLater: the worker stopped before it could.
        """
        request = _Request(key, read, asyncio.get_running_loop().create_future())
        self._requests.setdefault(lane_key, []).append(request)
        lane = self._loader.residency.lane(lane_key)
        if lane is None:
            for each in self._requests.pop(lane_key):
                self._spawn(self._perform(None, each))
        elif not self._ready_queue.is_busy(lane):
            self._ready_queue.withdraw(lane)
            self.take_turn(lane, AfterResponse())
        return await request.ended

    def take_turn(self, lane: Lane, after: AfterResponse) -> bool:
        """Starts to end what was given up of a lane without a place; False: nothing was. `after`: see `on_free`."""
        requests = self._requests.pop(lane.key, [])
        if requests:
            self._ready_queue.start(lane)
            self._spawn(self._perform_all(lane, requests, after))
        return bool(requests)

    def close(self) -> None:
        """Refuses what could not be done before the worker stopped."""
        for request in (request for requests in self._requests.values() for request in requests):
            if not request.ended.done():
                request.ended.set_exception(ShuttingDown(STOPPED, RETRY_SECONDS))
        self._requests.clear()

    async def _perform_all(self, lane: Lane, requests: list[_Request], after: AfterResponse) -> None:
        head = lane.queue.head
        for request in requests:
            await self._perform(lane, request)
        # The pause after a failure is that of the head: without it the lane goes on.
        self._on_free(lane, after if lane.queue.head is head else AfterResponse())

    async def _perform(self, lane: Lane | None, request: _Request) -> None:
        completion = lane.give_up(request.key, self._clock.wall()) if lane else None
        try:
            outcome = await (self._settle(completion) if completion else self._end_stored(request))
        except IntercomdError as error:
            if not request.ended.done():
                request.ended.set_exception(error)
            return
        if not request.ended.done():
            request.ended.set_result(outcome)

    async def _end_stored(self, request: _Request) -> Outcome | None:
        """Ends an envelope that is in the spool only. Meanwhile the loader leaves its row out."""
        self._loader.leave_out(request.key)
        try:
            found = await request.read(request.key)
            if found is None:
                return None
            outcome = await self._settle(complete_row(found, self._settings, self._clock.wall()))
        except IntercomdError as error:
            self._loader.undo_leave_out(request.key)
            if isinstance(error, RecordDamaged):
                return None  # Another release wrote it: only that one can end it.
            raise
        if found.parked and not found.ahead:
            # The pause of a parked lane is that of its head: the next envelope is due at once.
            await self._spool.park(self._settings.name, found.row.lane, (), self._clock.wall(), 0)
            self._loader.query_due()
        return outcome

    async def _settle(self, completion: Completion) -> Outcome | None:
        outcomes = await self._spool.settle([Settlement(self._settings.name, [completion])])
        self._loader.remove_rows([completion.key])
        self._observer.on_outcomes(outcomes)
        return outcomes[0] if outcomes else None


def complete_row(found: WaitingRow, settings: ConnectionSettings, now: float) -> Completion:
    """Returns how a row ends that is given up.

    Raises:
        RecordDamaged: its record cannot be read.
    """
    row = found.row
    progress = unpack(row.progress, Progress) if row.progress else Progress()
    waiting = PendingEnvelope(row.key, row.priority, unpack(row.data, AcceptedEnvelope), progress)
    return give_up(waiting, settings, now)
