"""A worker in rare situations, in virtual time: batches, outages, wrong clocks, leads."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from delivery.worker import envelope, event, row
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.commit_batcher import BATCH_WAIT_SECONDS
from intercomd_daemon.deliver.lane.known_contact import LATE_WRITES_SECONDS
from intercomd_daemon.deliver.schedule.outage import PROBE_SECONDS_MAX
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.sandbox import SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import CachedContact, Settlement
from simulation.scene import Scene, play

HOUR = 3600.0
OUTAGE_SECONDS = 1200.0


class CountingSpool(MemorySpool):
    """Records when results are committed, and how many together."""

    def __init__(self, **clocks: Callable[[], float]) -> None:
        super().__init__(**clocks)
        self.settled: list[tuple[float, int]] = []

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        self.settled.append((asyncio.get_running_loop().time(), len(settlements)))
        return await super().settle(settlements)


def test_result_waits_for_others_only_while_calls_are_in_flight() -> None:
    async def act(scene: Scene) -> None:
        assert isinstance(scene.spool, CountingSpool)
        now = asyncio.get_running_loop().time
        for number in range(10):
            scene.sandbox.workspace.add_contact(external_id=f"u{number}")
        alone = row(envelope("alone", "u0", None, event("came", 0)))
        began = now()
        await scene.spool.append([alone])
        await scene.notes.until(lambda notes: len(notes.outcomes) == 1)
        ((at, together),) = scene.spool.settled
        assert together == 1
        assert at - began < BATCH_WAIT_SECONDS
        scene.spool.settled.clear()
        scene.sandbox.fault("POST /events hang times=1")
        began = now()
        await scene.spool.append([row(envelope(f"{n}", f"u{n}", None, event("went", n))) for n in range(10)])
        await scene.notes.until(lambda notes: len(notes.outcomes) == 10, HOUR)
        assert sum(together for _, together in scene.spool.settled) == 9
        times = [began, *(at for at, _ in scene.spool.settled)]
        assert all(later - earlier >= BATCH_WAIT_SECONDS for earlier, later in pairwise(times))

    play(act, engine=CountingSpool)


@pytest.mark.parametrize("users", [5, 200])
def test_outage_parks_no_lane_and_all_continue_at_once_after_it(users: int) -> None:
    """By its failures alone each lane would be parked for minutes. The connection waits instead, at most 30 s."""

    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        await scene.sandbox.stop()
        await scene.spool.append([row(envelope(f"{n}", f"u{n % users}", None, event("came", n))) for n in range(400)])
        now = asyncio.get_running_loop().time
        await scene.notes.until(lambda _: now() >= OUTAGE_SECONDS, HOUR)
        assert scene.worker.status().state is ConnectionState.DOWN
        assert scene.spool.usage().connections["default"].parked_lanes == 0
        await scene.sandbox.start()
        back = now()
        await scene.notes.until(lambda notes: len(notes.outcomes) == 400, HOUR)
        assert now() - back <= PROBE_SECONDS_MAX + 1.0
        assert len(scene.sandbox.events) == 400
        assert {outcome.type for outcome in scene.notes.outcomes} == {OutcomeType.DELIVERED}

    play(act)


@pytest.mark.parametrize("off_seconds", [HOUR, -HOUR, HOUR + 4.5])
def test_clock_an_hour_off_costs_no_time_and_no_call(off_seconds: float) -> None:
    """By the daemon's clock each reset is in the past, or an hour away."""

    async def act(scene: Scene) -> None:
        await scene.spool.append(
            [row(envelope(f"{n}", f"u{n % 25}", {"plan": "pro"}, event("came", n))) for n in range(250)]
        )
        await scene.notes.until(lambda notes: len(notes.outcomes) == 250, HOUR)
        assert not [call for call in scene.sandbox.calls if call.status == 429]
        # 278 calls. Other apps leave 43 in 10 s, of which one is kept in reserve.
        assert asyncio.get_running_loop().time() <= 75.0

    play(act, off_seconds, SandboxSettings(recorded=NONE, rate_limit=83, other_apps_calls=40))


def named(email: str, customer_id: str = "", update: dict[str, str] | None = None) -> AcceptedEnvelope:
    return envelope("of one who has a lead's email", customer_id, dict(update or {}), event("came"), email=email)


