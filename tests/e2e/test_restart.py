"""What a daemon that was killed still knows when it starts again."""

import pytest

from daemons.process import Daemon
from daemons.round_trip import TRACK, UPDATE, follow
from intercomd.v1.event_pb2 import CommerceEvent, Product, ProductAction, ProductActionType
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import ConnectionState, PauseConnectionRequest, ResumeConnectionRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

DUPLICATE = Disposition.DISPOSITION_DUPLICATE


async def restart(daemon: Daemon) -> None:
    await daemon.kill()
    await daemon.start()


async def test_ids_are_recognised_after_a_restart(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Whether their envelopes wait or have ended."""
    ended = [envelope("ids", "Opened", envelope_id="ended"), envelope("ids", "Closed")]
    await shared.publish(*ended, request_id="request-1")
    await shared.ended(["ended", "request-1/1"])
    await shared_sandbox.stop()
    await shared.publish(envelope("ids", "Waits", envelope_id="waits"))
    await restart(shared)
    again = await shared.publish(*ended, envelope("ids", "Waits", envelope_id="waits"), request_id="request-1")
    assert [result.disposition for result in again.results] == 3 * [DUPLICATE]
    await shared_sandbox.start()
    await shared.ended(["waits"])
    assert sum(event.external_id == "ids" for event in shared_sandbox.events) == 3


async def test_waiting_envelopes_are_delivered_in_order_after_a_restart(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    """More of one user than may be in memory at once, and others' between them."""
    await shared.operations.PauseConnection(PauseConnectionRequest())
    sent = [
        envelope("large" if n % 3 else f"small-{n % 7}", "Step", at=n, metadata={"n": n}, envelope_id=str(n))
        for n in range(450)
    ]
    for first in range(0, 450, 225):
        await shared.publish(*sent[first : first + 225])
    await restart(shared)
    before = len(shared_sandbox.events)
    await shared.operations.ResumeConnection(ResumeConnectionRequest())
    await shared_sandbox.wait_for(lambda sandbox: len(sandbox.events) > before + 120, 60)
    await restart(shared)
    await shared_sandbox.wait_for(lambda sandbox: len(sandbox.events) == before + 450, 60)
    events = shared_sandbox.events[before:]
    for user in {event.external_id for event in events}:
        arrived = [event.metadata["n"] for event in events if event.external_id == user]
        assert arrived == sorted(arrived)
    assert {event.metadata["n"] for event in events} == set(range(450))


async def test_pause_survives_a_restart(shared: Daemon, shared_sandbox: Sandbox) -> None:
    await shared.operations.PauseConnection(PauseConnectionRequest())
    await shared.publish(envelope("paused", "Opened", envelope_id="held"))
    await restart(shared)
    await shared.heard("connection", state="paused")
    assert (await shared.connection()).state == ConnectionState.CONNECTION_STATE_PAUSED
    assert not any(b'"paused"' in call.body for call in shared_sandbox.calls)
    await shared.operations.ResumeConnection(ResumeConnectionRequest())
    await shared.ended(["held"])


async def test_allocated_seconds_survive_a_restart(shared: Daemon) -> None:
    first = await shared.publish(envelope("seconds", "Clicked", at=5, envelope_id="first"))
    await restart(shared)
    second = await shared.publish(envelope("seconds", "Clicked", at=5, envelope_id="second"))
    times = [answer.results[0].event_time.seconds - NOON for answer in (first, second)]
    assert times == [5, 6]


async def test_known_contact_is_updated_without_a_search_after_a_restart(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    await follow(shared, shared_sandbox, envelope("known", update={"plan": "gold"}))
    await restart(shared)
    result = await follow(shared, shared_sandbox, envelope("known", "Opened", update={"plan": "silver"}))
    assert result.calls == [UPDATE, TRACK]


async def test_partly_delivered_envelope_resumes_where_it_was(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The update and the first two events of a purchase are through when the daemon is killed over the third."""
    action = ProductActionType.PRODUCT_ACTION_TYPE_PURCHASE
    bought = CommerceEvent(product_action=ProductAction(action=action, products=[Product(id="a"), Product(id="b")]))
    hung = shared_sandbox.fault("POST /events hang after=2")
    await shared.publish(envelope("several", commerce_event=bought, update={"plan": "gold"}, envelope_id="bought"))
    await shared_sandbox.wait_for(lambda _: hung.hit)
    calls = len(shared_sandbox.calls)
    await shared.kill()
    shared_sandbox.faults.clear()
    await shared.start()
    await shared.ended(["bought"])
    events = [event for event in shared_sandbox.events if event.external_id == "several"]
    names = [event.name.rpartition(" ")[2] for event in events]
    assert names == ["Item", "Item", "Total"]
    assert not [event for event in shared_sandbox.repeats if event.external_id == "several"]
    assert [f"{call.method} {call.path}" for call in shared_sandbox.calls[calls:]] == ["GET /me", TRACK]
    outcome = (await shared.journal())[-1]
    assert outcome.envelope_id == "bought"
    assert len(outcome.effects) == 4
