"""The standard job through the whole daemon: the fewest calls that Intercom's API allows."""

from collections.abc import Sequence

import pytest

from daemons.process import Daemon
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

USERS = 100
ATTRIBUTES = {f"attribute-{number}": f"value {number}" for number in range(10)}


class Calls:
    """The calls that have come in since it was made."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._before = len(sandbox.calls)

    def about_users(self) -> int:
        """Those about contacts and events."""
        return sum(call.path.startswith(("/contacts", "/events")) for call in self._sandbox.calls[self._before :])


async def publish_all(daemon: Daemon, envelopes: Sequence[Envelope]) -> list[str]:
    """In batches of the largest size, one after another; gives the ids."""
    for first in range(0, len(envelopes), 500):
        answer = await daemon.publish(*envelopes[first : first + 500])
        assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_ACCEPTED}
    return [each.envelope_id for each in envelopes]


def updates_of(group: str) -> list[Envelope]:
    """1,000 updates of 100 users, each with another value."""
    return [envelope(f"{group}-{n % USERS}", update={"visits": n}, envelope_id=f"{group}/{n}") for n in range(1000)]


def visits_of(group: str, sandbox: Sandbox) -> dict[str, object]:
    found = [each for each in sandbox.contacts if (each.external_id or "").startswith(f"{group}-")]
    return {contact.external_id: contact.custom_attributes["visits"] for contact in found}


async def test_1000_events_of_100_new_users_take_1100_calls(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The same again: 1,000."""
    calls = Calls(shared_sandbox)
    for run, expected in (("first", 1100), ("second", 2100)):
        sent = [
            envelope(f"job-{n % USERS}", run, at=n, metadata={"n": n}, update=ATTRIBUTES, envelope_id=f"{run}-{n}")
            for n in range(1000)
        ]
        await shared.ended(await publish_all(shared, sent))
        assert calls.about_users() == expected
    for number in range(USERS):
        arrived = [event.metadata["n"] for event in shared_sandbox.events if event.external_id == f"job-{number}"]
        assert arrived == 2 * list(range(number, 1000, USERS))
    contacts = [each for each in shared_sandbox.contacts if (each.external_id or "").startswith("job-")]
    assert len(contacts) == USERS
    assert all(contact.custom_attributes == ATTRIBUTES for contact in contacts)
    made = [call.json["name"] for call in shared_sandbox.calls if call.path == "/data_attributes" and call.body]
    assert sorted(set(made) & ATTRIBUTES.keys()) == sorted(made[: len(ATTRIBUTES)]) == sorted(ATTRIBUTES)


async def test_1000_waiting_updates_of_100_users_take_at_most_200_calls(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    calls = Calls(shared_sandbox)
    await shared.operations.PauseConnection(PauseConnectionRequest())
    names = await publish_all(shared, updates_of("waiting"))
    assert calls.about_users() == 0
    await shared.operations.ResumeConnection(ResumeConnectionRequest())
    await shared.ended(names)
    assert calls.about_users() <= 200
    assert visits_of("waiting", shared_sandbox) == {f"waiting-{number}": 900 + number for number in range(USERS)}


async def test_updates_that_wait_for_an_outage_are_merged(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The same over an outage and a restart of the daemon in it: at most two calls for each user."""
    calls = Calls(shared_sandbox)
    await shared_sandbox.stop()
    names = await publish_all(shared, updates_of("outage"))
    await shared.kill()
    await shared.start()
    await shared_sandbox.start()
    await shared.ended(names)
    assert calls.about_users() <= 200
    assert visits_of("outage", shared_sandbox) == {f"outage-{number}": 900 + number for number in range(USERS)}


async def test_unchanged_attributes_are_not_sent_again_after_a_restart(shared: Daemon, shared_sandbox: Sandbox) -> None:
    calls = Calls(shared_sandbox)
    for number in range(2):
        await shared.publish(envelope("equal", update=ATTRIBUTES, envelope_id=f"equal-{number}"))
        await shared.ended([f"equal-{number}"])
        assert calls.about_users() == 1
        await shared.kill()
        await shared.start()
    types = [outcome.type for outcome in await shared.journal() if outcome.envelope_id.startswith("equal-")]
    assert types == [OutcomeType.OUTCOME_TYPE_DELIVERED, OutcomeType.OUTCOME_TYPE_UNCHANGED]


async def test_event_of_an_unknown_user_keeps_its_time(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Intercom answers 404 to it; the contact is created, and the same event is sent again."""
    calls = Calls(shared_sandbox)
    await shared.publish(
        envelope("new", "Came", at=7, envelope_id="by-id"),
        envelope("", "Came", at=8, email="Ada@Example.org", envelope_id="by-email"),
    )
    await shared.ended(["by-id", "by-email"])
    came = [event for event in shared_sandbox.events if event.name == "Came"]
    arrived = {(event.external_id, event.email, event.created_at - NOON) for event in came}
    assert arrived == {("new", None, 7), (None, "ada@example.org", 8)}
    assert calls.about_users() == 6, "for each: the event, the contact, the event"
