"""Three daemons on one spool in virtual time: a workspace moves between them, and one worker at a time delivers.

The daemons decide by `fleet.lease` and `fleet.placement`, each by its own clock, which runs fast or slow and began
anywhere. They are killed, frozen, cut off from the database and stopped, all drawn from one seed. The worker, the pace
and the spool are the daemon's. A frozen daemon's calls are cut off when it freezes: it resumes without its lease.
"""

import asyncio
from collections import Counter
from random import Random
from typing import NamedTuple

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.deliver.schedule.pacing import TAKEOVER_CALLS, Pace
from intercomd_daemon.envelope import Priority
from intercomd_daemon.fleet.heartbeat import Heartbeat, follow_heartbeats
from intercomd_daemon.fleet.lease import (
    RENEWALS_PER_LEASE,
    Fence,
    Lease,
    LeaseRow,
    Observation,
    Terms,
    is_unclean,
    may_claim,
    observe,
)
from intercomd_daemon.fleet.placement import FleetView, Member, Place, living, may_take
from intercomd_daemon.spool.rows import PacingState
from simulation.intercom import TROUBLE
from simulation.simulation import Plan, Simulation

TERMS = Terms(lease_seconds=10.0)
LOOK_SECONDS = 0.25
FREE_LOOK_SECONDS = 0.1
SAVE_SECONDS = 2.0
DRIFT = 0.01
"""How much a clock runs fast or slow, at most."""
ROUND_TRIP_SECONDS = 0.02
RESUME_SECONDS = TERMS.lease_seconds + 5.0
"""From an owner's death to the next one, at most."""
RELEASE_SECONDS = 1.0
LATE_SECONDS_MAX = 5.0
"""Calls of an owner that lost its lease arrive until this long after the take-over."""
WORKSPACE = "w"
SERVES = frozenset({(WORKSPACE, "default")})
GRACE_SECONDS = 900.0


class Rules(NamedTuple):
    """Rules on which the promises depend. A mutant changes one of them."""

    owner_terms: Terms = TERMS
    """How long an owner believes that it may call."""
    claimant_terms: Terms = TERMS
    """How long a claimant waits."""
    expects_late_calls: bool = True
    """Whether a new owner leaves room for calls of the last one that arrive late."""


RULES = Rules()


class FleetFigures(NamedTuple):
    """What a run came to."""

    takeovers: Counter[str]
    """By what ended the previous owner."""
    slowest: float
    """The longest time from the end of an owner to the next one."""
    calls: int


class Database:
    """The row of the lease, and what else the daemons share."""

    def __init__(self) -> None:
        self.row = LeaseRow(Fence("", 0), 0, 1)
        self.members: dict[str, Member] = {}
        self.pacing: PacingState | None = None

    def claim(self, seen: LeaseRow, incarnation: str) -> bool:
        """Performs `claim_1`."""
        if self.row != seen:
            return False
        self.row = LeaseRow(Fence(incarnation, seen.fence.epoch + 1), 0, 1)
        return True

    def renew(self, fence: Fence) -> bool:
        """Performs `renew_1`."""
        if self.row.fence != fence:
            return False
        self.row = self.row._replace(renewal=self.row.renewal + 1)
        return True

    def release(self, fence: Fence) -> None:
        """Performs `release_1`."""
        if self.row.fence == fence:
            self.row = LeaseRow(Fence("", fence.epoch), self.row.renewal + 1, 1)