@pytest.mark.parametrize(
    ("sent", "adjusted"),
    [
        (named("ada@x.org"), []),
        (named("ada@x.org", update={"plan": "pro"}), []),
        (named("ada@x.org", "u1"), ["EMAIL_TAKEN"]),
        (named("ada@x.org", "u1", {"plan": "pro"}), ["EMAIL_TAKEN"]),
    ],
    ids=["event by email", "update by email", "event with both", "update with both"],
)
def test_email_that_a_lead_owns_does_not_end_in_404s(sent: AcceptedEnvelope, adjusted: list[str]) -> None:
    """Events find only users, by email and by customer id, but creating the contact conflicts with the lead."""

    async def act(scene: Scene) -> None:
        lead = scene.sandbox.workspace.add_lead("ada@x.org")
        scene.sandbox.fault(
            f"POST /contacts 409 times=1 message='A contact matching those details already exists with id={lead.id}'"
        )
        await scene.spool.append([row(sent)])
        await scene.notes.until(lambda notes: len(notes.outcomes) == 1, HOUR)
        (outcome,) = scene.notes.outcomes
        assert outcome.type is OutcomeType.DELIVERED
        assert [note.reason for note in outcome.adjustments] == adjusted
        (tracked,) = scene.sandbox.events
        assert (tracked.contact_id == lead.id) is not bool(sent.customer_id)
        assert asyncio.get_running_loop().time() < 1.0

    play(act)


class TakenOver(MemorySpool):
    """A spool whose workspace another process lost without releasing it."""

    async def acquire(self, workspace: str) -> LocalOutflow:
        outflow = await super().acquire(workspace)
        outflow.unclean = True
        return outflow


def test_values_count_as_sent_only_60_seconds_after_an_unclean_take_over() -> None:
    """A late write of the previous owner, within that time, is overwritten by the next one."""

    async def act(scene: Scene) -> None:
        async def sent_after(seconds: float) -> bool:
            """Whether an unchanged value is sent when this time has passed."""
            now = asyncio.get_running_loop().time()
            await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=seconds - now)
            before, count = scene.notes.of_users(), len(scene.notes.outcomes)
            await scene.spool.append([row(envelope(f"at {seconds}", "u1", {"plan": "gold"}))])
            await scene.notes.until(lambda notes: len(notes.outcomes) > count)
            return scene.notes.of_users() > before

        times = (1.0, 20.0, LATE_WRITES_SECONDS - 1.0, LATE_WRITES_SECONDS + 1.0, LATE_WRITES_SECONDS + 5.0)
        assert [await sent_after(seconds) for seconds in times] == [True, True, True, True, False]

    play(act, engine=TakenOver)


def test_lanes_of_a_merged_contact_know_what_the_lanes_of_the_other_one_write() -> None:
    """A and B had one contact, C another one, until they were merged. A finds that out while B and C wait."""

    async def act(scene: Scene) -> None:
        workspace = scene.sandbox.workspace
        former, contact = workspace.add_contact("former"), workspace.add_contact("a", email="b@x.org")
        workspace.merge(former.id, contact.id)
        ids = {"c:a": former.id, "e:b@x.org": former.id, "e:c@x.org": contact.id}
        cached = [CachedContact(lane, contact_id, b"") for lane, contact_id in ids.items()]
        await scene.spool.settle([Settlement("default", contacts=cached)])
        # B writes "gold" after a second, C "silver" after three, B "gold" again after four.
        scene.sandbox.fault("POST /events 503 containing=came times=1")
        scene.sandbox.fault("PUT /contacts 503 containing=silver times=2")
        scene.sandbox.fault("POST /events 503 containing=went times=2")
        envelopes = [
            envelope("a", "a", {"visits": 1}),
            envelope("b1", "", None, event("came"), email="b@x.org"),
            envelope("b2", "", {"plan": "gold"}, email="b@x.org"),
            envelope("c", "", {"plan": "silver"}, email="c@x.org"),
            envelope("b3", "", None, event("went"), email="b@x.org"),
            envelope("b4", "", {"plan": "gold"}, email="b@x.org"),
        ]
        await scene.spool.append([row(each) for each in envelopes])
        await scene.notes.until(lambda notes: len(notes.outcomes) == len(envelopes))
        assert [outcome.envelope_id for outcome in scene.notes.outcomes] == ["a", "b1", "b2", "c", "b3", "b4"]
        assert {outcome.type for outcome in scene.notes.outcomes} == {OutcomeType.DELIVERED}
        assert contact.custom_attributes == {"visits": 1, "plan": "gold"}

    play(act)
