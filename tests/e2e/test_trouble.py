"""Trouble at Intercom: whose it is, who waits for it, and that it ends by itself or where an operator looks."""

import aiohttp
import pytest

from daemons.process import TOKEN, Daemon
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import (
    ConnectionState,
    DeadLetterFilter,
    DiscardDeadLettersRequest,
    ListDeadLettersRequest,
    ReplayDeadLettersRequest,
    WatchOutcomesRequest,
)
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.deliver.schedule.open_calls import MAIN_CALLS_MAX, RESERVE_CALLS_MAX
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SUSPENDED = ConnectionState.CONNECTION_STATE_SUSPENDED


async def test_refused_token_suspends_the_connection_until_it_is_replaced(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    """Everything is accepted meanwhile, and no call but the probe is made; the token's file is read again."""
    await shared.heard("connection", state="delivering")
    shared_sandbox.workspace.set_access_token("another-token")
    names = [f"kept-{number}" for number in range(400)]
    answer = await shared.publish(*(envelope(name, "Opened", envelope_id=name) for name in names))
    assert {result.disposition for result in answer.results} == {ACCEPTED}
    line = await shared.heard("connection", state="suspended")
    assert line["level"] == "error"
    status = await shared.connection()
    assert (status.state, status.suspended_reason) == (SUSPENDED, "UNAUTHORIZED")
    assert status.waiting_normal == 400
    (shared.folder / "token").write_text("another-token")
    await shared.ended(names)
    assert (await shared.connection()).state == ConnectionState.CONNECTION_STATE_DELIVERING
    assert sum((event.external_id or "").startswith("kept-") for event in shared_sandbox.events) == 400
    shared_sandbox.workspace.set_access_token(TOKEN)
    (shared.folder / "token").write_text(TOKEN)
    refused = [call.path for call in shared_sandbox.calls if call.status == 401]
    assert set(refused) <= {"/events", "/me"}
    # Those under way when it was noticed; on a busy machine each of them may be slow.
    assert refused.count("/events") <= MAIN_CALLS_MAX + RESERVE_CALLS_MAX


async def test_failing_user_delays_only_itself_and_keeps_its_order(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Updates of one contact fail: the user's own envelopes wait behind it, parked; all others go on."""
    there = shared_sandbox.workspace.add_contact("stuck")
    shared_sandbox.fault(f"PUT /contacts/{there.id} 500")
    stuck = [
        envelope("stuck", "Step", at=n, metadata={"n": n}, update={"n": n}, envelope_id=f"stuck-{n}") for n in range(20)
    ]
    others = [envelope(f"other-{n % 10}", "Step", at=n, update={"n": n}, envelope_id=f"other-{n}") for n in range(200)]
    await shared.publish(*stuck, *others)
    await shared.ended([sent.envelope_id for sent in others])
    assert not any(event.external_id == "stuck" for event in shared_sandbox.events)
    assert (await shared.connection()).state == ConnectionState.CONNECTION_STATE_DELIVERING
    shared_sandbox.faults.clear()
    late = envelope("stuck", "Step", at=20, metadata={"n": 20}, envelope_id="late")
    await shared.publish(late)
    await shared.ended([sent.envelope_id for sent in (*stuck, late)])
    arrived = [event.metadata["n"] for event in shared_sandbox.events if event.external_id == "stuck"]
    assert arrived == list(range(21))
    assert there.custom_attributes["n"] == 19


async def test_events_arrive_once_and_in_order_through_every_fault(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Cut before and after the effect, in the middle, emptied, corrupted, refused for a while: all are transient."""
    for fault in (
        "* 500 probability=0.03",
        "* 503 empty probability=0.03",
        "* 429 probability=0.003",
        "* 408 probability=0.03",
        "POST / cut-after probability=0.03",
        "POST / cut-before probability=0.03",
        "POST / cut-middle probability=0.03",
        "POST /events not-json probability=0.03",
        "* 502 not-json probability=0.03",
    ):
        shared_sandbox.fault(fault)
    sent = [
        envelope(f"fault-{n % 15}", "Step", at=n, metadata={"n": n}, update={"n": n}, envelope_id=str(n))
        for n in range(150)
    ]
    await shared.publish(*sent)
    await shared.until(lambda: sum(shared.outcomes[str(n)] for n in range(150)) >= 75)
    shared_sandbox.faults.clear()
    names = [each.envelope_id for each in sent]
    await shared.ended(names)
    types = {outcome.type for outcome in await shared.journal() if outcome.envelope_id in names}
    assert types == {OutcomeType.OUTCOME_TYPE_DELIVERED}
    for user in range(15):
        arrived = [event.metadata["n"] for event in shared_sandbox.events if event.external_id == f"fault-{user}"]
        assert arrived == list(range(user, 150, 15))


async def test_replay_repeats_the_refused_call_with_its_original_time(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The dead letter keeps Intercom's response."""
    shared_sandbox.fault("POST /events 422 times=1")
    await shared.publish(envelope("letter", "Refused", at=7, update={"plan": "gold"}, envelope_id="letter"))
    await shared.ended(["letter"])
    listed = await shared.operations.ListDeadLetters(ListDeadLettersRequest())
    (letter,) = listed.dead_letters
    assert letter.envelope.envelope_id == "letter"
    assert '"errors"' in letter.answer_body
    assert letter.outcome.effects[1].http_status == 422
    calls = len(shared_sandbox.calls)
    replay = await shared.operations.ReplayDeadLetters(ReplayDeadLettersRequest(expected_count=listed.total_count))
    assert replay.count == 1
    await shared.until(lambda: shared.outcomes["letter"] == 2)
    arrived = [event.created_at - NOON for event in shared_sandbox.events if event.external_id == "letter"]
    assert arrived == [7]
    assert [call.path for call in shared_sandbox.calls[calls:]] == ["/events"]
    outcomes = [(each.type, each.replay) for each in await shared.journal() if each.envelope_id == "letter"]
    assert outcomes == [(OutcomeType.OUTCOME_TYPE_DEAD_LETTERED, 0), (OutcomeType.OUTCOME_TYPE_DELIVERED, 1)]
    assert not (await shared.operations.ListDeadLetters(ListDeadLettersRequest())).dead_letters


async def test_replay_keeps_the_users_order_and_the_times(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Also where one of them was replayed alone before, and refused again: its place is that of its acceptance."""
    names = [f"again-{number}" for number in range(5)]
    shared_sandbox.workspace.add_contact("again")
    fault = shared_sandbox.fault("POST /events 422")
    await shared.publish(
        *(envelope("again", "Refused", at=9 * number, envelope_id=name) for number, name in enumerate(names))
    )
    await shared.ended(names)
    first = DeadLetterFilter(envelope_ids=names[:1])
    await shared.operations.ReplayDeadLetters(ReplayDeadLettersRequest(filter=first, expected_count=1))
    await shared.until(lambda: shared.outcomes[names[0]] == 2)
    assert fault.hit == 6
    shared_sandbox.faults.clear()
    all_of_them = DeadLetterFilter(customer_id="again", reason="REQUEST_INVALID")
    listed = (await shared.operations.ListDeadLetters(ListDeadLettersRequest(filter=all_of_them))).dead_letters
    assert [letter.outcome.effects[0].attempts for letter in listed] == [1] * 5
    await shared.operations.ReplayDeadLetters(ReplayDeadLettersRequest(filter=all_of_them, expected_count=5))
    await shared.until(lambda: all(shared.outcomes[name] == 2 for name in names[1:]) and shared.outcomes[names[0]] == 3)
    arrived = [event.created_at - NOON for event in shared_sandbox.events if event.external_id == "again"]
    assert arrived == [0, 9, 18, 27, 36]


async def test_discarded_dead_letter_has_an_outcome_like_any_other(shared: Daemon, shared_sandbox: Sandbox) -> None:
    shared_sandbox.fault("POST /events 422")
    await shared.publish(envelope("one", "Refused", envelope_id="one"), envelope("two", "Refused", envelope_id="two"))
    await shared.ended(["one", "two"])
    shared_sandbox.faults.clear()
    wanted = DeadLetterFilter(envelope_ids=["one"])
    watch = shared.operations.WatchOutcomes(WatchOutcomesRequest())
    await watch.initial_metadata()
    await shared.operations.DiscardDeadLetters(DiscardDeadLettersRequest(filter=wanted, expected_count=1))
    assert (await watch.read()).outcome.envelope_id == "one"
    watch.cancel()
    line = await shared.heard("outcome", outcome="discarded")
    assert (line["level"], line["envelope_id"], line["lane"]) == ("info", "one", "c:one")
    async with aiohttp.ClientSession() as session, session.get(f"http://{shared.http_address}/metrics") as answer:
        shown = await answer.text()
    name, labels = "intercomd_outcomes_total", '{connection="default",reason="REQUEST_INVALID",type="discarded"}'
    assert f"{name}{labels} 1.0" in shown
    (left,) = (await shared.operations.ListDeadLetters(ListDeadLettersRequest())).dead_letters
    assert left.envelope.envelope_id == "two"
    types = {outcome.envelope_id: outcome.type for outcome in await shared.journal()}
    assert types["one"] == OutcomeType.OUTCOME_TYPE_DISCARDED
    assert types["two"] == OutcomeType.OUTCOME_TYPE_DEAD_LETTERED
