"""Performs what the lanes of one connection ask for: makes their calls, commits what was judged, feeds answers back.

Synchronous methods decide; tasks only await one answer, or one commit, and hand it over. When a call may leave, pace,
the outage detector and access say; what it is, the lane says.
"""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.backoff import delay_seconds
from intercomd_daemon.deliver.caller import Caller
from intercomd_daemon.deliver.catalogue import Catalogue
from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.delivery import DRY_RUN, Lane
from intercomd_daemon.deliver.exchange import Answer, Call, Request
from intercomd_daemon.deliver.feeder import Feeder
from intercomd_daemon.deliver.gate import Gate, Observer
from intercomd_daemon.deliver.intercom import Intercom
from intercomd_daemon.deliver.judge import Kind, Verdict, judge
from intercomd_daemon.deliver.outage import Allowed
from intercomd_daemon.deliver.pace import Pace
from intercomd_daemon.deliver.roster import Roster
from intercomd_daemon.deliver.sidework import Sidework
from intercomd_daemon.deliver.status import ConnectionStatus
from intercomd_daemon.deliver.step import After, CreateAttribute, ReadAttributes, Rest, Send, Settle, rules_of
from intercomd_daemon.deliver.unsettled import Unsettled
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
        intercom: Intercom,
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
        self._gate = Gate(settings, observer, self._clock, paused=paused)
        self._roster = Roster()
        catalogue = Catalogue(settings)
        self._feeder = Feeder(rules_of(settings), spool, catalogue, self._roster, self._spawn, self._pump)
        self._sidework = Sidework(
            settings, catalogue, self._gate, pace, self._caller.make, self._recovered, observer, self._clock
        )
        self._unsettled: Unsettled[tuple[Settlement, Lane, After]] = Unsettled(
            lambda batch: self._spawn(self._settle(batch))
        )
        self._open = 0
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
            asking = [tasks.create_task(side(self._pump)) for side in (self._sidework.verify, self._sidework.check)]
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
        self._gate.pause(paused=paused)
        self._pump()

    def status(self) -> ConnectionStatus:
        """How the connection stands."""
        now = self._clock.monotonic()
        return ConnectionStatus(
            name=self._settings.name,
            state=self._gate.state,
            reason=self._gate.reason,
            since=self._gate.since,
            app_id=self._settings.app_id,
            workspace_name=self._gate.workspace_name,
            region=self._gate.region or self._settings.region,
            dry_run=self._settings.dry_run,
            calls=self._caller.calls,
            budget_limit=self._pace.limit,
            budget_plan=self._pace.plan,
            budget_remaining=self._pace.remaining(now),
            window_seconds=self._pace.window_seconds,
            window_ends=self._clock.wall() + self._pace.window_ends - now,
            lanes_open=self._flying,
            rows_read_ahead=self._feeder.rows,
            next_probe=self._gate.next_probe,
            last_error=self._caller.last_error,
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            coroutine.close()
        else:
            self._tasks.create_task(coroutine)

    def _appended(self, priority: Priority) -> None:
        self._feeder.appended(priority)
        self._pump()

    def _pump(self) -> None:
        """Gives out turns as long as calls may leave, then arms the timer for when the next one may."""
        if self._stopping:
            if not self._open and not self._unsettled:
                self._drained.set()
            return
        if not self._gate.open:
            return
        now = self._clock.monotonic()
        _tell_damage(self._feeder, self._observer, self._settings.name)
        self._roster.wake(now)
        # During an outage too: updates that are in memory when it ends leave together.
        self._feeder.fill()
        self._feeder.feed_due(self._clock.wall())
        self._make_room()
        while self._roster.waiting and self._has_room() and self._pace.next_at(now) <= now:
            allowed = self._gate.outage.allowed(now, untried=self._roster.untried is not None)
            if allowed is Allowed.NOTHING:
                break
            if allowed is Allowed.CHECK:
                self._gate.ask_check(now)
                break
            lane = self._roster.take(untried=allowed is not Allowed.ANY)
            if lane is not None:
                self._turn(lane, now, allowed)
        self._arm(now)

    def _make_room(self) -> None:
        """Sets aside lanes that have failed and fill the window while Intercom answers: others are read and tried."""
        if not self._gate.outage.of_single_users:
            return
        while self._feeder.full and self._roster.untried is None and (lane := self._roster.take()) is not None:
            delay = delay_seconds(max(1, lane.failures), self._clock.jitter())
            self._feeder.set_aside(lane, self._clock.wall() + delay)

    def _has_room(self) -> bool:
        return self._flying < OPEN_MAX and self._open - self._flying < SETTLING_MAX

    def _arm(self, now: float) -> None:
        self._disarm()
        at = min(self._roster.next_wake, now + max(0.0, self._feeder.due_at - self._clock.wall()))
        if self._roster.waiting and self._has_room():
            untried = self._roster.untried is not None
            at = min(at, max(self._pace.next_at(now), self._gate.outage.next_at(untried=untried)))
        if at < inf:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._clock.monotonic()), self._pump)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self, lane: Lane, now: float, allowed: Allowed) -> None:
        """Performs a lane's next step."""
        step = lane.next(self._clock.wall())
        if isinstance(step, Rest):
            self._feeder.ran_dry(lane)
            return
        lane.busy = True
        self._open += 1
        if isinstance(step, Settle):
            self._commit(step.settlement, lane, After())
            return
        if isinstance(step, Send) and self._settings.dry_run and not step.request.call.reads:
            self._pretend(lane)
            return
        self._gate.outage.leave(allowed, lane.key, now)
        self._flying += 1
        if isinstance(step, Send):
            self._pace.take(now)
            self._spawn(self._send(lane, step.request))
        else:
            self._spawn(self._attribute(lane, step))

    async def _send(self, lane: Lane, request: Request) -> None:
        answer = await self._caller.make(request)
        self._flying -= 1
        self._judged(lane, request.call, judge(request.call, answer, request.contact_id), answer)
        self._pump()

    def _pretend(self, lane: Lane) -> None:
        """A dry run: the call is decided, counted and logged, but not made."""
        self._caller.calls += 1
        after = lane.answered(Verdict(Kind.DONE, DRY_RUN), Answer(0), self._clock.wall())
        self._next(lane, after)

    def _judged(self, lane: Lane, call: Call, verdict: Verdict, answer: Answer) -> None:
        verdict = self._gate.judged(call, lane.key, verdict, answer, lane.failures)
        if verdict.kind not in {Kind.PASSING, Kind.SUSPENDED}:
            self._recovered()
        after = lane.answered(verdict, answer, self._clock.wall())
        self._feeder.share(lane)
        self._next(lane, after)

    def _recovered(self) -> None:
        """Intercom answers: if it was down until now, all lanes go on at once."""
        if self._gate.succeeded():
            self._roster.wake_all()

    def _next(self, lane: Lane, after: After) -> None:
        if after.settlement is not None:
            self._commit(after.settlement, lane, after)
        else:
            self._free(lane, after)

    def _free(self, lane: Lane, after: After) -> None:
        """Nothing is under way for the lane any more: it lines up, rests, or is set aside."""
        lane.busy = False
        self._open -= 1
        down = self._gate.outage.down
        if after.back_off and down and self._feeder.full and self._roster.untried is None:
            # Its rows leave the window to others; it comes back at once.
            self._feeder.set_aside(lane, self._clock.wall())
        elif not after.back_off or down:
            self._line_up(lane)
        elif (delay := delay_seconds(lane.failures, self._clock.jitter())) <= REST_SECONDS_MAX:
            self._roster.rest(lane, self._clock.monotonic() + delay)
        else:
            self._feeder.set_aside(lane, self._clock.wall() + delay)

    def _line_up(self, lane: Lane) -> None:
        if lane.head is None:
            self._feeder.ran_dry(lane)
        else:
            self._roster.ready(lane)

    def _commit(self, settlement: Settlement, lane: Lane, after: After) -> None:
        self._unsettled.add((settlement, lane, after), last=not self._flying)

    async def _settle(self, batch: list[tuple[Settlement, Lane, After]]) -> None:
        self._observer.on_outcomes(await self._spool.settle([settlement for settlement, _, _ in batch]))
        for settlement, lane, after in batch:
            self._feeder.leave([ended.key for ended in settlement.completions])
            self._free(lane, after)
        self._pump()

    async def _attribute(self, lane: Lane, step: ReadAttributes | CreateAttribute) -> None:
        side = self._sidework
        delay = await (side.read_attributes() if isinstance(step, ReadAttributes) else side.create_attribute(*step))
        self._flying -= 1
        self._gate.outage.abandoned(lane.key)
        lane.busy = False
        self._open -= 1
        if delay:
            self._roster.rest(lane, self._clock.monotonic() + delay)
        else:
            self._line_up(lane)
        self._pump()


def _tell_damage(feeder: Feeder, observer: Observer, connection: str) -> None:
    if feeder.damaged:
        observer.on_notice(connection, "rows_damaged", rows=feeder.damaged.copy())
        feeder.damaged.clear()
    if feeder.ended_damaged:
        observer.on_outcomes(feeder.ended_damaged.copy())
        feeder.ended_damaged.clear()
