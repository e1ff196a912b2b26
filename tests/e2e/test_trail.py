"""Why did this event not arrive: the trail of a user, giving up and retrying, through kills and restarts."""

import asyncio

import grpc
import pytest

from daemons.process import Daemon, Start
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

DEAD, DELIVERED = OutcomeType.OUTCOME_TYPE_DEAD_LETTERED, OutcomeType.OUTCOME_TYPE_DELIVERED
FAILING = "POST /events 503 containing=stuck"


async def trail(daemon: Daemon, **wanted: str) -> list[messages.TrailEntry]:
    return list((await daemon.operations.ListTrail(messages.ListTrailRequest(**wanted))).entries)


def names(entries: list[messages.TrailEntry]) -> list[str]:
    shown = []
    for entry in entries:
        kind = entry.WhichOneof("kind") or ""
        content = entry.waiting.envelope if kind == "waiting" else getattr(entry, kind)
        shown.append(f"{kind} {content.envelope_id}")
    return shown


async def give_up(daemon: Daemon, envelope_id: str) -> messages.GiveUpEnvelopeResponse:
    return await daemon.operations.GiveUpEnvelope(messages.GiveUpEnvelopeRequest(envelope_id=envelope_id))


async def test_trail_of_a_user_shows_every_fate_over_a_restart(daemon: Daemon, sandbox: Sandbox) -> None:
    await daemon.publish(envelope("ann", "Came", envelope_id="delivered"))
    await daemon.ended(["delivered"])
    await daemon.publish(envelope("ann", envelope_id="empty"), envelope("bob", envelope_id="other"))
    sandbox.fault("* 401")
    await daemon.publish(envelope("ann", "Went", envelope_id="waits"))
    await daemon.heard("connection", state="suspended")
    before = await trail(daemon, customer_id="ann")
    assert names(before) == ["waiting waits", "refusal empty", "outcome delivered"]
    assert (before[0].waiting.reason, before[0].waiting.ahead) == ("SUSPENDED", 0)
    assert before[0].waiting.HasField("next_attempt_time")
    assert [violation.reason for violation in before[1].refusal.violations] == ["EMPTY_ENVELOPE"]
    await daemon.stop()
    await daemon.start()
    await daemon.heard("connection", state="suspended")
    again = await trail(daemon, customer_id="ann")
    assert names(again) == names(before)
    assert again[1:] == before[1:]
    assert names(await trail(daemon, envelope_id="empty")) == ["refusal empty"]
    sandbox.faults.clear()
    probed = await daemon.operations.RetryConnection(messages.RetryConnectionRequest())
    assert probed.connection.name == "default"
    await daemon.ended(["waits"])


async def test_envelope_of_a_failing_user_is_given_up_after_a_kill_and_replayed(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    for user in ("stuck", "well"):
        sandbox.workspace.add_contact(external_id=user)
    count = sandbox.fault(FAILING)
    await daemon.publish(envelope("stuck", "One", envelope_id="one"), envelope("stuck", "Two", envelope_id="two"))
    await sandbox.wait_for(lambda _: count.hit >= 2)
    await daemon.publish(envelope("well", "Came", envelope_id="well"))
    await daemon.ended(["well"])
    entries = await trail(daemon, customer_id="stuck")
    assert {(entry.waiting.reason, entry.waiting.http_status) for entry in entries} <= {
        ("RETRYING", 503),
        ("IN_FLIGHT", 503),
    }
    await daemon.kill()
    await daemon.start()
    given = await give_up(daemon, "one")
    assert (given.outcome.type, given.outcome.reason) == (DEAD, "GIVEN_UP")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await give_up(daemon, "one")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    await daemon.kill()
    await daemon.start()
    sandbox.faults.clear()
    await daemon.ended(["two"])
    entries = await trail(daemon, customer_id="stuck")
    assert names(entries) == ["outcome two", "outcome one"]
    assert [(entry.outcome.type, entry.dead_letter_id) for entry in entries] == [
        (DELIVERED, ""),
        (DEAD, given.dead_letter_id),
    ]
    replayed = await daemon.operations.ReplayDeadLetters(messages.ReplayDeadLettersRequest(expected_count=1))
    assert replayed.count == 1
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 3)
    assert [event.name for event in sandbox.events] == ["Came", "Two", "One"]


async def test_many_envelopes_are_given_up_while_they_are_delivered(daemon: Daemon, sandbox: Sandbox) -> None:
    """Each has one outcome: what was delivered is not a dead letter, and what was given up was not delivered."""
    sent = [envelope(f"user-{n % 7}", "Step", at=n, metadata={"n": n}, envelope_id=str(n)) for n in range(200)]
    await daemon.publish(*sent)
    answers = await asyncio.gather(*(give_up(daemon, str(n)) for n in range(200)), return_exceptions=True)
    given = {answer.outcome.envelope_id for answer in answers if not isinstance(answer, BaseException)}
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert {each.code() for each in refusals} <= {grpc.StatusCode.NOT_FOUND}
    await daemon.ended([str(n) for n in range(200)])
    assert sorted(int(outcome.envelope_id) for outcome in await daemon.journal()) == list(range(200))
    delivered = {str(event.metadata["n"]) for event in sandbox.events}
    assert delivered.isdisjoint(given)
    assert delivered | given == {str(n) for n in range(200)}


async def test_envelope_of_an_inactive_connection_is_given_up(start: Start, sandbox: Sandbox) -> None:
    daemon = await start()
    await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
    await daemon.publish(envelope("ann", "Came", envelope_id="waits"))
    await daemon.stop()
    inactive = await start(connections={"default": {"active": False}})
    (entry,) = await trail(inactive, customer_id="ann")
    assert entry.waiting.reason == "INACTIVE"
    given = await give_up(inactive, "waits")
    assert given.outcome.reason == "GIVEN_UP"
    assert names(await trail(inactive, customer_id="ann")) == ["outcome waits"]
    assert sandbox.events == []
