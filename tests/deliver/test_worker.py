"""The worker's whole way, from rows in a spool to calls that a sandbox has taken."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from delivery.worker import NOON, TOKEN, Notes, delivering, envelope, event, row, settings_for
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.intercom.token import Token
from intercomd_daemon.deliver.schedule.connection_state import ConnectionState
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import OPEN_MAX, SETTLING_MAX, Worker
from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.spool.base import Settlement
from intercomd_daemon.spool.memory import MemorySpool


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


async def test_the_standard_job_takes_the_fewest_calls(sandbox: Sandbox, spool: MemorySpool) -> None:
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
            assert notes.of_users() == 1100 + 1000 * run
    assert len(sandbox.events) == 2000
    assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}


async def test_updates_that_wait_together_leave_together(sandbox: Sandbox, spool: MemorySpool) -> None:
    """1,000 updates of 100 users that wait together: at most 200 calls, and the last value stands."""
    await spool.append([row(envelope(f"{n}", f"u{n % 100}", {"visits": n})) for n in range(1000)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 1000)
    assert notes.of_users() <= 200
    visits = {contact.external_id: contact.custom_attributes["visits"] for contact in sandbox.contacts}
    assert visits == {f"u{n}": 900 + n for n in range(100)}


async def test_an_event_of_an_unknown_user_arrives(sandbox: Sandbox, spool: MemorySpool) -> None:
    """By customer id and by email, with nothing said of the user beside it."""
    await spool.append(
        [row(envelope("a", "new", None, event("came"))), row(envelope("b", "", None, event("came"), email="b@x.org"))]
    )
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 2)
    assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}
    assert len(sandbox.events) == 2


async def test_each_users_events_arrive_in_order_through_faults(sandbox: Sandbox, spool: MemorySpool) -> None:
    """Errors, time-outs after the effect and cut answers reorder nothing and lose nothing."""
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
    """Ends the worker as the answer to an event comes, before it is judged."""

    running: "asyncio.Task[None]"

    def on_call(self, connection: str, call: Call, status: int, seconds: float) -> None:
        super().on_call(connection, call, status, seconds)
        if call is Call.TRACK_EVENT:
            self.running.cancel()


async def test_a_worker_that_is_ended_at_once_lets_go_of_what_was_judged_and_not_committed(
    sandbox: Sandbox, spool: MemorySpool
) -> None:
    """As by a second signal: nothing goes wrong on the way, and the next worker makes that one call again."""
    sandbox.workspace.add_contact("u1")
    await spool.append([row(envelope("a", "u1", None, event("came")))])
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    settings = settings_for(sandbox)
    notes = Ending()
    pace = Pace(1_000_000, 1.0, time.monotonic())
    notes.running = asyncio.create_task(
        Worker(settings, spool, IntercomClient(settings, Token(TOKEN), 64), pace, notes).run()
    )
    with pytest.raises(asyncio.CancelledError):
        await notes.running
    assert not complaints
    assert not notes.outcomes
    async with delivering(spool, settings) as (_, later):
        await later.until(lambda n: len(n.outcomes) == 1)
    assert [len(sandbox.events), len(sandbox.repeats)] == [1, 1]


async def test_an_outage_of_intercom_costs_nothing(sandbox: Sandbox, spool: MemorySpool) -> None:
    """While Intercom is away the connection is down, and goes on by itself when it is back."""
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


async def test_a_wrong_token_suspends_and_a_new_one_resumes(
    sandbox: Sandbox, spool: MemorySpool, tmp_path: Path
) -> None:
    """Nothing leaves before `GET /me` is answered; the file is read again at each probe."""
    path = tmp_path / "token"
    path.write_text("wrong")
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox), Token("", str(path))) as (worker, notes):
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        assert worker.status().next_probe > 0
        path.write_text(f"{TOKEN}\n")
        await notes.until(lambda n: len(n.outcomes) == 1)
    assert {call.path for call in sandbox.calls if call.status == 401} == {"/me"}


async def test_a_token_of_another_workspace_sends_nothing(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox, app_id="other")) as (worker, notes):
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        assert "App ID sandbox" in worker.status().reason
    assert {call.path for call in sandbox.calls} == {"/me"}


async def test_a_token_revoked_in_between_keeps_everything(sandbox: Sandbox, spool: MemorySpool) -> None:
    """The connection is suspended at the first 401, and goes on with the very envelope."""
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: ConnectionState.DELIVERING in n.states)
        sandbox.workspace.set_access_token("another")
        await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(5)])
        await notes.until(lambda n: ConnectionState.SUSPENDED in n.states)
        sandbox.workspace.set_access_token(TOKEN)
        await notes.until(lambda n: len(n.outcomes) == 5)
    assert len(sandbox.events) == 5


async def test_a_paused_connection_waits_and_goes_on(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", None, event("came")))])
    async with delivering(spool, settings_for(sandbox), paused=True) as (worker, notes):
        await notes.until(lambda n: ("GET /me", 200) in n.calls)
        assert worker.status().state is ConnectionState.PAUSED
        assert notes.of_users() == 0
        worker.pause(paused=False)
        await notes.until(lambda n: len(n.outcomes) == 1)


async def test_a_dry_run_decides_and_counts_and_changes_nothing(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope("a", "u", {"plan": "pro"}, event("came")))])
    async with delivering(spool, settings_for(sandbox, dry_run=True)) as (worker, notes):
        await notes.until(lambda n: len(n.outcomes) == 1)
        assert worker.status().calls == 4
    assert {call.method for call in sandbox.calls} == {"GET"}
    assert [(o.type, o.reason) for o in notes.outcomes] == [(OutcomeType.SKIPPED, "DRY_RUN")]


async def test_a_stuck_user_waits_alone(sandbox: Sandbox, spool: MemorySpool) -> None:
    """One user's calls fail again and again; the others do not notice, and the user's order holds afterwards."""
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


async def test_a_user_with_more_than_a_share_of_the_window_keeps_the_order(
    sandbox: Sandbox, spool: MemorySpool
) -> None:
    """1,000 events of one user among 200 of others: set aside, fed in order, and nobody waits for them."""
    await spool.append([row(envelope(f"b{n}", "busy", None, event("step", n))) for n in range(1000)])
    await spool.append([row(envelope(f"o{n}", f"u{n}", None, event("came"))) for n in range(200)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 1200)
    steps = [tracked.created_at for tracked in sandbox.events if tracked.external_id == "busy"]
    assert len(steps) == 1000
    assert steps == sorted(steps)
    others = [o.sequence for o in notes.outcomes if o.customer_id != "busy"]
    assert max(others) < max(o.sequence for o in notes.outcomes)


async def test_bulk_leaves_only_when_nothing_normal_is_due(sandbox: Sandbox, spool: MemorySpool) -> None:
    await spool.append([row(envelope(f"b{n}", f"b{n}", None, event("bulk")), Priority.BULK) for n in range(200)])
    await spool.append([row(envelope(f"n{n}", f"n{n}", None, event("normal"))) for n in range(200)])
    async with delivering(spool, settings_for(sandbox)) as (_, notes):
        await notes.until(lambda n: len(n.outcomes) == 400)
    names = [tracked.name for tracked in sandbox.events]
    last_normal = max(index for index, name in enumerate(names) if name == "normal")
    # What was in flight when the first normal rows were read may be bulk; what is behind them is not.
    assert names[:last_normal].count("bulk") <= 64


@pytest.mark.fills("deliver.worker.SETTLING_MAX")
async def test_lanes_whose_results_are_being_committed_leave_their_place_to_others_up_to_a_bound(
    sandbox: Sandbox,
) -> None:
    """While the disk hangs calls go on, and stop where too many results are not on it."""
    spool = HangingSpool()
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(500)])
    for n in range(500):
        sandbox.workspace.add_contact(external_id=f"u{n}")
    async with delivering(spool, settings_for(sandbox)) as (worker, notes):
        try:
            await notes.until(lambda n: n.of_users() >= SETTLING_MAX and worker.status().lanes_open == 0)
            assert notes.of_users() < SETTLING_MAX + OPEN_MAX
            assert notes.outcomes == []
        finally:
            spool.goes_on.set()
        await notes.until(lambda n: len(n.outcomes) == 500)
    await spool.close()
    assert len(sandbox.events) == 500


class HangingSpool(MemorySpool):
    """A spool whose disk hangs until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        await self.goes_on.wait()
        return await super().settle(settlements)


