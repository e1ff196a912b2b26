"""How many calls updates and events take that wait through an outage, counted at the sandbox."""

import asyncio
from collections import defaultdict

import pytest

from delivery.worker import NOON, envelope, event, row
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX
from intercomd_daemon.deliver.waiting import WaitingReason, explain_waiting
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.sandbox import Fault, SandboxSettings
from simulation.scene import Scene, play

USERS = 100
HOUR = 3600.0
FAULTS = ["* 500", "* 502 not-json", "* 503 empty", "* 429", "* hang", "* cut-before", "POST /contacts 500", "away"]


async def goes(scene: Scene, fault: str) -> None:
    """Starts the outage."""
    if fault == "away":
        await scene.sandbox.stop()
    else:
        scene.sandbox.fault(fault)


async def comes_back(scene: Scene, fault: str) -> None:
    if fault == "away":
        await scene.sandbox.start()
    scene.sandbox.faults.clear()


async def passes(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    await over


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("batches", [1, 10, 50])
@pytest.mark.parametrize("name", ["name", "visits"])
def test_updates_that_wait_through_an_outage_take_one_call_for_each_user(fault: str, batches: int, name: str) -> None:
    """1,000 updates of 100 users, accepted at once or in batches, of standard and custom attributes."""

    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        await goes(scene, fault)
        numbers = range(10 * USERS)
        size = len(numbers) // batches
        for first in numbers[::size]:
            rows = [row(envelope(f"{n}", f"u{n % USERS}", {name: str(n)})) for n in numbers[first : first + size]]
            await scene.spool.append(rows)
            await passes(60.0 / batches)
        before = len(scene.sandbox.calls)
        await comes_back(scene, fault)
        await scene.notes.until(lambda notes: len(notes.outcomes) == len(numbers), HOUR)
        assert len(scene.sandbox.calls) - before <= 1.1 * USERS
        assert {outcome.type for outcome in scene.notes.outcomes} == {OutcomeType.DELIVERED}
        sent = {c.external_id: c.custom_attributes.get(name) or c.name for c in scene.sandbox.contacts}
        assert sent == {f"u{n}": str(9 * USERS + n) for n in range(USERS)}

    play(act, settings=SandboxSettings(rate_limit=0))


@pytest.mark.parametrize("calls_before", [0, 1, 30, 99])
def test_updates_are_merged_again_after_an_outage_at_any_moment(calls_before: int) -> None:
    """Also if some users' first updates are already delivered, and others' calls are in flight."""

    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        rows = [row(envelope(f"{n}", f"u{n % USERS}", {"name": str(n)})) for n in range(10 * USERS)]
        await scene.spool.append(rows[:USERS])
        await scene.notes.until(lambda notes: notes.of_users() >= calls_before)
        await goes(scene, "* 500")
        await scene.spool.append(rows[USERS:])
        await passes(100.0)
        before = len(scene.sandbox.calls)
        await comes_back(scene, "* 500")
        await scene.notes.until(lambda notes: len(notes.outcomes) == len(rows), HOUR)
        assert len(scene.sandbox.calls) - before <= 1.1 * USERS

    play(act, settings=SandboxSettings(rate_limit=0))


@pytest.mark.parametrize("fault", FAULTS)
def test_events_among_updates_keep_their_order_through_an_outage(fault: str) -> None:
    """Of each user's ten envelopes the fourth and the eighth are events: three updates and two events."""

    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        await goes(scene, fault)
        rows = [
            row(
                envelope(f"{n}", f"u{n % USERS}", None, event("came", n))
                if n // USERS in {3, 7}
                else envelope(f"{n}", f"u{n % USERS}", {"visits": str(n)})
            )
            for n in range(10 * USERS)
        ]
        await scene.spool.append(rows[: 5 * USERS])
        await passes(40.0)
        await scene.spool.append(rows[5 * USERS :])
        await passes(40.0)
        before = len(scene.sandbox.calls)
        await comes_back(scene, fault)
        await scene.notes.until(lambda notes: len(notes.outcomes) == len(rows), HOUR)
        assert len(scene.sandbox.calls) - before <= 5.1 * USERS
        arrived = defaultdict(list)
        for tracked in scene.sandbox.events:
            arrived[tracked.external_id].append(tracked.created_at - NOON)
        assert arrived == {f"u{n}": [3 * USERS + n, 7 * USERS + n] for n in range(USERS)}

    play(act, settings=SandboxSettings(rate_limit=0))


@pytest.mark.parametrize("fault", ["hang", "slow over=200s", "500 delay=29s", "500", "cut-before", "hang-after"])
def test_healthy_users_go_on_beside_users_whose_calls_fail(fault: str) -> None:
    """Over real connections; Intercom knows no user, so a healthy user takes two calls."""

    async def act(scene: Scene) -> None:
        now = asyncio.get_running_loop().time
        scene.sandbox.fault(f"* {fault} containing=ill")
        await scene.spool.append([row(envelope(f"i{n}", f"ill{n}", None, event("e"))) for n in range(70)])
        for wave in range(3):
            began = now()
            await scene.spool.append([row(envelope(f"{wave}{n}", f"u{wave}{n}", None, event("e"))) for n in range(20)])
            ids = {f"{wave}{n}" for n in range(20)}
            await scene.notes.until(lambda notes, ids=ids: ids <= {each.envelope_id for each in notes.outcomes}, HOUR)
            assert now() - began < 3.0
            await passes(13.0 * wave)

    play(act, settings=SandboxSettings(rate_limit=0))


@pytest.mark.parametrize("fault", ["* hang", "* hang-after"])
def test_calls_that_all_hang_are_an_outage(fault: str) -> None:
    """`GET /me` hangs too: from then on single probes leave."""

    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        scene.sandbox.fault(fault)
        await scene.spool.append([row(envelope(f"{n}", f"u{n}", None, event("e"))) for n in range(500)])
        await passes(29.0)
        assert scene.worker.status().lanes_open <= CONNECTIONS_MAX
        await passes(35.0)
        assert scene.worker.status().state is ConnectionState.DOWN
        before = len(scene.sandbox.calls)
        await passes(HOUR)
        assert len(scene.sandbox.calls) - before < HOUR / 30.0
        scene.sandbox.faults.clear()
        await scene.notes.until(lambda notes: len(notes.outcomes) == 500, HOUR)

    play(act, settings=SandboxSettings(rate_limit=0))


@pytest.mark.parametrize("status", ["401", "500"])
def test_operator_probes_a_suspended_or_down_connection_at_once(status: str) -> None:
    """Long after the trouble began, when the next probe is half a minute to minutes away."""

    async def act(scene: Scene) -> None:
        now = asyncio.get_running_loop().time
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        scene.sandbox.fault(f"* {status}")
        await scene.spool.append([row(envelope(f"{n}", f"u{n}", None, event("e"))) for n in range(10)])
        await passes(HOUR - 7.3)
        state = ConnectionState.SUSPENDED if status == "401" else ConnectionState.DOWN
        standing = scene.worker.status()
        assert standing.state is state
        assert standing.next_probe > NOON + now()
        scene.sandbox.faults.clear()
        scene.worker.probe_now()
        began = now()
        await scene.notes.until(lambda notes: len(notes.outcomes) == 10, HOUR)
        assert now() - began < 1.0

    play(act)


def test_probing_a_connection_that_delivers_or_is_paused_changes_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        scene.worker.probe_now()
        scene.worker.pause(paused=True)
        scene.worker.probe_now()
        await passes(60.0)
        assert scene.worker.status().state is ConnectionState.PAUSED
        assert [call.path for call in scene.sandbox.calls] == ["/me"]

    play(act)


def test_waiting_envelope_of_a_user_whose_own_calls_fail_is_shown_as_retried() -> None:
    """In memory and parked alike; other users go on."""

    async def act(scene: Scene) -> None:
        for name in ("ill", "well"):
            scene.sandbox.workspace.add_contact(external_id=name)
        scene.sandbox.fault("POST /events 503 containing=ill")
        keys = await scene.spool.append([row(envelope(f"{n}", "ill", None, event("e"))) for n in range(2)])
        now = asyncio.get_running_loop().time
        for failures in (1, 2, 3, 6):
            await scene.notes.until(lambda notes, count=failures: notes.calls["POST /events", 503] == count, HOUR)
            await passes(0.1)
            await scene.spool.append([row(envelope(f"w{failures}", "well", None, event("e")))])
            found = await scene.spool.waiting_rows(keys)
            explained = [
                explain_waiting(
                    each, scene.worker.status(), scene.worker.lane_state("c:ill", each.row.key), NOON + now()
                )
                for each in found
            ]
            assert {each.reason for each in explained} == {WaitingReason.RETRYING}
            assert {(each.http_status, each.last_error) for each in explained} == {(503, "POST /events: HTTP_503")}
            assert [each.attempts for each in explained] == [failures, 0]
            assert 0.0 < explained[0].next_attempt - NOON - now() <= 2.0 ** (failures - 1)
        await scene.notes.until(lambda notes: len(notes.outcomes) == 4, HOUR)
        await scene.notes.until(lambda notes: notes.calls["POST /events", 503] == 10, HOUR)
        await passes(0.1)
        details = [details for event_name, details in scene.notes.events if event_name == "user_retrying"]
        named = {"lane": "c:ill", "envelope_id": "0", "status": 503}
        assert details == [named | {"failures": failures} for failures in (5, 10)]

    play(act)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("POST /events 204", "POST /events: HTTP_204"),
        ("POST /events 200 empty", "POST /events: HTTP_200"),
        ("POST /events 302", "POST /events: HTTP_302"),
        ("POST /contacts other-json", "POST /contacts: ANSWER_UNREADABLE"),
        ("GET /data_attributes 200 empty", "GET /data_attributes: ANSWER_UNREADABLE"),
        ("POST /events 503", "POST /events: 503"),
    ],
)
def test_last_error_is_that_of_the_outage(fault: str, error: str) -> None:
    """Not of an earlier failure that has long passed."""

    async def act(scene: Scene) -> None:
        scene.sandbox.fault("GET /me 500 times=1")
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        assert scene.worker.status().last_error == "GET /me: 500"
        scene.sandbox.fault(fault)
        rows = [row(envelope(f"{n}", f"u{n}", {"plan": "pro"}, event("e"))) for n in range(6)]
        await scene.spool.append(rows)
        await scene.notes.until(lambda notes: ConnectionState.DOWN in notes.states, HOUR)
        assert scene.worker.status().last_error == error
        scene.sandbox.faults.clear()
        await scene.notes.until(lambda notes: len(notes.outcomes) == 6, HOUR)

    play(act)


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("GET /data_attributes 200 html", 200, "GET /data_attributes: NOT_INTERCOM"),
        ("GET /data_attributes 200 empty", 200, "GET /data_attributes: ANSWER_UNREADABLE"),
        ("GET /data_attributes other-json", 200, "GET /data_attributes: ANSWER_UNREADABLE"),
        ("GET /data_attributes truncated", 200, "GET /data_attributes: ANSWER_UNREADABLE"),
        ("GET /data_attributes 503", 503, "GET /data_attributes: HTTP_503"),
        ("GET /data_attributes cut-before", 0, "GET /data_attributes: NETWORK (the connection broke)"),
        ("POST /data_attributes 500", 500, "POST /data_attributes: HTTP_500"),
        ("POST /data_attributes 201 html", 201, "POST /data_attributes: NOT_INTERCOM"),
    ],
)
def test_update_that_waits_for_the_attributes_is_shown_with_the_failed_call(
    fault: str, status: int, error: str
) -> None:
    """Of two users: both wait for the one call."""

    async def act(scene: Scene) -> None:
        now = asyncio.get_running_loop().time
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        scene.sandbox.fault(fault)
        rows = [row(envelope(f"{n}", f"u{n}", {"plan": "pro"})) for n in range(2)]
        keys = await scene.spool.append(rows)
        path = "/data_attributes"
        await scene.sandbox.wait_for(lambda sandbox: any(call.path == path and call.fault for call in sandbox.calls))
        await passes(0.01)
        found = await scene.spool.waiting_rows(keys)
        for each, lane in zip(found, ("c:u0", "c:u1"), strict=True):
            state = scene.worker.lane_state(lane, each.row.key)
            waiting = explain_waiting(each, scene.worker.status(), state, NOON + now())
            assert (waiting.reason, waiting.http_status, waiting.last_error) == (WaitingReason.RETRYING, status, error)
            assert NOON + now() < waiting.next_attempt <= NOON + now() + 1.0
        scene.sandbox.faults.clear()
        await scene.notes.until(lambda notes: len(notes.outcomes) == 2, HOUR)

    play(act)


@pytest.mark.parametrize(
    "header",
    [
        ("Retry-After", "0"),
        ("Retry-After", "-60"),
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("Retry-After", "999999999999999"),
        ("Retry-After", "soon"),
        ("X-RateLimit-Reset", "0"),
        ("X-RateLimit-Reset", "1000000000"),
        ("X-RateLimit-Reset", "99999999999999"),
        ("X-RateLimit-Reset", "-1"),
    ],
)
def test_unusable_retry_time_of_a_429_still_bounds_the_pause(header: tuple[str, str]) -> None:
    async def act(scene: Scene) -> None:
        await scene.notes.until(lambda notes: ConnectionState.DELIVERING in notes.states)
        scene.sandbox.workspace.add_contact(external_id="u")
        scene.sandbox.fault(Fault("POST", "/events", 429, headers=(header,)))
        await scene.spool.append([row(envelope("1", "u", None, event("e")))])
        await passes(120.0)
        assert 2 <= scene.notes.calls["POST /events", 429] <= 60
        scene.sandbox.faults.clear()
        await scene.notes.until(lambda notes: notes.outcomes, 61.0)

    play(act)
