"""Simulates a worker's days in virtual time: senders, Intercom's faults, crashes and an operator, from one seed.

`order` checks each call. The end is checked here: nothing is lost, every envelope has one outcome, Intercom has the
last values, and everything that can be delivered is delivered soon.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from math import inf
from random import Random
from typing import Any, NamedTuple

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Scalar, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.sandbox import CustomAttribute, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import DeadLetterFilter, Incoming, OutcomeFilter
from simulation.delayed_spool import Commits, DelayedSpool, InMemory
from simulation.intercom import ATTRIBUTES, POISON, TROUBLE, UNIX, FarSide, Temper, Wire, number_of, part_of, time_of
from simulation.order import Order, Part

DAY = 86_400.0


class Plan(NamedTuple):
    """What a run is made of."""

    users: int = 60
    envelopes: int = 1500
    seconds: float = 300.0
    """In which the senders send."""
    bulk: float = 0.2
    busy: float = 0.3
    """Of all envelopes, how many are of the first user."""
    poison: float = 0.02
    temper: Temper = TROUBLE
    crashes: int = 6
    stops: int = 2
    pauses: int = 1
    outages: int = 1
    stuck: int = 3
    deletions: int = 4
    jumps: int = 0
    """How often the daemon's wall clock is set, by up to a year."""
    replays: int = 2
    stalls: float = 0.01
    """Of all commits, how many take seconds."""
    limit: int = 167


class Figures(NamedTuple):
    """What a run came to."""

    calls: int
    statuses: dict[int, int]
    over_budget: int
    repeats: int
    crashes: int
    outcomes: dict[str, int]
    virtual_seconds: float


