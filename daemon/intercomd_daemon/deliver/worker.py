"""Delivers the envelopes of one connection: makes the calls that the lanes need, and commits their results.

Synchronous methods make the decisions; tasks only wait for responses and commits. The lane says which call is next;
the connection's state, the outage detector and the pace say when it may leave.
"""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.deliver.commit_batcher import CommitBatcher
from intercomd_daemon.deliver.give_up import RETRY_SECONDS, STOPPED, GiveUps
from intercomd_daemon.deliver.intercom.classification import Classification, Kind, classify
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.actions import (
    DRY_RUN,
    AfterResponse,
    CreateAttribute,
    Idle,
    ReadAttributes,
    Send,
    Settle,
)
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.schedule.access_probe import AccessProbe
from intercomd_daemon.deliver.schedule.attribute_sync import AttributeSync
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor, Observer
from intercomd_daemon.deliver.schedule.lane_loader import LaneLoader
from intercomd_daemon.deliver.schedule.open_calls import OpenCalls
from intercomd_daemon.deliver.schedule.outage import Allowed
from intercomd_daemon.deliver.schedule.paced_client import PacedClient
from intercomd_daemon.deliver.schedule.pacing import Pace, retry_delay
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import ShuttingDown
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.rows import ReadWaiting

# Lanes whose results wait for their commit, while other lanes may call. A disk that hangs stops the calls here.
SETTLING_MAX = 256
# A lane that must pause for longer is parked. During shorter pauses it stays in memory.
REST_SECONDS_MAX = 2.0


