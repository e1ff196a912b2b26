"""Performs what the lanes of one connection ask for: makes their calls, commits what was judged, feeds answers back.

Synchronous methods decide; tasks only await one answer, or one commit, and hand it over. When a call may leave, pace,
the outage detector and access say; what it is, the lane says.
"""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification, Kind, classify
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call, Request, Response
from intercomd_daemon.deliver.lane.actions import AfterResponse, CreateAttribute, Idle, ReadAttributes, Send, Settle
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.lane import DRY_RUN, Lane
from intercomd_daemon.deliver.schedule.access_probe import AccessProbe
from intercomd_daemon.deliver.schedule.attribute_sync import AttributeSync
from intercomd_daemon.deliver.schedule.backoff import delay_seconds
from intercomd_daemon.deliver.schedule.caller import Caller
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.commit_batcher import CommitBatcher
from intercomd_daemon.deliver.schedule.connection_state import ConnectionMonitor, ConnectionStatus, Observer
from intercomd_daemon.deliver.schedule.lane_loader import LaneLoader
from intercomd_daemon.deliver.schedule.outage import Allowed
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Outflow, Settlement

# "64 lanes are open at once": so many have a call under way.
OPEN_MAX = 64
# Lanes whose results are being committed, during which others may call; a disk that hangs stops the calls at so many.
SETTLING_MAX = 256
# A lane whose own trouble keeps it waiting longer than this is set aside; shorter waits are spent in memory.
REST_SECONDS_MAX = 2.0