class Simulation:
    """One run: a spool, an Intercom, and one worker after another."""

    def __init__(self, loop: VirtualLoop, seed: int, plan: Plan, spool: Spool | None, commits: Commits | None) -> None:
        self.loop = loop
        self.plan = plan
        self.order = Order()
        settings = SandboxSettings(
            recorded=NONE,
            rate_limit=plan.limit,
            attributes=tuple(CustomAttribute(name, "float") for name in ATTRIBUTES.values()),
            events_max=10_000_000,
        )
        self.far_side = FarSide(loop, seed, self.order, plan.temper, settings)
        self.chance = Random(f"what happens {seed}")  # noqa: S311 - to be the same each time
        self.states: list[ConnectionState] = []
        self.ended_at: dict[str, float] = {}
        """When each envelope ended, by its id."""
        self._offset = 0.0
        self._jitter = Random(f"jitter {seed}").random  # noqa: S311 - to be the same each time
        # `check` reads all outcomes, whatever the wall clock was set to in the meantime.
        self.spool = spool or MemorySpool(
            bytes_max=1 << 40,
            outcomes_max=1 << 40,
            outcomes_kept_seconds=inf,
            wall=self.wall,
            monotonic=loop.time,
        )
        commits = commits or InMemory(loop, Random(seed), stalls=plan.stalls)  # noqa: S311 - as above
        self.committing = DelayedSpool(self.spool, commits, self.order, self._settled)
        self._worker: Worker | None = None
        self._life: asyncio.Task[None] | None = None
        self._paused = False
        self._ended = asyncio.Event()
        self._numbers: Counter[str] = Counter()
        self.appended: list[tuple[str, int]] = []
        """The id of each envelope, and how many times it is replayed."""

    def wall(self) -> float:
        """The daemon's clock."""
        return UNIX + self._offset + self.loop.time()

    # What a worker tells.

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        assert all(outcome.sequence for outcome in outcomes)

    def on_call(
        self,
        connection: str,
        call: Call,
        status: int,
        seconds: float,
        traceparents: Sequence[str] = (),  # noqa: ARG002 - the observer's signature
        body: bytes = b"",  # noqa: ARG002 - likewise
    ) -> None:
        assert seconds >= 0, (connection, call, status)

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        assert bool(reason) is (state is not ConnectionState.DELIVERING), connection
        self.states.append(state)

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        assert event != "rows_damaged", (connection, details)

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.ended_at[outcome.envelope_id] = self.loop.time()
        self._ended.set()

    # A worker's life.

    def start(self, pace: Pace | None = None, *, unclean: bool = False) -> None:
        """A worker begins, on whatever the spool holds; `unclean`: another one lost the workspace."""
        settings = ConnectionSettings(name="default", app_id="sandbox")
        pace = pace or Pace(settings.rate.calls_per_window, 1.0, self.loop.time())
        clock = Clock(self.wall, self.loop.time, self._jitter)
        wire = Wire(self.far_side, self.order)
        outflow = LocalOutflow(self.committing, "workspace")
        outflow.unclean = unclean
        self._worker = Worker(settings, outflow, wire, pace, self, paused=self._paused, clock=clock)
        self._life = self.loop.create_task(self._worker.run())

    async def crash(self) -> None:
        """It ends without warning; what was under way to Intercom arrives."""
        self._life.cancel()
        await asyncio.wait([self._life])
        await self.committing.crash()
        assert self._life.cancelled(), self._life.exception()
        self.order.crash()
        self._worker = None

    async def stop(self) -> None:
        """It ends in order: nothing is left half done."""
        self._worker.stop()
        await self._life
        self._worker = None

    def pause(self, *, paused: bool) -> None:
        """An operator's word; it outlives the worker."""
        self._paused = paused
        if self._worker is not None:
            self._worker.pause(paused=paused)

    def set_clock(self, seconds: float) -> None:
        """The daemon's wall clock is set, by so much from the true time."""
        self._offset = seconds

    # What senders send.

    async def append(self, envelopes: Sequence[tuple[AcceptedEnvelope, Priority]]) -> None:
        rows = [
            Incoming("default", priority, lane_of(e.customer_id, e.email), e.envelope_id, pack(e), recognised=False)
            for e, priority in envelopes
        ]

        def on_commit() -> None:
            for (envelope, priority), row in zip(envelopes, rows, strict=True):
                number = number_of(envelope.envelope_id)
                self.far_side.priorities[row.lane, number] = priority
                parts = range(
                    0 if envelope.contact_update and envelope.contact_update.attributes else 1, len(envelope.events) + 1
                )
                self.order.append(row.lane, priority, number, parts)
                self.appended.append((envelope.envelope_id, 0))

        await self.committing.append(rows, on_commit)

    def envelope(self, user: int, priority: Priority, form: str, *, poison: bool = False) -> AcceptedEnvelope:
        """The user's next envelope: "u" an update, "e" an event, and what these make together."""
        customer_id, email = identity(user)
        number = self._numbers[str(user)]
        self._numbers[str(user)] += 1
        update: dict[str, Scalar] = {ATTRIBUTES[priority]: number} if "u" in form else {}
        name = POISON if poison else "step"
        events = tuple(TrackEvent(name, time_of(Part(number, 1 + place)), b"") for place in range(form.count("e")))
        return AcceptedEnvelope(
            f"{user}/{number}",
            customer_id,
            email,
            self.wall(),
            operations_of(customer_id, email, update, events),
            (),
            "",
            b"",
        )

    async def replay(self) -> None:
        """Every dead letter of now, again."""
        letters = await self.loop.outside(self.spool.dead_letters(DeadLetterFilter(), 0, 1_000_000))
        wanted = DeadLetterFilter(dead_letter_ids=tuple(letter.dead_letter_id for letter in letters))
        letters.sort(key=lambda letter: letter.envelope.origin)

        def on_commit() -> None:
            for letter in letters:
                self.appended.append((letter.envelope.envelope_id, letter.envelope.replay + 1))
                lane = lane_of(letter.envelope.customer_id, letter.envelope.email)
                number = number_of(letter.envelope.envelope_id)
                for effect in letter.outcome.effects:
                    if effect.type is OutcomeType.DEAD_LETTERED:
                        part = part_of(number, effect).part
                        self.order.append(lane, self.far_side.priorities[lane, number], number, range(part, part + 1))

        if letters:
            await self.committing.replay(wanted, len(letters), on_commit)

    # What must hold at the end.

    def waiting(self) -> int:
        usage = self.spool.usage().connections["default"]
        return usage.normal + usage.bulk

    async def progress(self, seconds: float = DAY) -> None:
        """Returns once an envelope has its outcome, at the latest after this many seconds."""
        self._ended.clear()
        woken = self.loop.create_task(self._ended.wait())
        await asyncio.wait([woken, self._life], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        assert woken.done(), f"nothing has ended for {seconds} s: {self.order.unfinished()}"

    async def until_done(self, seconds: float) -> None:
        """Checks that everything is delivered within this many virtual seconds from now."""
        latest = self.loop.time() + seconds
        while self.waiting():
            await self.progress(latest - self.loop.time())

    async def check(self) -> Figures:
        """Nothing is lost, nothing ended twice, and Intercom has what was said last."""
        outcomes, _ = await self.loop.outside(self.spool.outcomes_after(OutcomeFilter(), 0, 1 << 40))
        found = Counter((outcome.envelope_id, outcome.replay) for outcome in outcomes)
        assert found == Counter(self.appended)
        assert not self.order.unfinished()
        statuses = self.far_side.statuses
        return Figures(
            calls=statuses.total(),
            statuses=dict(statuses),
            over_budget=self.far_side.over_budget,
            repeats=self.order.repeats,
            crashes=self.order.crashes,
            outcomes=dict(Counter(outcome.type.name for outcome in outcomes)),
            virtual_seconds=self.loop.time(),
        )


def identity(user: int) -> tuple[str, str]:
    """Customer id and email: some users have one of them, some both."""
    customer_id = "" if user % 4 == 3 else f"u{user}"
    email = f"u{user}@x.org" if user % 4 >= 2 else ""
    return customer_id, email


Play = Callable[[Simulation], Coroutine[Any, Any, None]]


def simulate(seed: int, plan: Plan, play: Play, *, finish: bool = True) -> Figures | None:
    """Plays a run on a spool in memory; at the end everything must be as it must, unless it is left unfinished."""

    async def run(loop: VirtualLoop) -> Figures | None:
        simulation = Simulation(loop, seed, plan, None, None)
        simulation.start()
        await play(simulation)
        if not finish:
            await simulation.crash()
            return None
        await simulation.stop()
        return await simulation.check()

    return run_virtually(run)
