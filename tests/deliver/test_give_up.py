"""Waiting envelopes are given up: each has one outcome, whatever happens at the same time, and its user goes on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from delivery.worker import NOON, TOKEN, Notes, delivering, envelope, event, row, settings_for
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.give_up import complete_row
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.errors import RetryLater, SpoolFull
from intercomd_daemon.outcome import EffectKind, Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import RecordDamaged
from intercomd_daemon.spool.rows import DeadLetterFilter, WaitingRow
from intercomd_daemon.spool.trail import TrailFilter
from simulation.scene import Scene, play

HOUR = 3600.0
DEAD, DELIVERED = OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED
SLOW = "POST /events delay=5s times=1"
FAILING = "POST /events 500"


def reading(scene: Scene) -> Callable[[int], Awaitable[WaitingRow | None]]:
    async def read(key: int) -> WaitingRow | None:
        return next(iter(await scene.spool.waiting_rows([key])), None)

    return read


async def give_up(scene: Scene, name: str) -> Outcome | None:
    """Gives up a waiting envelope as the daemon does; None if it does not wait."""
    for key in await scene.spool.find_waiting(TrailFilter(envelope_id=name), 0, 1):
        for found in await scene.spool.waiting_rows([key]):
            return await scene.worker.give_up(found.row.lane, key, reading(scene))
    return None


async def ended(scene: Scene, count: int) -> dict[str, Outcome]:
    await scene.notes.until(lambda notes: len(notes.outcomes) == count, HOUR)
    assert await scene.spool.find_waiting(TrailFilter(), 0, 10) == []
    outcomes = {outcome.envelope_id: outcome for outcome in scene.notes.outcomes}
    assert len(outcomes) == count
    return outcomes


async def letters(scene: Scene) -> list[str]:
    return [letter.outcome.envelope_id for letter in await scene.spool.dead_letters(DeadLetterFilter(), 0, 10)]


def known_user(scene: Scene) -> None:
    scene.sandbox.workspace.add_contact(external_id="u1")


def test_call_in_flight_that_succeeds_is_recorded_and_nothing_is_given_up() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        count = scene.sandbox.fault(SLOW)
        await scene.spool.append([row(envelope("1", "u1", None, event("came")))])
        await scene.sandbox.wait_for(lambda _: count.hit)
        assert await give_up(scene, "1") is None
        outcomes = await ended(scene, 1)
        assert outcomes["1"].type is DELIVERED
        assert (len(scene.sandbox.events), await letters(scene)) == (1, [])

    play(act)


def test_call_in_flight_that_fails_is_recorded_before_the_envelope_is_given_up() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        count = scene.sandbox.fault("POST /events 500 delay=5s times=1")
        await scene.spool.append([row(envelope(name, "u1", None, event(name))) for name in ("1", "2")])
        await scene.sandbox.wait_for(lambda _: count.hit)
        outcome = await give_up(scene, "1")
        assert outcome is not None
        assert (outcome.type, outcome.reason) == (DEAD, "GIVEN_UP")
        assert [(each.attempts, each.http_status, each.reason) for each in outcome.effects] == [(1, 500, "GIVEN_UP")]
        outcomes = await ended(scene, 2)
        assert outcomes["1"] == outcome
        assert outcomes["2"].type is DELIVERED
        assert [each.name for each in scene.sandbox.events] == ["2"]

    play(act)


def test_effects_so_far_stay_and_a_replay_makes_the_other_calls() -> None:
    async def act(scene: Scene) -> None:
        count = scene.sandbox.fault("POST /contacts delay=5s times=1")
        await scene.spool.append([row(envelope("1", "u1", {"plan": "pro"}, event("came"), event("went")))])
        await scene.sandbox.wait_for(lambda _: count.hit)
        outcome = await give_up(scene, "1")
        assert outcome is not None
        assert [(each.kind, each.type) for each in outcome.effects] == [
            (EffectKind.CONTACT, DELIVERED),
            (EffectKind.EVENT, DEAD),
            (EffectKind.EVENT, DEAD),
        ]
        assert scene.sandbox.events == []
        assert await scene.spool.replay(DeadLetterFilter(), 1) == 1
        await scene.notes.until(lambda notes: len(notes.outcomes) == 2, HOUR)
        assert [each.name for each in scene.sandbox.events] == ["came", "went"]

    play(act)


@pytest.mark.parametrize("failures", [1, 3, 8])
def test_failing_envelope_is_given_up_and_its_user_goes_on_at_once(failures: int) -> None:
    """While it rests in memory, and while it is parked for long."""

    async def act(scene: Scene) -> None:
        known_user(scene)
        scene.sandbox.fault(FAILING)
        await scene.spool.append([row(envelope(name, "u1", None, event(name))) for name in ("1", "2")])
        await scene.notes.until(lambda notes: notes.calls["POST /events", 500] == failures, HOUR)
        scene.sandbox.faults.clear()
        now = asyncio.get_running_loop().time
        began = now()
        outcome = await give_up(scene, "1")
        assert outcome is not None
        assert (outcome.reason, outcome.effects[0].http_status) == ("GIVEN_UP", 500)
        assert outcome.effects[0].attempts == failures
        outcomes = await ended(scene, 2)
        assert outcomes["2"].type is DELIVERED
        assert now() - began < 1.0

    play(act)


def test_envelope_behind_a_failing_one_is_given_up_and_the_first_is_tried_again() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        scene.sandbox.fault(FAILING + " times=1")
        await scene.spool.append([row(envelope(name, "u1", None, event(name))) for name in ("1", "2", "3")])
        await scene.notes.until(lambda notes: notes.calls["POST /events", 500] > 0, HOUR)
        outcome = await give_up(scene, "2")
        assert outcome is not None
        assert outcome.effects[0].attempts == 0
        outcomes = await ended(scene, 3)
        assert [outcomes[name].type for name in ("1", "2", "3")] == [DELIVERED, DEAD, DELIVERED]
        assert [each.name for each in scene.sandbox.events] == ["1", "3"]

    play(act)


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_envelope_of_a_paused_connection_is_given_up_without_a_call(name: str) -> None:
    """Rows that are in memory, and rows that were never read."""

    async def act(scene: Scene) -> None:
        known_user(scene)
        count = scene.sandbox.fault(SLOW)
        await scene.spool.append([row(envelope(each, "u1", None, event(each))) for each in ("0", "1", "2")])
        await scene.sandbox.wait_for(lambda _: count.hit)
        scene.worker.pause(paused=True)
        await scene.notes.until(lambda notes: len(notes.outcomes) == 1)
        await scene.spool.append([row(envelope("3", "u2", None, event("3")))])
        outcome = await give_up(scene, name)
        assert outcome is not None
        assert outcome.reason == "GIVEN_UP"
        scene.worker.pause(paused=False)
        outcomes = await ended(scene, 4)
        assert {each for each, outcome in outcomes.items() if outcome.type is DEAD} == {name}
        assert name not in {each.name for each in scene.sandbox.events}

    play(act)


def test_envelope_is_given_up_once() -> None:
    async def act(scene: Scene) -> None:
        scene.worker.pause(paused=True)
        await scene.spool.append([row(envelope("1", "u1", None, event("came")))])
        outcomes = await asyncio.gather(give_up(scene, "1"), give_up(scene, "1"))
        assert [outcome is None for outcome in outcomes] == [False, True]
        assert await give_up(scene, "1") is None
        await ended(scene, 1)
        assert await letters(scene) == ["1"]

    play(act)


def test_envelopes_of_one_lane_are_given_up_while_its_call_is_in_flight() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        count = scene.sandbox.fault(SLOW)
        await scene.spool.append([row(envelope(name, "u1", None, event(name))) for name in ("1", "2", "3", "4")])
        await scene.sandbox.wait_for(lambda _: count.hit)
        given = await asyncio.gather(*(give_up(scene, name) for name in ("3", "1", "2", "3")))
        assert [outcome and outcome.envelope_id for outcome in given] == ["3", None, "2", None]
        outcomes = await ended(scene, 4)
        assert [outcomes[name].type for name in ("1", "2", "3", "4")] == [DELIVERED, DEAD, DEAD, DELIVERED]

    play(act)


def test_updates_that_leave_as_one_call_are_not_given_up_meanwhile() -> None:
    async def act(scene: Scene) -> None:
        count = scene.sandbox.fault("POST /contacts delay=5s times=1")
        await scene.spool.append([row(envelope(name, "u1", {"plan": name})) for name in ("1", "2", "3")])
        await scene.sandbox.wait_for(lambda _: count.hit)
        assert await give_up(scene, "2") is None
        outcomes = await ended(scene, 3)
        assert {outcome.type for outcome in outcomes.values()} == {DELIVERED}

    play(act)


def test_lane_is_read_on_when_all_it_has_in_memory_was_given_up() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        scene.sandbox.fault(FAILING)
        await scene.spool.append([row(envelope(f"{number}", "u1", None, event(f"{number}"))) for number in range(300)])
        await scene.notes.until(lambda notes: notes.calls["POST /events", 500] > 0, HOUR)
        scene.worker.pause(paused=True)
        for number in range(299):
            assert await give_up(scene, f"{number}") is not None
        scene.sandbox.faults.clear()
        scene.worker.pause(paused=False)
        outcomes = await ended(scene, 300)
        assert outcomes["299"].type is DELIVERED

    play(act)


async def test_give_up_is_refused_if_the_worker_does_not_run(spool: MemorySpool) -> None:
    async with Sandbox() as sandbox, delivering(spool, settings_for(sandbox)) as (worker, _):
        pass
    with pytest.raises(RetryLater):
        await worker.give_up("c:u1", 1, no_row)


async def test_give_up_is_refused_if_the_worker_is_cancelled_meanwhile(spool: MemorySpool) -> None:
    async with Sandbox() as sandbox:
        sandbox.workspace.add_contact(external_id="u1")
        count = sandbox.fault("POST /events hang")
        settings = settings_for(sandbox)
        client = IntercomClient(settings, AccessToken(TOKEN), 64)
        worker = Worker(settings, await spool.acquire("workspace"), client, Pace(1_000, 1.0, 0.0), Notes())
        running = asyncio.create_task(worker.run())
        (key,) = await spool.append([row(envelope("1", "u1", None, event("came")))])
        await sandbox.wait_for(lambda _: count.hit)
        giving = [asyncio.create_task(worker.give_up("c:u1", key, no_row)) for _ in range(2)]
        await asyncio.wait(giving, timeout=0)
        giving[0].cancel()
        running.cancel()
        with pytest.raises(RetryLater):
            await giving[1]
        await asyncio.wait([running, *giving])
        assert len(await spool.find_waiting(TrailFilter(), 0, 10)) == 1


async def no_row(_: int) -> None:
    return None


def test_error_of_the_spool_is_the_callers_and_the_envelope_goes_on() -> None:
    async def act(scene: Scene) -> None:
        known_user(scene)
        scene.worker.pause(paused=True)
        await scene.notes.until(lambda notes: bool(notes.calls))
        (key,) = await scene.spool.append([row(envelope("1", "u1", None, event("came")))])

        async def fail(_: int) -> WaitingRow | None:
            raise SpoolFull("the disk refuses", 1.0)

        with pytest.raises(SpoolFull):
            await scene.worker.give_up("c:u1", key, fail)
        scene.worker.pause(paused=False)
        assert (await ended(scene, 1))["1"].type is DELIVERED

    play(act)


def test_envelope_whose_calls_have_nothing_to_say_is_a_dead_letter_too() -> None:
    """Its update is only an email, which the settings do not write."""

    async def act(scene: Scene) -> None:
        (key,) = await scene.spool.append([row(envelope("1", "u1", {}, email="ann@example.com"))])
        (found,) = await scene.spool.waiting_rows([key])
        settings = ConnectionSettings(name="default", update_email=False)
        completion = complete_row(found, settings, NOON)
        assert (completion.outcome.type, completion.outcome.reason) == (DEAD, "GIVEN_UP")
        assert completion.dead_letter is not None
        with pytest.raises(RecordDamaged):
            complete_row(found._replace(row=replace(found.row, data=b"")), settings, NOON)

    play(act)