class Worker:
    """Delivers the envelopes of one connection.

    A lane's turn, from top to bottom below:

    1. `_next_call` takes a ready lane when a call may leave: for `_start_calls`, or after a response (`_make_calls`).
    2. `_start_turn` starts what the lane needs next, mostly a call (`_send`).
    3. The response changes the connection's state and the lane.
    4. `_commit` collects the result with others; `_settle` commits them.
    5. `_free` makes the lane ready again, lets it rest, or parks it.

    A completed operation is committed before the lane's next call. A crash may repeat lookups and refused calls,
    and for each lane at most one write that took effect.
    """

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
        self._pace = pace
        self._observer = observer
        self._clock = clock or Clock()
        self._client = PacedClient(settings.name, intercom, pace, observer, self._clock)
        self._ready_queue = ReadyQueue()
        self._monitor = ConnectionMonitor(settings, observer, self._clock, self._ready_queue.wake_all, paused=paused)
        self._outage = self._monitor.outage
        self._catalog = AttributeCatalog(settings)
        self._loader = LaneLoader(
            settings, spool, self._catalog, self._ready_queue, observer, self._spawn, self._start_calls
        )
        self._access_probe = AccessProbe(settings, self._monitor, self._client)
        self._attribute_sync = AttributeSync(
            settings, spool, self._catalog, self._monitor, self._client, observer, self._clock
        )
        self._commits: CommitBatcher[tuple[Lane, AfterResponse]] = CommitBatcher(
            lambda batch: self._spawn(self._settle(batch))
        )
        self._give_ups = GiveUps(
            settings, spool, self._loader, self._ready_queue, observer, self._clock, self._spawn, self._on_given_up
        )
        self._open_calls = OpenCalls()
        self._stopping = False
        self._scheduled_start: asyncio.Handle | None = None
        """The call of `_start_calls` at the end of this pass of the event loop."""
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._drained = asyncio.Event()

    async def run(self) -> None:
        """Delivers until `stop`; a bug in the daemon ends it with the exception."""
        self._spool.on_append(self._settings.name, self._on_append)
        if self._spool.unclean:
            self._loader.expect_late_writes()
        async with self._client, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            probes = [
                tasks.create_task(probe(self._start_calls))
                for probe in (self._access_probe.verify, self._access_probe.check)
            ]
            self._start_calls()
            try:
                await self._drained.wait()
            finally:
                # From here on nothing starts. If the worker is cancelled, results that wait for their commit are
                # dropped too: their calls are repeated after the next start.
                self._stopping, self._tasks = True, None
                self._give_ups.close()
                self._cancel_timer()
            for task in probes:
                task.cancel()

    def stop(self) -> None:
        """Starts no further call; `run` returns when the results of those in flight are committed."""
        self._stopping = True
        self._start_calls()

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes the calls; those in flight are finished."""
        self._monitor.pause(paused=paused)
        self._start_calls()

    def probe_now(self) -> None:
        """Probes a suspended or down connection now; changes nothing in other states."""
        self._monitor.probe_now()
        self._start_calls()

    @property
    def troubled(self) -> bool:
        """Whether it cannot deliver for a reason that another daemon may not have, such as its network or token."""
        return self._monitor.troubled

    def status(self) -> ConnectionStatus:
        """Returns the status of the connection."""
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
            calls=self._client.calls,
            budget_limit=self._pace.limit,
            budget_plan=self._pace.plan,
            budget_remaining=self._pace.remaining(now),
            window_seconds=self._pace.window_seconds,
            window_ends=self._clock.wall() + self._pace.window_ends - now,
            lanes_open=len(self._open_calls),
            rows_read_ahead=self._loader.rows,
            next_probe=self._next_probe(now),
            last_error=self._client.last_error,
            custom_attributes=self._catalog.in_use,
        )

    def _next_probe(self, now: float) -> float:
        """Returns when the connection is probed next, Unix seconds; 0.0: not known, or it need not be."""
        if self._monitor.state is not ConnectionState.DOWN:
            return self._monitor.next_probe
        at = self._monitor.outage.next_at(untried=False)
        return self._clock.wall() + max(0.0, at - now) if at < inf else 0.0

    async def give_up(self, lane_key: str, key: int, read: ReadWaiting) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait any more.

        `read` reads the row again, if it is not in memory.

        Raises:
            RetryLater: the worker does not run.
        """
        if self._tasks is None:
            raise ShuttingDown(STOPPED, RETRY_SECONDS)
        return await self._give_ups.give_up(lane_key, key, read)

    def _on_given_up(self, lane: Lane, after: AfterResponse) -> None:
        self._free(lane, after)
        self._start_calls()

    def lane_state(self, lane_key: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        lane = self._loader.residency.lane(lane_key)
        if lane is None:
            return None
        busy = self._ready_queue.is_busy(lane)
        head, own = lane.queue.head, lane.queue.find(key)
        rest = self._ready_queue.rests_until(lane)
        return LaneState(
            # A result being committed has already left the queue.
            in_flight=lane.is_in_flight(key) or (busy and (own is None or own is head)),
            failures=lane.failures,
            retry_at=self._clock.wall() + rest - self._clock.monotonic() if rest else 0.0,
            attempts=own.attempts if own else 0,
            http_status=head.http_status if head else 0,
            last_error=head.last_error if head else "",
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            coroutine.close()
            return
        try:
            self._tasks.create_task(coroutine)
        except RuntimeError:
            # A task has failed, such as a commit after the workspace was lost: the group ends, and accepts no other.
            coroutine.close()
            self._stopping, self._tasks = True, None

    def _on_append(self, priority: Priority) -> None:
        self._loader.mark_appended(priority)
        self._start_calls()

    def _start_calls_soon(self) -> None:
        """Calls `_start_calls` once for all responses that this pass of the event loop handles."""
        if self._scheduled_start is None:
            self._scheduled_start = asyncio.get_running_loop().call_soon(self._start_calls)

    def _start_calls(self) -> None:
        """Starts all calls that may leave now, and sets the timer for the next one.

        Called after everything that may let a call leave: rows that were appended or loaded, a response, a commit, a
        change of the connection's state, the timer.
        """
        if self._scheduled_start is not None:
            self._scheduled_start.cancel()
            self._scheduled_start = None
        if self._stopping:
            # `run` returns after the last commit.
            if not self._ready_queue.busy and not self._commits:
                self._drained.set()
            return
        if not self._monitor.open:
            return
        now = self._clock.monotonic()
        # Lanes are loaded during an outage too: updates that are in memory when it ends are merged into one call.
        self._ready_queue.wake(now)
        self._loader.start_next_read()
        self._loader.load_due(self._clock.wall())
        while (call := self._next_call(now)) is not None:
            self._spawn(self._make_calls(call))
        if self._loader.full:
            self._park_failing_lanes(now)
        self._set_timer(now)

    def _next_call(self, now: float) -> tuple[Lane, Send] | None:
        """Returns the next call that leaves now, and its lane; starts the turns before it that need no call."""
        while True:
            untried_at, failed_at = self._places_at()
            if self._next_call_at(now, untried_at, failed_at) > now:
                return None
            untried, failed = untried_at <= now, failed_at <= now
            allowed = self._outage.allowed(now, untried=untried)
            if allowed is Allowed.CHECK:
                self._monitor.request_check(now)
                return None
            if allowed is not Allowed.ANY:
                # During an outage lanes that have not failed go first: their success ends it.
                failed = not untried
            alternate = self._open_calls.uses_reserve or allowed is Allowed.UNTRIED
            lane = self._ready_queue.take(untried=untried, failed=failed, alternate=alternate)
            if lane is not None and (step := self._start_turn(lane, now, allowed)) is not None:
                return lane, step

    def _places_at(self) -> tuple[float, float]:
        """Returns when a place is free for a ready lane whose last call did not fail, and for one whose did.

        Infinite: no such lane is ready, or a call must end first.
        """
        untried_at = self._open_calls.next_at(failed=False) if self._ready_queue.has_untried else inf
        failed_at = self._open_calls.next_at(failed=True) if self._ready_queue.has_failed else inf
        return untried_at, failed_at

    def _next_call_at(self, now: float, untried_at: float, failed_at: float) -> float:
        """Returns when a ready lane may take its turn, with the times of `_places_at`.

        Infinite: no lane is ready, or another turn must end first.
        """
        if self._ready_queue.busy - len(self._open_calls) >= SETTLING_MAX:
            return inf
        if self._outage.check_due and (self._ready_queue.has_untried or self._ready_queue.has_failed):
            # `GET /me` takes no lane's place: it decides whether others may call while all places are taken.
            at = 0.0
        else:
            at = max(untried_at, self._outage.next_at(untried=True))
            if failed_at < inf:
                at = min(at, max(failed_at, self._outage.next_at(untried=False)))
        return max(self._pace.next_at(now), at)

    def _park_failing_lanes(self, now: float) -> None:
        """Parks failed lanes that fill the window while they wait and Intercom works, so that others can be read."""
        waits_for_place = self._open_calls.next_at(failed=True) > now
        if not self._outage.of_single_users and (self._outage.down or not waits_for_place):
            return
        while (
            self._loader.full and not self._ready_queue.has_untried and (lane := self._ready_queue.take()) is not None
        ):
            self._ready_queue.finish(lane)
            delay = retry_delay(max(1, lane.failures), self._clock.jitter())
            self._loader.park(lane, self._clock.wall() + delay)

    def _set_timer(self, now: float) -> None:
        """Calls `_start_calls` when a rest ends, a parked lane is due, or the next call may leave."""
        self._cancel_timer()
        due_at = now + self._loader.seconds_until_due(self._clock.wall())
        at = min(self._ready_queue.next_wake, due_at, self._next_call_at(now, *self._places_at()))
        if at < inf:
            self._timer = asyncio.get_running_loop().call_later(
                max(0.0, at - self._clock.monotonic()), self._start_calls
            )

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_turn(self, lane: Lane, now: float, allowed: Allowed) -> Send | None:
        """Starts what a lane needs next, as the outage detector allowed it; returns the call that it needs, if any."""
        self._loader.share_contact(lane)
        step = lane.next(self._clock.wall())
        if isinstance(step, Send):
            if self._settings.dry_run and not step.request.call.reads:
                # A dry run decides and counts the call, but does not make it.
                self._client.skip(step.request.call)
                done = Classification(Kind.DONE, DRY_RUN)
                self._commit(lane, lane.on_response(done, Response(0), self._clock.wall()))
                return None
            self._outage.start_call(allowed, lane.key, now)
            self._open_calls.start(lane, now)
            self._pace.take(now)
            return step
        if isinstance(step, Idle):
            self._ready_queue.finish(lane)
            self._loader.refill_or_remove(lane)
        elif isinstance(step, Settle):
            self._commit(lane, AfterResponse(step.settlement))
        else:
            self._outage.start_call(allowed, lane.key, now)
            self._open_calls.start(lane, now)
            self._spawn(self._sync_attributes(lane, step))
        return None

    async def _make_calls(self, call: tuple[Lane, Send]) -> None:
        """Makes a call, and after its response the next one that may leave: a task for each call would cost more."""
        following: tuple[Lane, Send] | None = call
        while following is not None:
            await self._send(*following)
            may_go_on = self._monitor.open and not self._stopping
            following = self._next_call(self._clock.monotonic()) if may_go_on else None

    async def _send(self, lane: Lane, step: Send) -> None:
        request, contact_id = step.request, lane.contact.id
        response = await self._client.call(request, step.traceparents)
        self._open_calls.end(lane)
        classification = classify(request.call, response, request.contact_id)
        if classification.kind is Kind.TRANSIENT:
            self._client.note_failure(request.call, classification, response)
        # The connection first: it may find that a 403 is about this call alone, or that an outage has ended.
        classification = self._monitor.on_response(request.call, lane.key, classification, response, lane.failures)
        after = lane.on_response(classification, response, self._clock.wall())
        if lane.contact.id != contact_id:
            self._loader.share_contact(lane)
        self._commit(lane, after)
        self._start_calls_soon()

    async def _sync_attributes(self, lane: Lane, step: ReadAttributes | CreateAttribute) -> None:
        sync = self._attribute_sync
        delay = await (sync.read_attributes() if isinstance(step, ReadAttributes) else sync.create_attribute(*step))
        self._open_calls.end(lane)
        self._outage.abandon_probe(lane.key)
        self._ready_queue.finish(lane)
        if self._give_ups.take_turn(lane, AfterResponse()):
            return
        if delay:
            if lane.queue.head is not None:
                lane.queue.head.on_failure(*sync.last_failure)
            self._ready_queue.rest(lane, self._clock.monotonic() + delay)
        else:
            self._continue(lane)
        self._start_calls()

    def _commit(self, lane: Lane, after: AfterResponse) -> None:
        """Commits a result together with others; without anything to commit, the lane is free at once."""
        if after.settlement is None:
            self._free(lane, after)
        else:
            self._commits.add((lane, after), last=not self._open_calls)

    async def _settle(self, batch: list[tuple[Lane, AfterResponse]]) -> None:
        settlements = [after.settlement for _, after in batch if after.settlement is not None]
        self._observer.on_outcomes(await self._spool.settle(settlements))
        for settlement, (lane, after) in zip(settlements, batch, strict=True):
            self._loader.remove_rows(completion.key for completion in settlement.completions)
            self._free(lane, after)
        self._start_calls()

    def _free(self, lane: Lane, after: AfterResponse) -> None:
        """Decides when a lane continues after its call and commit.

        1. Its call did not fail: at once.
        2. It failed while the connection is down: the outage detector decides when, so it stays ready. Only if the
           window is full of lanes that failed is it parked, due at once, so that others are read.
        3. It failed by itself: after a pause, for which it is parked unless the pause is short.
        """
        self._ready_queue.finish(lane)
        if self._give_ups.take_turn(lane, after):
            return
        if not after.back_off:
            self._continue(lane)
        elif self._outage.down:
            if self._loader.full and not self._ready_queue.has_untried:
                self._loader.park(lane, self._clock.wall())
            else:
                self._continue(lane)
        else:
            if details := lane.failures_to_report():
                self._observer.on_notice(self._settings.name, "user_retrying", **details)
            if (delay := retry_delay(lane.failures, self._clock.jitter())) <= REST_SECONDS_MAX:
                self._ready_queue.rest(lane, self._clock.monotonic() + delay)
            else:
                self._loader.park(lane, self._clock.wall() + delay)

    def _continue(self, lane: Lane) -> None:
        """Makes a lane ready for its next envelope, or has more of its envelopes loaded."""
        if lane.queue.head is None:
            self._loader.refill_or_remove(lane)
        else:
            self._ready_queue.ready(lane, answered=True)