class Worker:
    """The deliveries of one connection."""

    def __init__(
        self,
        settings: ConnectionSettings,
        spool: Outflow,
        intercom: IntercomClient,
        pace: Pace,
        observer: Observer,
        *,
        paused: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._caller = Caller(settings.name, intercom, pace, observer, clock or Clock())
        self._pace = pace
        self._observer = observer
        self._clock = clock or Clock()
        self._monitor = ConnectionMonitor(settings, observer, self._clock, paused=paused)
        self._ready_queue = ReadyQueue()
        self._catalog = AttributeCatalog(settings)
        self._loader = LaneLoader(settings, spool, self._catalog, self._ready_queue, observer, self._spawn, self._pump)
        self._access_probe = AccessProbe(settings, self._monitor, self._caller, self._recovered, self._clock)
        self._attribute_sync = AttributeSync(
            settings, self._catalog, self._monitor, self._caller, self._recovered, observer, self._clock
        )
        self._commits: CommitBatcher[tuple[Settlement, Lane, AfterResponse]] = CommitBatcher(
            lambda batch: self._spawn(self._settle(batch))
        )
        self._flying = 0
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._drained = asyncio.Event()

    async def run(self) -> None:
        """Delivers until `stop`; a fault of ours ends it with the exception."""
        self._spool.on_append(self._settings.name, self._appended)
        async with self._caller, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            asking = [
                tasks.create_task(ask(self._pump)) for ask in (self._access_probe.verify, self._access_probe.check)
            ]
            self._pump()
            try:
                await self._drained.wait()
            finally:
                # Nothing begins any more. Ended at once, what was judged and still waits for its commit is let go as
                # well: its call will be made again.
                self._stopping, self._tasks = True, None
                self._disarm()
            for task in asking:
                task.cancel()

    def stop(self) -> None:
        """Makes no further call; `run` returns when those in flight are answered and committed."""
        self._stopping = True
        self._pump()

    def pause(self, *, paused: bool) -> None:
        """Stops calling, or goes on; what is in flight is finished."""
        self._monitor.pause(paused=paused)
        self._pump()

    def status(self) -> ConnectionStatus:
        """How the connection stands."""
        now = self._clock.monotonic()
        return ConnectionStatus(
            name=self._settings.name,
            state=self._monitor.state,
            reason=self._monitor.reason,
            since=self._monitor.since,
            app_id=self._settings.app_id,
            workspace_name=self._monitor.workspace_name,
            region=self._monitor.region or self._settings.region,
            dry_run=self._settings.dry_run,
            calls=self._caller.calls,
            budget_limit=self._pace.limit,
            budget_plan=self._pace.plan,
            budget_remaining=self._pace.remaining(now),
            window_seconds=self._pace.window_seconds,
            window_ends=self._clock.wall() + self._pace.window_ends - now,
            lanes_open=self._flying,
            rows_read_ahead=self._loader.rows,
            next_probe=self._monitor.next_probe,
            last_error=self._caller.last_error,
            custom_attributes=self._catalog.in_use,
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            coroutine.close()
        else:
            self._tasks.create_task(coroutine)

    def _appended(self, priority: Priority) -> None:
        self._loader.mark_appended(priority)
        self._pump()

    def _pump(self) -> None:
        """Gives out turns as long as calls may leave, then arms the timer for when the next one may."""
        if self._stopping:
            if not self._ready_queue.busy and not self._commits:
                self._drained.set()
            return
        if not self._monitor.open:
            return
        now = self._clock.monotonic()
        self._ready_queue.wake(now)
        # During an outage too: updates that are in memory when it ends leave together.
        self._loader.read_on()
        self._loader.load_due(self._clock.wall())
        self._make_room()
        while self._ready_queue.waiting and self._has_room() and self._pace.next_at(now) <= now:
            allowed = self._monitor.outage.allowed(now, untried=self._ready_queue.untried is not None)
            if allowed is Allowed.NOTHING:
                break
            if allowed is Allowed.CHECK:
                self._monitor.ask_check(now)
                break
            lane = self._ready_queue.take(untried=allowed is not Allowed.ANY)
            if lane is not None:
                self._turn(lane, now, allowed)
        self._arm(now)

    def _make_room(self) -> None:
        """Sets aside lanes that have failed and fill the window while Intercom answers: others are read and tried."""
        if not self._monitor.outage.of_single_users:
            return
        while (
            self._loader.full and self._ready_queue.untried is None and (lane := self._ready_queue.take()) is not None
        ):
            delay = delay_seconds(max(1, lane.failures), self._clock.jitter())
            self._loader.park(lane, self._clock.wall() + delay)

    def _has_room(self) -> bool:
        return self._flying < OPEN_MAX and self._ready_queue.busy - self._flying < SETTLING_MAX

    def _arm(self, now: float) -> None:
        self._disarm()
        at = min(self._ready_queue.next_wake, now + self._loader.seconds_until_due(self._clock.wall()))
        if self._ready_queue.waiting and self._has_room():
            untried = self._ready_queue.untried is not None
            at = min(at, max(self._pace.next_at(now), self._monitor.outage.next_at(untried=untried)))
        if at < inf:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._clock.monotonic()), self._pump)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self, lane: Lane, now: float, allowed: Allowed) -> None:
        """Performs a lane's next step."""
        step = lane.next(self._clock.wall())
        if isinstance(step, Idle):
            self._loader.drained(lane)
            return
        self._ready_queue.start(lane)
        if isinstance(step, Settle):
            self._commit(step.settlement, lane, AfterResponse())
            return
        if isinstance(step, Send) and self._settings.dry_run and not step.request.call.reads:
            self._pretend(lane)
            return
        self._monitor.outage.leave(allowed, lane.key, now)
        self._flying += 1
        if isinstance(step, Send):
            self._pace.take(now)
            self._spawn(self._send(lane, step.request))
        else:
            self._spawn(self._attribute(lane, step))

    async def _send(self, lane: Lane, request: Request) -> None:
        response = await self._caller.make(request)
        self._flying -= 1
        self._classified(lane, request.call, classify(request.call, response, request.contact_id), response)
        self._pump()

    def _pretend(self, lane: Lane) -> None:
        """A dry run: the call is decided, counted and logged, but not made."""
        self._caller.calls += 1
        after = lane.answered(Classification(Kind.DONE, DRY_RUN), Response(0), self._clock.wall())
        self._next(lane, after)

    def _classified(self, lane: Lane, call: Call, classification: Classification, response: Response) -> None:
        classification = self._monitor.classified(call, lane.key, classification, response, lane.failures)
        if classification.kind not in {Kind.TRANSIENT, Kind.SUSPENDED}:
            self._recovered()
        after = lane.answered(classification, response, self._clock.wall())
        self._loader.share_contact(lane)
        self._next(lane, after)

    def _recovered(self) -> None:
        """Intercom answers: if it was down until now, all lanes go on at once."""
        if self._monitor.succeeded():
            self._ready_queue.wake_all()

    def _next(self, lane: Lane, after: AfterResponse) -> None:
        if after.settlement is not None:
            self._commit(after.settlement, lane, after)
        else:
            self._free(lane, after)

    def _free(self, lane: Lane, after: AfterResponse) -> None:
        """Nothing is under way for the lane any more: it lines up, rests, or is set aside."""
        self._ready_queue.finish(lane)
        down = self._monitor.outage.down
        if after.back_off and down and self._loader.full and self._ready_queue.untried is None:
            # Its rows leave the window to others; it comes back at once.
            self._loader.park(lane, self._clock.wall())
        elif not after.back_off or down:
            self._line_up(lane)
        elif (delay := delay_seconds(lane.failures, self._clock.jitter())) <= REST_SECONDS_MAX:
            self._ready_queue.rest(lane, self._clock.monotonic() + delay)
        else:
            self._loader.park(lane, self._clock.wall() + delay)

    def _line_up(self, lane: Lane) -> None:
        if lane.head is None:
            self._loader.drained(lane)
        else:
            self._ready_queue.ready(lane)

    def _commit(self, settlement: Settlement, lane: Lane, after: AfterResponse) -> None:
        self._commits.add((settlement, lane, after), last=not self._flying)

    async def _settle(self, batch: list[tuple[Settlement, Lane, AfterResponse]]) -> None:
        self._observer.on_outcomes(await self._spool.settle([settlement for settlement, _, _ in batch]))
        for settlement, lane, after in batch:
            self._loader.remove_rows([ended.key for ended in settlement.completions])
            self._free(lane, after)
        self._pump()

    async def _attribute(self, lane: Lane, step: ReadAttributes | CreateAttribute) -> None:
        sync = self._attribute_sync
        delay = await (sync.read_attributes() if isinstance(step, ReadAttributes) else sync.create_attribute(*step))
        self._flying -= 1
        self._monitor.outage.abandoned(lane.key)
        self._ready_queue.finish(lane)
        if delay:
            self._ready_queue.rest(lane, self._clock.monotonic() + delay)
        else:
            self._line_up(lane)
        self._pump()