class Daemon:
    """One process: it waits for the lease, and delivers while it holds it."""

    def __init__(self, fleet: "FleetSimulation", incarnation: str, chance: Random) -> None:
        self.incarnation = incarnation
        self.away = False
        """Whether it cannot reach the database."""
        self.lease: Lease | None = None
        self._fleet = fleet
        self._chance = chance
        self._rate = 1.0 + DRIFT * (2.0 * chance.random() - 1.0)
        self._offset = 3600.0 * chance.random()
        self._seen: Observation | None = None
        self._free_since: float | None = None
        self._heartbeats: dict[str, Heartbeat] = {}
        self._heartbeats_written = 0
        self._heartbeat_at = 0.0
        self.life = fleet.loop.create_task(self._live())

    def clock(self) -> float:
        """Seconds of its own clock."""
        return self._offset + self._rate * self._fleet.loop.time()

    async def _live(self) -> None:
        while True:
            await self._round_trip()
            if not self.away:
                self._write_heartbeat()
                if self.lease is None:
                    await self._look()
            if self.lease is not None:
                await self._hold(self.lease)
                self.lease, self._seen, self._free_since = None, None, None
            await self._sleep(LOOK_SECONDS if self._free_since is None else FREE_LOOK_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        await self._fleet.loop.passes(seconds / self._rate)

    async def _round_trip(self) -> None:
        await self._fleet.loop.passes(ROUND_TRIP_SECONDS * self._chance.random())

    def _write_heartbeat(self) -> None:
        if self.clock() >= self._heartbeat_at:
            self._heartbeat_at = self.clock() + TERMS.lease_seconds / RENEWALS_PER_LEASE
            self._fleet.database.members[self.incarnation] = Member(self.incarnation, self._heartbeats_written, SERVES)
            self._heartbeats_written += 1

    async def _look(self) -> None:
        database = self._fleet.database
        now = self.clock()
        self._seen = observe(self._seen, database.row, 1, now)
        counts = {each.incarnation: each.heartbeats for each in database.members.values()}
        self._heartbeats = follow_heartbeats(self._heartbeats, counts, now)
        if not may_claim(self._seen, self.incarnation, now, self._fleet.rules.claimant_terms):
            self._free_since = None
            return
        self._free_since = now if self._free_since is None else self._free_since
        members = living(database.members.values(), self._heartbeats, now, TERMS)
        seen = FleetView(self.incarnation, members, {WORKSPACE: Place(database.row.fence.incarnation)})
        if not may_take(seen, WORKSPACE, now - self._free_since):
            return
        row, unclean = self._seen.row, is_unclean(self._seen)
        await self._round_trip()
        if database.claim(row, self.incarnation):
            self.lease = Lease(Fence(self.incarnation, row.fence.epoch + 1), now, self._fleet.rules.owner_terms)
            self._fleet.start_worker(self, unclean=unclean)

    async def _hold(self, lease: Lease) -> None:
        """Renews the lease until it ends."""
        saved_at = self.clock()
        while True:
            now = self.clock()
            if not lease.may_call(now):
                await self._fleet.lose("cut off")
                return
            at = min(max(min(lease.renew_at, saved_at + SAVE_SECONDS), now + 0.1), lease.abort_at)
            await self._sleep(at - now)
            if self.away:
                continue
            sent_at = self.clock()
            if sent_at >= saved_at + SAVE_SECONDS:
                saved_at = sent_at
                self._fleet.save_pacing()
            if sent_at >= lease.renew_at and lease.may_call(sent_at):
                self._write_heartbeat()
                await self._round_trip()
                assert self._fleet.database.renew(lease.fence), "the lease was taken from an owner that renewed it"
                lease = self.lease = lease.renewed(sent_at)

    async def end(self) -> None:
        """Ends what it does."""
        self.life.cancel()
        await asyncio.wait([self.life])
        assert self.life.cancelled(), self.life.exception()


class FleetSimulation(Simulation):
    """Three daemons; the worker is that of the one that holds the lease."""

    def __init__(self, loop: VirtualLoop, seed: int, plan: Plan, rules: Rules) -> None:
        super().__init__(loop, seed, plan, None, None)
        self.rules = rules
        self.database = Database()
        self.takeovers: Counter[str] = Counter()
        self.slowest = 0.0
        self._pace: Pace | None = None
        self._owner: Daemon | None = None
        self._ended_by: tuple[str, float] | None = None
        """What ended the last owner, and when; None: the one after it has called."""
        self._fates = Random(f"fates {seed}")  # noqa: S311 - to be the same each time
        self._count = 0
        self._daemons = [self._new() for _ in range(3)]

    def _new(self) -> Daemon:
        self._count += 1
        return Daemon(self, f"daemon {self._count}", self._fates)

    # The worker of the owner.

    def start_worker(self, owner: Daemon, *, unclean: bool) -> None:
        assert self._owner is None, "two daemons deliver"
        self._resumed()
        self._owner, now = owner, self.loop.time()
        self._pace = Pace(self.plan.limit, 1.0, now)
        state = self.database.pacing
        if state is not None and state.window_ends > self.wall():
            self._pace.restore(state, now, self.wall())
        if unclean and self.rules.expects_late_calls:
            self._pace.take_over()
            self.save_pacing()
        if unclean:
            self.loop.call_later(LATE_SECONDS_MAX * self._fates.random(), self.far_side.receive_late, TAKEOVER_CALLS)
        self.start(self._pace, unclean=unclean)

    def save_pacing(self) -> None:
        assert self._pace is not None
        self.database.pacing = self._pace.state(self.loop.time(), self.wall())

    async def lose(self, why: str) -> None:
        """The owner makes no more calls; what it sent arrives."""
        self._owner, self._ended_by = None, (why, self.loop.time())
        await self.crash()

    def _resumed(self) -> None:
        """Checks how soon the next owner is there; then it calls as soon as the budget allows."""
        if self._ended_by is None:
            return
        (why, at), self._ended_by = self._ended_by, None
        self.takeovers[why] += 1
        took = self.loop.time() - at
        self.slowest = max(self.slowest, took)
        limit = RELEASE_SECONDS if why == "released" else RESUME_SECONDS
        assert took <= limit, f"{took:.1f} s after the owner was {why}"

    # What happens to the daemons.

    async def strike(self) -> None:
        """Something happens to a daemon, mostly to the owner; at its end all live."""
        owner = self._owner
        victim = owner if owner is not None and self._fates.random() < 0.8 else self._fates.choice(self._daemons)
        await self._fates.choice((self._kill, self._freeze, self._cut, self._release))(victim)

    async def _gone(self, victim: Daemon, why: str) -> None:
        await victim.end()
        if self._owner is victim:
            await self.lose(why)

    async def _back(self, victim: Daemon, seconds: float) -> None:
        await self.loop.passes(seconds)
        self._daemons[self._daemons.index(victim)] = self._new()

    async def _kill(self, victim: Daemon) -> None:
        await self._gone(victim, "killed")
        await self._back(victim, 30.0 * self._fates.random())

    async def _freeze(self, victim: Daemon) -> None:
        await self._gone(victim, "frozen")
        await self.loop.passes(3.0 * TERMS.lease_seconds * self._fates.random())
        victim.lease = None
        victim._seen = victim._free_since = None
        victim.life = self.loop.create_task(victim._live())

    async def _cut(self, victim: Daemon) -> None:
        victim.away = True
        await self.loop.passes(2.0 * TERMS.lease_seconds * self._fates.random())
        victim.away = False

    async def _release(self, victim: Daemon) -> None:
        if self._owner is victim:
            await self.stop()
            self.save_pacing()
            fence = self.database.row.fence
            await victim.end()
            self._owner, self._ended_by = None, ("released", self.loop.time())
            self.database.release(fence)
        else:
            await victim.end()
        self.database.members.pop(victim.incarnation, None)
        await self._back(victim, 10.0 * self._fates.random())

    async def end(self) -> None:
        """All daemons stop."""
        for daemon in self._daemons:
            await daemon.end()
        if self._owner is not None:
            await self.stop()

    async def drained(self, seconds: float) -> None:
        latest = self.loop.time() + seconds
        while self.waiting():
            await self.loop.passes(1.0)
            assert not any(daemon.life.done() for daemon in self._daemons), [daemon.life for daemon in self._daemons]
            assert self.loop.time() < latest, f"not delivered: {len(self.order.unfinished())} users"


FORMS = ("u", "e", "ue", "ee")
QUIET = Plan(users=12, envelopes=160, seconds=50.0, temper=TROUBLE._replace(limited=0.0))
BUSY = QUIET._replace(users=60, envelopes=1_200)
"""Needs the whole budget."""


async def _send(fleet: FleetSimulation) -> None:
    plan, chance = fleet.plan, fleet.chance
    for _ in range(plan.envelopes):
        await fleet.loop.passes(chance.expovariate(plan.envelopes / plan.seconds))
        envelope = fleet.envelope(chance.randrange(plan.users), Priority.NORMAL, chance.choice(FORMS))
        await fleet.append([(envelope, Priority.NORMAL)])


def play_fleet(seed: int, strikes: int = 3, plan: Plan = QUIET, rules: Rules = RULES) -> FleetFigures:
    """Plays a run; at its end everything accepted is delivered, in order, and within the budget."""

    async def run(loop: VirtualLoop) -> FleetFigures:
        fleet = FleetSimulation(loop, seed, plan, rules)
        sending = loop.create_task(_send(fleet))
        for _ in range(strikes):
            await loop.passes(20.0 * fleet.chance.random())
            await fleet.strike()
        await sending
        fleet.far_side.calm()
        await fleet.drained(GRACE_SECONDS)
        await fleet.end()
        figures = await fleet.check()
        assert figures.over_budget == 0, "a 429 of ours"
        return FleetFigures(fleet.takeovers, fleet.slowest, figures.calls)

    return run_virtually(run)
