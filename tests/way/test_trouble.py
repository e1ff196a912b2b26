"""Trouble at Intercom: whose it is, who waits for it, and that it ends by itself or where an operator looks."""

from daemons import Daemon, Start
from sending import NOON, envelope

from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import (
    ConnectionState,
    DeadLetterFilter,
    DiscardDeadLettersRequest,
    ListDeadLettersRequest,
    ReplayDeadLettersRequest,
)
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SUSPENDED = ConnectionState.CONNECTION_STATE_SUSPENDED


async def test_a_token_that_is_refused_suspends_the_connection_and_a_new_one_lets_it_go_on(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    """Everything is accepted meanwhile, and no call but the probe is made; the token's file is read again."""
    await daemon.heard("connection", standing="delivering")
    sandbox.workspace.set_access_token("another-token")
    names = [f"kept-{number}" for number in range(100)]
    answer = await daemon.publish(*(envelope(name, "Opened", envelope_id=name) for name in names))
    assert {result.disposition for result in answer.results} == {ACCEPTED}
    told = await daemon.heard("connection", standing="suspended")
    assert told["level"] == "error"
    status = await daemon.connection()
    assert (status.state, status.suspended_reason) == (SUSPENDED, "UNAUTHORIZED")
    assert status.waiting_normal == 100
    (daemon.folder / "token").write_text("another-token")
    await daemon.ended(names)
    assert (await daemon.connection()).state == ConnectionState.CONNECTION_STATE_DELIVERING
    assert len(sandbox.events) == 100
    refused = [call.path for call in sandbox.calls if call.status == 401]
    assert len(refused) <= 64 + 2, "those under way when it was noticed"


async def test_nothing_leaves_with_a_token_of_another_workspace(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"app_id": "mine"}})
    told = await daemon.heard("connection", standing="suspended")
    assert "mine" in told["reason"]
    assert "sandbox" in told["reason"]
    answer = await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
    assert answer.results[0].disposition == ACCEPTED
    status = await daemon.connection()
    assert (status.state, status.suspended_reason) == (SUSPENDED, "APP_ID_MISMATCH")
    assert {call.path for call in sandbox.calls} == {"/me"}


async def test_one_users_trouble_is_that_users_alone_and_keeps_the_order(daemon: Daemon, sandbox: Sandbox) -> None:
    """Updates of one contact fail: the user's own envelopes wait behind it, parked; all others go on."""
    there = sandbox.workspace.add_contact("stuck")
    sandbox.fault(f"PUT /contacts/{there.id} 500")
    stuck = [
        envelope("stuck", "Step", at=n, metadata={"n": n}, update={"n": n}, envelope_id=f"stuck-{n}") for n in range(20)
    ]
    others = [envelope(f"u{n % 10}", "Step", at=n, update={"n": n}, envelope_id=f"other-{n}") for n in range(200)]
    await daemon.publish(*stuck, *others)
    await daemon.ended([sent.envelope_id for sent in others])
    assert not any(event.external_id == "stuck" for event in sandbox.events)
    assert (await daemon.connection()).state == ConnectionState.CONNECTION_STATE_DELIVERING
    sandbox.faults.clear()
    late = envelope("stuck", "Step", at=20, metadata={"n": 20}, envelope_id="late")
    await daemon.publish(late)
    await daemon.ended([sent.envelope_id for sent in (*stuck, late)])
    arrived = [event.metadata["n"] for event in sandbox.events if event.external_id == "stuck"]
    assert arrived == list(range(21))
    assert there.custom_attributes["n"] == 19


async def test_through_faults_of_every_kind_each_event_arrives_once_and_in_order(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    """Cut before and after the effect, in the middle, emptied, spoilt, refused for a while: all are passing."""
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
        sandbox.fault(fault)
    sent = [
        envelope(f"u{n % 15}", "Step", at=n, metadata={"n": n}, update={"n": n}, envelope_id=str(n)) for n in range(150)
    ]
    await daemon.publish(*sent)
    await daemon.until(lambda: sum(daemon.outcomes.values()) >= 75)
    sandbox.faults.clear()
    await daemon.ended([each.envelope_id for each in sent])
    assert {outcome.type for outcome in await daemon.journal()} == {OutcomeType.OUTCOME_TYPE_DELIVERED}
    for user in range(15):
        arrived = [event.metadata["n"] for event in sandbox.events if event.external_id == f"u{user}"]
        assert arrived == list(range(user, 150, 15))


async def test_a_dead_letter_keeps_the_answer_and_a_replay_makes_the_refused_call_with_its_time(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    sandbox.fault("POST /events 422 times=1")
    await daemon.publish(envelope("u1", "Refused", at=7, update={"plan": "gold"}, envelope_id="letter"))
    await daemon.ended(["letter"])
    listed = await daemon.operations.ListDeadLetters(ListDeadLettersRequest())
    (letter,) = listed.dead_letters
    assert letter.envelope.envelope_id == "letter"
    assert '"errors"' in letter.answer_body
    assert letter.outcome.effects[1].http_status == 422
    calls = len(sandbox.calls)
    replay = await daemon.operations.ReplayDeadLetters(ReplayDeadLettersRequest(expected_count=listed.total_count))
    assert replay.count == 1
    await daemon.until(lambda: daemon.outcomes["letter"] == 2)
    assert [(event.name, event.created_at - NOON) for event in sandbox.events] == [("Refused", 7)]
    assert [call.path for call in sandbox.calls[calls:]] == ["/events"]
    outcomes = [(outcome.type, outcome.replay) for outcome in await daemon.journal()]
    assert outcomes == [(OutcomeType.OUTCOME_TYPE_DEAD_LETTERED, 0), (OutcomeType.OUTCOME_TYPE_DELIVERED, 1)]
    assert not (await daemon.operations.ListDeadLetters(ListDeadLettersRequest())).dead_letters


async def test_a_dead_letter_that_is_discarded_is_gone_and_its_outcome_says_so(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    sandbox.fault("POST /events 422")
    await daemon.publish(envelope("u1", "Refused", envelope_id="one"), envelope("u2", "Refused", envelope_id="two"))
    await daemon.ended(["one", "two"])
    wanted = DeadLetterFilter(envelope_ids=["one"])
    await daemon.operations.DiscardDeadLetters(DiscardDeadLettersRequest(filter=wanted, expected_count=1))
    (left,) = (await daemon.operations.ListDeadLetters(ListDeadLettersRequest())).dead_letters
    assert left.envelope.envelope_id == "two"
    types = {outcome.envelope_id: outcome.type for outcome in await daemon.journal()}
    assert types == {
        "one": OutcomeType.OUTCOME_TYPE_DISCARDED,
        "two": OutcomeType.OUTCOME_TYPE_DEAD_LETTERED,
    }
