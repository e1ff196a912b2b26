"""Plays a day with everything at once: senders publish, the worker crashes, Intercom fails, clocks are set."""

from collections.abc import Callable, Coroutine
from typing import Any

from intercomd_daemon.envelope import Priority, lane_of
from simulation.intercom import ONWARD_SECONDS_MAX
from simulation.order import Order
from simulation.simulation import DAY, Plan, Simulation, identity

FORMS = ("u", "e", "ue", "ee", "uee")
BATCH_MAX = 8
DOWN_SECONDS_MAX = 20.0
OUTAGE_SECONDS_MAX = 90.0
STUCK_SECONDS_MAX = 400.0
GRACE_SECONDS = 700.0
"""Twice the longest pause of a lane, and some: what was in trouble has been tried again by then."""
CALLS_A_SECOND = 10.0
"""Less than the budget's 16: some calls are needed to find the contact."""


class Troubles:
    """The troubles of one run, each at its time."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._loop = simulation.loop
        self._chance = simulation.chance
        self._far_side = simulation.far_side

    async def play(self) -> None:
        """The whole day; at its end all is well, and before long all is delivered."""
        simulation, plan = self._simulation, self._simulation.plan
        self._people()
        sending = self._loop.create_task(self._send())
        for when, trouble in sorted(self._planned(plan), key=lambda planned: planned[0]):
            await self._loop.until(max(when, self._loop.time()))
            await trouble()
        await sending
        self._far_side.calm()
        simulation.pause(paused=False)
        await simulation.until_done(GRACE_SECONDS + simulation.waiting() * 3 / CALLS_A_SECOND)
        await simulation.replay()
        await simulation.until_done(GRACE_SECONDS + simulation.waiting() * 3 / CALLS_A_SECOND)

    def _planned(self, plan: Plan) -> list[tuple[float, Callable[[], Coroutine[Any, Any, None]]]]:
        troubles = {
            self._crash: plan.crashes,
            self._stop: plan.stops,
            self._pause: plan.pauses,
            self._outage: plan.outages,
            self._stick: plan.stuck,
            self._delete: plan.deletions,
            self._jump: plan.jumps,
            self._simulation.replay: plan.replays,
        }
        return [
            (self._chance.random() * plan.seconds, trouble) for trouble, times in troubles.items() for _ in range(times)
        ]

    def _people(self) -> None:
        """Some users are known to Intercom, some of those by their email alone."""
        for user in range(self._simulation.plan.users):
            customer_id, email = identity(user)
            if self._chance.random() < 0.4:
                by_email = email and self._chance.random() < 0.5
                contact = self._far_side.workspace.add_contact("" if by_email else customer_id, email)
                self._far_side.contact_lanes[contact.id] = lane_of(customer_id, email)

    async def _send(self) -> None:
        plan, chance, sent = self._simulation.plan, self._chance, 0
        while sent < plan.envelopes:
            count = chance.randint(1, BATCH_MAX)
            await self._loop.passes(chance.expovariate(plan.envelopes / plan.seconds / count))
            batch = []
            for _ in range(count):
                user = 0 if chance.random() < plan.busy else chance.randrange(plan.users)
                priority = Priority.BULK if chance.random() < plan.bulk else Priority.NORMAL
                poison = chance.random() < plan.poison
                form = chance.choice(FORMS)
                batch.append((self._simulation.envelope(user, priority, form, poison=poison), priority))
            await self._simulation.append(batch)
            sent += count

    async def _crash(self) -> None:
        await self._simulation.crash()
        await self._loop.passes(ONWARD_SECONDS_MAX + self._chance.random() * DOWN_SECONDS_MAX)
        self._simulation.start()

    async def _stop(self) -> None:
        await self._simulation.stop()
        await self._loop.passes(self._chance.random() * DOWN_SECONDS_MAX)
        self._simulation.start()

    async def _pause(self) -> None:
        self._simulation.pause(paused=True)
        self._later(self._chance.random() * OUTAGE_SECONDS_MAX, lambda: self._simulation.pause(paused=False))

    async def _outage(self) -> None:
        self._far_side.away = True
        self._later(self._chance.random() * OUTAGE_SECONDS_MAX, self._back)

    def _back(self) -> None:
        self._far_side.away = False

    async def _stick(self) -> None:
        lane = lane_of(*identity(self._chance.randrange(self._simulation.plan.users)))
        status = self._chance.choice((500, 0, 404))
        if status == 404:
            self._order.forgetful.add(lane)
        self._far_side.stuck[lane] = status
        self._later(self._chance.random() * STUCK_SECONDS_MAX, lambda: self._far_side.stuck.pop(lane, None))

    @property
    def _order(self) -> Order:
        return self._simulation.order

    async def _delete(self) -> None:
        contacts = self._far_side.workspace.contacts.all()
        if contacts:
            contact = self._chance.choice(contacts)
            self._order.forgetful.add(self._far_side.contact_lanes[contact.id])
            self._far_side.workspace.delete(contact.id)

    async def _jump(self) -> None:
        self._simulation.set_clock(self._chance.choice((-1, 1)) * DAY * 365 * self._chance.random() ** 4)

    def _later(self, seconds: float, then: Callable[[], object]) -> None:
        self._loop.call_later(seconds, then)


async def play(simulation: Simulation) -> None:
    """The day of this simulation's plan and seed."""
    await Troubles(simulation).play()
