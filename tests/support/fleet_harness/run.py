"""Strikes a fleet with one blow after another while senders publish to all daemons, and checks everything at the end.

The plan is the oracle, as for one daemon: what Intercom must hold follows only from the results that the senders got.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_harness.blows import Blow
from fleet_harness.fleet import CLOCKS, LEASE_SECONDS, Fleet, now
from fleet_harness.laws import Struck, check_budget, check_overlap, check_repeats, check_take_overs
from intercomd.v1.outcome_pb2 import Outcome
from kill_harness.laws import Laws, check_arrivals, check_contacts, check_outcomes
from kill_harness.plan import User
from kill_harness.producers import Producers

USERS = 12
WAITING_MAX = 150
"""Senders slow down while this many envelopes wait."""
TOOK_OVER_SECONDS_MAX = LEASE_SECONDS + 5.0
RELEASED_SECONDS_MAX = 1.0
CALL_SECONDS = 8.0
"""A frozen daemon answers nothing: senders turn to another one."""
REST_SECONDS_MAX = 4.0
"""The budget of Intercom bounds the run: senders must not be much faster."""
MINUTE = 60.0


class FleetRun:
    """One run: eras after each other, each with users of its own."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.blows: list[Struck] = []
        self.took_over: dict[str, list[float]] = defaultdict(list)
        self.released: list[float] = []
        self.laws: Laws = Counter()
        self.envelopes: Counter[str] = Counter()
        self.repeats = self.overlaps = 0
        self._seed = seed
        self._sequence = 0
        self._begun = now()

    async def era(self, number: int, blows: Sequence[Blow]) -> None:
        """Strikes with each blow, lets everything come to its end, and checks it."""
        users = [User(number, place) for place in range(USERS)]
        for user in users:
            if user.beforehand:
                self.fleet.sandbox.workspace.add_contact(**user.beforehand)
        address = "ipv4:" + ",".join(self.fleet.addresses[name] for name in CLOCKS)
        producers = Producers(
            self.fleet.folder,
            address,
            users,
            WAITING_MAX,
            self._seed + number,
            call_seconds=CALL_SECONDS,
            rest_seconds_max=REST_SECONDS_MAX,
        )
        try:
            await producers.start()
            await self.fleet.progress()
            for blow in blows:
                await self._strike(blow)
                producers.check()
            await producers.stop()
        finally:
            producers.kill()
        outcomes = await self._drained()
        notes = producers.notes()
        counts = notes.counts()
        check_outcomes(outcomes, notes, self.laws)
        check_arrivals(counts, [], self.fleet.sandbox, self.laws)
        check_contacts(counts, outcomes, self.fleet.sandbox, self.laws)
        check_budget(self.fleet.sandbox, self.laws)
        sandbox, take_overs = self.fleet.sandbox, self.fleet.take_overs()
        self.repeats = check_repeats((*sandbox.events, *sandbox.repeats), take_overs, self.laws)
        names = {contact.id: contact.external_id or contact.email or "" for contact in sandbox.contacts}
        self.overlaps = check_overlap(self.fleet.calls, take_overs, names, self.laws)
        self.envelopes["accepted"] += len(notes.accepted)
        self.envelopes["known again after a lost answer"] += len(notes.known)
        self.envelopes["skipped or rejected"] += len(notes.turned_away)
        await self._check_clocks()

    async def _strike(self, blow: Blow) -> None:
        at = now()
        hit = await blow(self.fleet)
        self.blows.append(Struck(blow.__name__, at, hit.take_overs))
        if hit.took_over_seconds:
            self.took_over[blow.__name__].append(hit.took_over_seconds)
        if hit.released_seconds:
            self.released.append(hit.released_seconds)
        await self.fleet.progress()

    async def _drained(self) -> list[Outcome]:
        """Waits until nothing waits, however slow the machine; returns the outcomes since the last era."""
        waiting = "SELECT (SELECT count(*) FROM intercomd.log) + (SELECT count(*) FROM intercomd.parked)"
        while left := await self.fleet.value(waiting):

            async def has_fewer(than: int = left) -> bool:
                return bool(await self.fleet.value(waiting) < than)

            await self.fleet.until(has_fewer)
        outcomes = [each for each in await self.fleet.daemons["a"].journal() if each.sequence > self._sequence]
        self._sequence = outcomes[-1].sequence
        return outcomes

    async def _check_clocks(self) -> None:
        """The daemons' clocks were apart, and the times that they stored were not."""
        for name, ahead in CLOCKS.items():
            shown = [line["ahead"] for line in self.fleet.daemons[name].lines if line["event"] == "clock"]
            assert set(shown) == ({ahead} if ahead else set())
        seen = [await self.fleet.value(_SEEN, name) for name in CLOCKS]
        assert self._begun - MINUTE < min(seen) <= max(seen) < now() + MINUTE
        self.laws["times agree though clocks are an hour apart"] += len(seen)

    def table(self) -> str:
        """Returns the figures, a line each."""
        lines = []
        for name, count in Counter(blow.name for blow in self.blows).items():
            took = self.took_over.get(name, ())
            shown = f"next call after at most {max(took):.1f} s, lease {LEASE_SECONDS:g} s" if took else ""
            lines.append(f"{'blow':<11}{name:<62}{count:>7,}  {shown}")
        if self.released:
            what = f"next call after a release, at most {max(self.released):.2f} s"
            lines.append(f"{'latency':<11}{what:<62}{len(self.released):>7,}")
        figures = {
            "take-overs": len(self.fleet.take_overs()),
            "calls of two daemons at once": self.overlaps,
            "events that came again": self.repeats,
        }
        for title, counts in (("envelopes", self.envelopes), ("calls", figures), ("held", self.laws)):
            lines += [f"{title:<11}{name:<62}{count:>7,}" for name, count in counts.items()]
        return "\n".join(lines)

    def check_latencies(self) -> None:
        """Raises an AssertionError if a take-over took longer than it may, or had no cause; not for a busy machine."""
        check_take_overs(self.fleet.take_overs(), self.blows)
        slow = {name: max(took) for name, took in self.took_over.items() if max(took) > TOOK_OVER_SECONDS_MAX}
        assert not slow, f"within {TOOK_OVER_SECONDS_MAX:g} s of an owner's death: {slow}"
        assert max(self.released, default=0.0) <= RELEASED_SECONDS_MAX, self.released


_SEEN = "SELECT max(seen) FROM intercomd.daemons WHERE daemon_id = $1"


@asynccontextmanager
async def fleet_run(folder: Path, seed: int) -> AsyncIterator[FleetRun]:
    """A running fleet."""
    async with Fleet(folder, seed) as fleet:
        run = FleetRun(fleet, seed)
        yield run
        for daemon in fleet.daemons.values():
            if daemon.lines:
                await daemon.close()
        assert fleet.sandbox.illegal_requests == []