async def test_stopping_finishes_what_is_in_flight_and_keeps_the_rest(sandbox: Sandbox, spool: MemorySpool) -> None:
    """What a stop leaves is delivered by the next worker, once."""
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("came"))) for n in range(500)])
    async with delivering(spool, settings_for(sandbox)) as (_, first):
        await first.until(lambda n: len(n.outcomes) >= 50)
    before = len(first.outcomes)
    assert before < 500
    async with delivering(spool, settings_for(sandbox)) as (_, second):
        await second.until(lambda n: len(n.outcomes) == 500 - before)
    assert len(sandbox.events) == 500
    assert sandbox.repeats == []


async def test_connections_side_by_side_do_not_slow_each_other(sandbox: Sandbox) -> None:
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


@pytest.mark.fills("deliver.worker.OPEN_MAX")
async def test_of_many_users_so_many_are_called_for_at_once(sandbox: Sandbox, spool: MemorySpool) -> None:
    for number in range(OPEN_MAX + 20):
        sandbox.workspace.add_contact(external_id=f"u{number}")
    sandbox.fault("POST /events hang")
    rows = [row(envelope(f"{number}", f"u{number}", None, event("came"))) for number in range(OPEN_MAX + 20)]
    await spool.append(rows)

    def called(sandbox: Sandbox) -> int:
        return sum(call.path == "/events" for call in sandbox.calls)

    async with delivering(spool, settings_for(sandbox)) as (worker, _):
        await sandbox.wait_for(lambda sandbox: called(sandbox) >= OPEN_MAX)
        assert worker.status().lanes_open == OPEN_MAX
        assert called(sandbox) == OPEN_MAX
        sandbox.faults.clear()
        await sandbox.stop()


async def test_an_envelope_that_is_refused_for_good_keeps_its_user_waiting_for_its_own_calls_alone(
    sandbox: Sandbox, spool: MemorySpool
) -> None:
    """However many of them: each is judged, buried, and the next one's turn comes at once, without a pause."""
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
