"""A worker from rows in a spool to calls that a sandbox received."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from delivery.worker import NOON, TOKEN, Notes, delivering, envelope, event, row, settings_for
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX, MAIN_CALLS_MAX, RESERVE_CALLS_MAX
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import SETTLING_MAX, Worker
from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Settlement


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(rate_limit=0)) as running:
        yield running
        assert running.illegal_requests == []


@pytest.fixture
async def spool() -> AsyncIterator[MemorySpool]:
    engine = MemorySpool()
    yield engine
    await engine.close()


ATTRIBUTES = {f"attribute-{number}": number for number in range(10)}


async def test_standard_job_takes_the_fewest_calls(sandbox: Sandbox, spool: MemorySpool) -> None:
    """1,000 events of 100 new users with ten equal attributes: 1,100 calls; the same users again: 1,000."""
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        for run in range(2):
            await spool.append(
                [
                    row(envelope(f"{run}-{n}", f"u{n % 100}", ATTRIBUTES, event("opened", run * 5000 + n)))
                    for n in range(1000)
                ]
            )
            await notes.until(lambda n, run=run: len(n.outcomes) == 1000 * (run + 1))
            # A connection that could not be opened, as the machine was busy for 5 s, has made no call at Intercom.
            assert sum(call.path.startswith(("/contacts", "/events")) for call in sandbox.calls) == 1100 + 1000 * run
    assert len(sandbox.events) == 2000
    assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}


async def test_waiting_updates_of_a_user_are_merged(sandbox: Sandbox, spool: MemorySpool) -> None:
    """1,000 waiting updates of 100 users take at most 200 calls, and the last values remain."""
    await spool.append([row(envelope(f"{n}", f"u{n % 100}", {"visits": n})) for n in range(1000)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 1000)
    assert notes.of_users() <= 200
    visits = {contact.external_id: contact.custom_attributes["visits"] for contact in sandbox.contacts}
    assert visits == {f"u{n}": 900 + n for n in range(100)}


async def test_event_of_an_unknown_user_arrives(sandbox: Sandbox, spool: MemorySpool) -> None:
    """By customer id and by email, without attributes."""
    await spool.append(
        [row(envelope("a", "new", None, event("came"))), row(envelope("b", "", None, event("came"), email="b@x.org"))]
    )
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 2)
    assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}
    assert len(sandbox.events) == 2


async def test_events_of_each_user_arrive_in_order_through_faults(sandbox: Sandbox, spool: MemorySpool) -> None:
    """Errors, timeouts after the effect and cut responses neither reorder nor lose events."""
    for fault in ("* 503 probability=0.05", "* cut-after probability=0.05", "* cut-before probability=0.05"):
        sandbox.fault(fault)
    rows = [row(envelope(f"{n}", f"u{n % 20}", {"n": n}, event("step", n))) for n in range(200)]
    await spool.append(rows)
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 200, seconds=120)
    assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}
    arrived = defaultdict(list)
    for tracked in sandbox.events:
        arrived[tracked.external_id].append(tracked.created_at)
    assert sum(map(len, arrived.values())) == 200
    assert all(times == sorted(times) for times in arrived.values())


class Ending(Notes):
    """Cancels the worker when the response to an event arrives, before it is classified."""

    running: "asyncio.Task[None]"

    def on_call(
        self,
        connection: str,
        call: Call,
        status: int,
        seconds: float,
        traceparents: Sequence[str] = (),
        body: bytes = b"",
    ) -> None:
        super().on_call(connection, call, status, seconds, traceparents, body)
        if call is Call.TRACK_EVENT:
            self.running.cancel()


async def test_cancelled_worker_drops_results_that_are_not_committed(sandbox: Sandbox, spool: MemorySpool) -> None:
    """As after a second signal: without an error, and the next worker repeats that one call."""
    sandbox.workspace.add_contact("u1")
    await spool.append([row(envelope("a", "u1", None, event("came")))])
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    settings = settings_for(sandbox)
    notes = Ending()
    pace = Pace(1_000_000, 1.0, time.monotonic())
    notes.running = asyncio.create_task(
        Worker(settings, await spool.acquire("w"), IntercomClient(settings, AccessToken(TOKEN), 64), pace, notes).run()
    )
    with pytest.raises(asyncio.CancelledError):
        await notes.running
    assert not complaints
    assert not notes.outcomes
    async with delivering(spool, settings) as (_, later):
        await later.until(lambda n: len(n.outcomes) == 1)
    assert [len(sandbox.events), len(sandbox.repeats)] == [1, 1]


async def test_deliveries_continue_by_themselves_after_an_outage(sandbox: Sandbox, spool: MemorySpool) -> None:
    """While Intercom is away the connection is down."""
    async with delivering(spool, settings_for(sandbox)) as (worker, notes):
        await notes.until(lambda n: ConnectionState.DELIVERING in n.states)
        await sandbox.stop()
        await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(100)])
        await notes.until(lambda n: ConnectionState.DOWN in n.states)
        assert worker.status().state is ConnectionState.DOWN
        await sandbox.start()
        await notes.until(lambda n: len(n.outcomes) == 100)
        assert worker.status().state is ConnectionState.DELIVERING
    assert len(sandbox.events) == 100


async def test_wrong_token_suspends_and_a_new_one_resumes(sandbox: Sandbox, spool: MemorySpool, tmp_path: Path) -> None:
    """No other call leaves before `GET /me` succeeds; the token file is read again at each probe."""
    path = tmp_path / "token"
    path.write_text("wrong")
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox), AccessToken("", str(path))) as (worker, notes):
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        assert worker.status().next_probe > 0
        path.write_text(f"{TOKEN}\n")
        await notes.until(lambda n: len(n.outcomes) == 1)
    assert {call.path for call in sandbox.calls if call.status == 401} == {"/me"}


async def test_token_of_another_workspace_suspends_before_any_call(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox, app_id="other")) as (worker, notes):
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        assert "App ID sandbox" in worker.status().reason
    assert {call.path for call in sandbox.calls} == {"/me"}


async def test_revoked_token_loses_no_envelope(sandbox: Sandbox, spool: MemorySpool) -> None:
    """The connection is suspended at the first 401, and continues with the same envelope."""
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: ConnectionState.DELIVERING in n.states)
        sandbox.workspace.set_access_token("another")
        await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(5)])
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        sandbox.workspace.set_access_token(TOKEN)
        await notes.until(lambda n: len(n.outcomes) == 5)
    assert len(sandbox.events) == 5


async def test_paused_connection_calls_only_after_it_is_resumed(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox), paused=True) as (worker, notes):
        await notes.until(lambda n: ("GET /me", 200) in n.calls)
        assert worker.status().state is ConnectionState.PAUSED
        assert notes.of_users() == 0
        worker.pause(paused=False)
        await notes.until(lambda n: len(n.outcomes) == 1)


async def test_dry_run_counts_calls_and_changes_nothing(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", {"plan": "pro"}, event("came")))])
    async with delivering(spool, settings_for(sandbox, dry_run=True)) as (worker, notes):
        await notes.until(lambda n: len(n.outcomes) == 1)
        assert worker.status().calls == 5
    assert {call.method for call in sandbox.calls} == {"GET"}
    skipped = ["POST /data_attributes", "POST /contacts", "POST /events"]
    assert notes.events == [("call_not_made", {"call": call}) for call in skipped]
    assert [(o.type, o.reason) for o in notes.outcomes] == [(OutcomeType.SKIPPED, "DRY_RUN")]


async def test_failing_user_does_not_delay_others(sandbox: Sandbox, spool: MemorySpool) -> None:
    """The failing user's order holds afterwards."""
    stuck = sandbox.workspace.add_contact(external_id="stuck")
    fault = sandbox.fault(f"PUT /contacts/{stuck.id} 500 times=3")
    await spool.append([row(envelope(f"s{n}", "stuck", {"n": n}, event("step", n))) for n in range(5)])
    await spool.append([row(envelope(f"o{n}", f"u{n}", None, event("came"))) for n in range(300)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 305, seconds=120)
    assert fault.hit == 3
    steps = [tracked.created_at for tracked in sandbox.events if tracked.external_id == "stuck"]
    assert len(steps) == 5
    assert steps == sorted(steps)
    last_other = max(o.sequence for o in notes.outcomes if o.customer_id != "stuck")
    assert last_other < max(o.sequence for o in notes.outcomes if o.customer_id == "stuck")


async def test_user_with_more_than_its_share_of_the_window_keeps_its_order(
    sandbox: Sandbox, spool: MemorySpool
) -> None:
    """1,000 events of one user among 200 of others: the lane is parked and loaded, and delays no other user."""
    await spool.append([row(envelope(f"b{n}", "busy", None, event("step", n))) for n in range(1000)])
    await spool.append([row(envelope(f"o{n}", f"u{n}", None, event("came"))) for n in range(200)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 1200)
    steps = [tracked.created_at for tracked in sandbox.events if tracked.external_id == "busy"]
    assert len(steps) == 1000
    assert steps == sorted(steps)
    others = [o.sequence for o in notes.outcomes if o.customer_id != "busy"]
    assert max(others) < max(o.sequence for o in notes.outcomes)


async def test_bulk_envelopes_leave_only_while_no_normal_one_is_ready(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope(f"b{n}", f"b{n}", None, event("bulk")), Priority.BULK) for n in range(500)])
    await spool.append([row(envelope(f"n{n}", f"n{n}", None, event("normal"))) for n in range(200)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 700)
    names = [tracked.name for tracked in sandbox.events]
    last_normal = max(index for index, name in enumerate(names) if name == "normal")
    # Calls in flight when the first normal rows were read may be bulk, later ones may not. Each of them may be slow.
    assert names[:last_normal].count("bulk") <= MAIN_CALLS_MAX + RESERVE_CALLS_MAX


@pytest.mark.fills("deliver.worker.SETTLING_MAX")
async def test_calls_continue_while_results_wait_for_their_commit_up_to_the_limit(
    sandbox: Sandbox,
) -> None:
    """While the disk hangs, calls continue until SETTLING_MAX results wait for it."""
    spool = HangingSpool()
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(800)])
    for n in range(800):
        sandbox.workspace.add_contact(external_id=f"u{n}")
    async with delivering(spool, settings_for(sandbox)) as (worker, notes):
        try:
            await notes.until(lambda n: n.of_users() >= SETTLING_MAX and worker.status().lanes_open == 0)
            assert notes.of_users() < SETTLING_MAX + CONNECTIONS_MAX  # on a busy machine every call may be slow
            assert notes.outcomes == []
        finally:
            spool.goes_on.set()
        await notes.until(lambda n: len(n.outcomes) == 800)
    await spool.close()
    assert len(sandbox.events) == 800


