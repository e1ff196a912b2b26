"""The standard job through the whole daemon: the fewest calls that Intercom's API allows."""

from collections.abc import Sequence

from daemons import Daemon
from sending import envelope

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd_daemon.sandbox import Sandbox

USERS = 100
ATTRIBUTES = {f"attribute-{number}": f"value {number}" for number in range(10)}


def calls_for_users(sandbox: Sandbox) -> int:
    """Calls about contacts and events; the rest is one look at the workspace and its attributes."""
    return sum(call.path.startswith(("/contacts", "/events")) for call in sandbox.calls)


async def publish_all(daemon: Daemon, envelopes: Sequence[Envelope]) -> None:
    """In batches of the largest size, one after another."""
    for first in range(0, len(envelopes), 500):
        answer = await daemon.publish(*envelopes[first : first + 500])
        assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_ACCEPTED}


def events_of(run: str, seconds: int) -> list[Envelope]:
    """1,000 events of 100 users, each with the same ten attributes."""
    return [
        envelope(
            f"u{n % USERS}", "Opened", at=seconds + n, metadata={"n": n}, update=ATTRIBUTES, envelope_id=f"{run}{n}"
        )
        for n in range(1000)
    ]


async def test_a_thousand_events_of_a_hundred_new_users_take_1100_calls_and_again_1000(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    for run, seconds, calls in (("first-", 0, 1100), ("second-", 5000, 2100)):
        sent = events_of(run, seconds)
        await publish_all(daemon, sent)
        await daemon.ended([each.envelope_id for each in sent])
        assert calls_for_users(sandbox) == calls
    assert len(sandbox.events) == 2000
    assert not sandbox.repeats
    for number in range(USERS):
        arrived = [event.metadata["n"] for event in sandbox.events if event.external_id == f"u{number}"]
        assert arrived == 2 * list(range(number, 1000, USERS))
    assert {contact.external_id: contact.custom_attributes for contact in sandbox.contacts} == {
        f"u{number}": ATTRIBUTES for number in range(USERS)
    }
    others = [call for call in sandbox.calls if not call.path.startswith(("/contacts", "/events"))]
    assert len(others) == 1 + 1 + len(ATTRIBUTES), "GET /me, one list of the attributes, and each of them made once"


async def test_a_thousand_updates_of_a_hundred_users_that_wait_together_take_at_most_200_calls(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    sent = [envelope(f"u{n % USERS}", update={"visits": n}, envelope_id=f"update-{n}") for n in range(1000)]
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    await publish_all(daemon, sent)
    assert calls_for_users(sandbox) == 0
    await daemon.operations.ResumeConnection(ResumeConnectionRequest())
    await daemon.ended([each.envelope_id for each in sent])
    assert calls_for_users(sandbox) <= 200
    visits = {contact.external_id: contact.custom_attributes["visits"] for contact in sandbox.contacts}
    assert visits == {f"u{number}": 900 + number for number in range(USERS)}


async def test_updates_that_wait_for_an_intercom_that_is_away_leave_together_too(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    """The same over an outage and a restart of the daemon in it: at most two calls for each user."""
    await sandbox.stop()
    sent = [envelope(f"u{n % USERS}", update={"visits": n}, envelope_id=f"update-{n}") for n in range(1000)]
    await publish_all(daemon, sent)
    await daemon.kill()
    await daemon.start()
    await sandbox.start()
    await daemon.ended([each.envelope_id for each in sent])
    assert calls_for_users(sandbox) <= 200


async def test_equal_attributes_are_not_sent_again_also_after_a_restart(daemon: Daemon, sandbox: Sandbox) -> None:
    for number in range(2):
        await daemon.publish(envelope("u1", update=ATTRIBUTES, envelope_id=f"update-{number}"))
        await daemon.ended([f"update-{number}"])
        assert calls_for_users(sandbox) == 1
        await daemon.kill()
        await daemon.start()
    first, second = await daemon.journal()
    assert (first.type, second.type) == (1, 2), "delivered, then unchanged"


async def test_an_event_of_an_unknown_user_arrives_with_its_time(daemon: Daemon, sandbox: Sandbox) -> None:
    """Intercom answers 404 to it; the contact is created, and the same event is sent again."""
    await daemon.publish(
        envelope("new", "Came", at=7, envelope_id="by-id"),
        envelope("", "Came", at=8, email="Ada@Example.org", envelope_id="by-email"),
    )
    await daemon.ended(["by-id", "by-email"])
    arrived = {(event.external_id, event.email, event.created_at - 1_750_000_000) for event in sandbox.events}
    assert arrived == {("new", None, 7), (None, "ada@example.org", 8)}
    assert calls_for_users(sandbox) == 6, "for each: the event, the contact, the event"
