"""What a daemon that was killed still knows when it starts again."""

from daemons import Daemon
from sending import NOON, envelope
from telling import TRACK, UPDATE, tell

from intercomd.v1.event_pb2 import CommerceEvent, Product, ProductAction, ProductActionType
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import ConnectionState, PauseConnectionRequest, ResumeConnectionRequest
from intercomd_daemon.sandbox import Sandbox

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
DUPLICATE = Disposition.DISPOSITION_DUPLICATE


async def restart(daemon: Daemon) -> None:
    await daemon.kill()
    await daemon.start()


async def test_ids_are_known_whether_their_envelopes_wait_or_have_ended(daemon: Daemon, sandbox: Sandbox) -> None:
    ended = [envelope("u1", "Opened", envelope_id="ended"), envelope("u1", "Closed")]
    await daemon.publish(*ended, request_id="request-1")
    await daemon.ended(["ended", "request-1/1"])
    await sandbox.stop()
    await daemon.publish(envelope("u1", "Waits", envelope_id="waits"))
    await restart(daemon)
    again = await daemon.publish(*ended, envelope("u1", "Waits", envelope_id="waits"), request_id="request-1")
    assert [result.disposition for result in again.results] == 3 * [DUPLICATE]
    await sandbox.start()
    await daemon.ended(["waits"])
    assert len(sandbox.events) == 3


async def test_envelopes_that_waited_are_delivered_in_their_order(daemon: Daemon, sandbox: Sandbox) -> None:
    """More of one user than may be in memory at once, and others' between them."""
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    sent = [
        envelope("large" if n % 3 else f"small-{n % 7}", "Step", at=n, metadata={"n": n}, envelope_id=str(n))
        for n in range(450)
    ]
    for first in range(0, 450, 225):
        await daemon.publish(*sent[first : first + 225])
    await restart(daemon)
    await daemon.operations.ResumeConnection(ResumeConnectionRequest())
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) > 120, 60)
    await restart(daemon)
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 450, 60)
    for user in {event.external_id for event in sandbox.events}:
        arrived = [event.metadata["n"] for event in sandbox.events if event.external_id == user]
        assert arrived == sorted(arrived)
    assert len({event.created_at for event in sandbox.events}) == 450


async def test_a_pause_lasts(daemon: Daemon, sandbox: Sandbox) -> None:
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    await daemon.publish(envelope("u1", "Opened", envelope_id="held"))
    await restart(daemon)
    await daemon.heard("connection", standing="paused")
    assert (await daemon.connection()).state == ConnectionState.CONNECTION_STATE_PAUSED
    assert not any(call.path == "/events" for call in sandbox.calls)
    await daemon.operations.ResumeConnection(ResumeConnectionRequest())
    await daemon.ended(["held"])


async def test_seconds_that_are_taken_stay_taken(daemon: Daemon) -> None:
    first = await daemon.publish(envelope("u1", "Clicked", at=5, envelope_id="first"))
    await restart(daemon)
    second = await daemon.publish(envelope("u1", "Clicked", at=5, envelope_id="second"))
    times = [answer.results[0].event_time.seconds - NOON for answer in (first, second)]
    assert times == [5, 6]


async def test_a_contact_that_is_known_is_updated_and_not_looked_for(daemon: Daemon, sandbox: Sandbox) -> None:
    await tell(daemon, sandbox, envelope("u1", update={"plan": "gold"}))
    await restart(daemon)
    told = await tell(daemon, sandbox, envelope("u1", "Opened", update={"plan": "silver"}))
    assert told.calls == [UPDATE, TRACK]


async def test_an_envelope_of_several_calls_goes_on_where_it_was(daemon: Daemon, sandbox: Sandbox) -> None:
    """The update and the first two events of a purchase are through when the daemon is killed over the third."""
    action = ProductActionType.PRODUCT_ACTION_TYPE_PURCHASE
    bought = CommerceEvent(product_action=ProductAction(action=action, products=[Product(id="a"), Product(id="b")]))
    sandbox.fault("POST /events hang after=2")
    await daemon.publish(envelope("u1", commerce_event=bought, update={"plan": "gold"}, envelope_id="bought"))
    await sandbox.wait_for(lambda sandbox: sum(call.path == "/events" for call in sandbox.calls) == 3)
    calls = len(sandbox.calls)
    await daemon.kill()
    sandbox.faults.clear()
    await daemon.start()
    await daemon.ended(["bought"])
    names = [event.name.rpartition(" ")[2] for event in sandbox.events]
    assert names == ["Item", "Item", "Total"]
    assert not sandbox.repeats
    assert [f"{call.method} {call.path}" for call in sandbox.calls[calls:]] == ["GET /me", TRACK]
    (outcome,) = await daemon.journal()
    assert len(outcome.effects) == 4