class HangingSpool(MemorySpool):
    """A spool whose disk hangs until `goes_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        await self.goes_on.wait()
        return await super().settle(settlements)


async def test_stop_finishes_calls_in_flight_and_keeps_the_rest(sandbox: Sandbox, spool: MemorySpool) -> None:
    """The next worker delivers the rest once."""
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(500)])
    async with delivering(spool, settings_for(sandbox)) as (_, first):
        await first.until(lambda n: len(n.outcomes) >= 50)
    before = len(first.outcomes)
    assert before < 500
    async with delivering(spool, settings_for(sandbox)) as (_, second):
        await second.until(lambda n: len(n.outcomes) == 500 - before)
    assert len(sandbox.events) == 500
    assert sandbox.repeats == []


async def test_hanging_connection_does_not_delay_another(sandbox: Sandbox) -> None:
    """One connection hangs; the other one delivers."""
    spool = MemorySpool(("sick", "well"))
    async with Sandbox(SandboxSettings(rate_limit=0)) as other:
        other.fault("POST /events hang")
        sick, well = settings_for(other, name="sick"), settings_for(sandbox, name="well")
        for name in ("sick", "well"):
            rows = [row(envelope(f"{name}{n}", f"u{n}", None, event("came")), connection=name) for n in range(100)]
            await spool.append(rows)
        running = delivering(spool, sick)
        _, hung = await running.__aenter__()
        async with delivering(spool, well) as (_, notes):
            await notes.until(lambda n: len(n.outcomes) == 100)
        assert hung.outcomes == []
        await other.stop()
        await running.__aexit__(None, None, None)
    await spool.close()
    assert asyncio.current_task() is not None


async def test_refused_envelopes_delay_their_user_only_for_their_own_calls(
    sandbox: Sandbox, spool: MemorySpool
) -> None:
    """50 refused envelopes become dead letters one after another, without a pause."""
    sandbox.workspace.add_contact(external_id="u")
    fault = sandbox.fault("POST /events 422 times=50")
    rows = [row(envelope(f"{n}", "u", None, event("poison" if n < 50 else "sound", n))) for n in range(51)]
    await spool.append(rows)
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 51)
        assert spool.usage().connections["default"].parked_lanes == 0
    assert fault.hit == 50
    assert notes.of_users() == 51
    assert [outcome.type for outcome in notes.outcomes] == [OutcomeType.DEAD_LETTERED] * 50 + [OutcomeType.DELIVERED]
    assert [tracked.created_at for tracked in sandbox.events] == [NOON + 50]
