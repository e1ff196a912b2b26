"""Contacts that are there already, with other ids, emails and states: every 409, 404 and 410 ends as it should."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from daemons.process import Daemon
from daemons.round_trip import CREATE, READ, TRACK, UPDATE, follow
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELIVERED = OutcomeType.OUTCOME_TYPE_DELIVERED
DEAD_LETTERED = OutcomeType.OUTCOME_TYPE_DEAD_LETTERED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox() -> AsyncIterator[Sandbox]:
    """A workspace that answers as Intercom is described to; `test_recorded.py` has the recorded answers beside."""
    async with Sandbox(SandboxSettings(recorded=NONE)) as running:
        yield running
        assert running.illegal_requests == []


def gold(customer_id: str = "", email: str = "") -> Envelope:
    return envelope(customer_id, email=email, update={"plan": "gold"})


async def test_conflict_with_the_same_customer_id_updates_the_contact(shared: Daemon, shared_sandbox: Sandbox) -> None:
    there = shared_sandbox.workspace.add_contact("a1")
    result = await follow(shared, shared_sandbox, gold("a1"))
    assert result.calls == [CREATE, UPDATE]
    assert result.outcome.type == DELIVERED
    assert there.custom_attributes["plan"] == "gold"


async def test_conflict_with_the_same_id_and_email_updates_the_contact(shared: Daemon, shared_sandbox: Sandbox) -> None:
    there = shared_sandbox.workspace.add_contact("b1", "b1@example.org")
    result = await follow(shared, shared_sandbox, gold("b1", "b1@example.org"))
    assert result.calls == [CREATE, READ, UPDATE]
    assert result.outcome.type == DELIVERED
    assert there.custom_attributes["plan"] == "gold"


async def test_contact_known_by_email_gets_the_customer_id(shared: Daemon, shared_sandbox: Sandbox) -> None:
    there = shared_sandbox.workspace.add_contact(None, "c1@example.org")
    result = await follow(shared, shared_sandbox, gold("c1", "C1@example.org"))
    assert result.calls == [CREATE, READ, UPDATE]
    assert (there.external_id, there.email) == ("c1", "c1@example.org")
    assert there.custom_attributes["plan"] == "gold"


async def test_email_of_another_customer_is_left_out_and_reported(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The other customer's contact is not touched; ours exists without the email, and later updates cost one call."""
    other = shared_sandbox.workspace.add_contact("d-other", "d@example.org")
    result = await follow(shared, shared_sandbox, gold("d1", "d@example.org"))
    assert result.calls == [CREATE, READ, CREATE]
    assert (result.outcome.type, result.adjustments) == (DELIVERED, ["EMAIL_TAKEN"])
    assert (other.external_id, other.custom_attributes) == ("d-other", {})
    ours = next(contact for contact in shared_sandbox.contacts if contact.external_id == "d1")
    assert (ours.email, ours.custom_attributes) == (None, {"plan": "gold"})
    again = await follow(shared, shared_sandbox, envelope("d1", email="d@example.org", update={"plan": "silver"}))
    assert again.outcome.type == DELIVERED
    assert again.calls[-1] == UPDATE
    assert ours.custom_attributes == {"plan": "silver"}


async def test_email_without_customer_id_updates_its_contact(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Also one that has a customer id, which stays."""
    for number, external_id in enumerate((None, "e-known")):
        there = shared_sandbox.workspace.add_contact(external_id, f"e{number}@example.org")
        result = await follow(shared, shared_sandbox, gold(email=f"E{number}@example.org"))
        assert result.calls == [CREATE, UPDATE]
        assert result.outcome.type == DELIVERED
        assert (there.external_id, there.custom_attributes["plan"]) == (external_id, "gold")


async def test_email_shared_by_several_contacts_identifies_none(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """With a customer id the email is left out; without one the envelope is a dead letter, and so is an event."""
    for number in range(2):
        shared_sandbox.workspace.add_contact(f"f-{number}", "f@example.org")
    result = await follow(shared, shared_sandbox, gold("f1", "f@example.org"))
    assert result.calls == [CREATE, CREATE]
    assert (result.outcome.type, result.adjustments) == (DELIVERED, ["EMAIL_TAKEN"])
    result = await follow(shared, shared_sandbox, gold(email="f@example.org"))
    assert result.calls == [CREATE]
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "IDENTITY_AMBIGUOUS")
    result = await follow(shared, shared_sandbox, envelope("", "Opened", email="f@example.org"))
    assert result.calls == [TRACK]
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "IDENTITY_AMBIGUOUS")
    assert all(not contact.custom_attributes for contact in shared_sandbox.contacts if contact.email == "f@example.org")


@pytest.mark.parametrize("email", ["", "g@example.org"])
async def test_archived_contact_is_left_alone_and_not_looked_up_again(
    shared: Daemon, shared_sandbox: Sandbox, email: str
) -> None:
    name = f"g{len(email)}"
    there = shared_sandbox.workspace.add_contact(name, email or None)
    shared_sandbox.workspace.archive(there.id)
    result = await follow(shared, shared_sandbox, gold(name, email))
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "CONTACT_ARCHIVED")
    assert there.state == "archived"
    again = await follow(shared, shared_sandbox, envelope(name, "Opened", email=email, update={"plan": "silver"}))
    assert again.calls == []
    assert (again.outcome.type, again.outcome.reason) == (DEAD_LETTERED, "CONTACT_ARCHIVED")


async def test_blocked_contact_is_left_alone(shared: Daemon, shared_sandbox: Sandbox) -> None:
    there = shared_sandbox.workspace.add_contact("h1")
    shared_sandbox.workspace.block(there.id)
    result = await follow(shared, shared_sandbox, gold("h1"))
    assert result.calls == [CREATE]
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "CONTACT_BLOCKED")


async def test_update_with_the_email_of_another_contact_keeps_the_old_email(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    """409 on the update: it is repeated without the email."""
    await follow(shared, shared_sandbox, gold("i1", "i1@example.org"))
    shared_sandbox.workspace.add_contact("i-other", "i2@example.org")
    result = await follow(shared, shared_sandbox, envelope("i1", email="i2@example.org", update={"plan": "silver"}))
    assert result.calls == [UPDATE, UPDATE]
    assert (result.outcome.type, result.adjustments) == (DELIVERED, ["EMAIL_TAKEN"])
    ours = next(contact for contact in shared_sandbox.contacts if contact.external_id == "i1")
    assert (ours.email, ours.custom_attributes) == ("i1@example.org", {"plan": "silver"})


async def test_update_with_a_new_email_changes_the_email(shared: Daemon, shared_sandbox: Sandbox) -> None:
    await follow(shared, shared_sandbox, gold("j1", "j1@example.org"))
    result = await follow(shared, shared_sandbox, gold("j1", "j2@example.org"))
    assert result.calls == [UPDATE]
    assert [contact.email for contact in shared_sandbox.contacts if contact.external_id == "j1"] == ["j2@example.org"]


async def test_deleted_contact_is_created_again_with_all_attributes(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """What the daemon had result the old one is not taken for known by the new one."""
    await follow(shared, shared_sandbox, envelope("k1", update={"plan": "gold", "seats": 3}))
    old = next(contact for contact in shared_sandbox.contacts if contact.external_id == "k1")
    shared_sandbox.workspace.delete(old.id)
    result = await follow(shared, shared_sandbox, envelope("k1", update={"plan": "gold", "seats": 4}))
    assert result.calls == [UPDATE, CREATE]
    new = next(contact for contact in shared_sandbox.contacts if contact.external_id == "k1")
    assert new.custom_attributes == {"plan": "gold", "seats": 4}


async def test_merged_contact_is_found_again(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """410: the email's contact was merged into one with another email, so a new contact is created."""
    await follow(shared, shared_sandbox, gold(email="l1@example.org"))
    old = next(contact for contact in shared_sandbox.contacts if contact.email == "l1@example.org")
    into = shared_sandbox.workspace.add_contact(None, "l2@example.org")
    shared_sandbox.workspace.merge(old.id, into.id)
    result = await follow(shared, shared_sandbox, envelope(email="l1@example.org", update={"plan": "silver"}))
    assert result.calls == [UPDATE, CREATE]
    assert result.outcome.type == DELIVERED


async def test_event_of_a_deleted_contact_creates_it_again(shared: Daemon, shared_sandbox: Sandbox) -> None:
    await follow(shared, shared_sandbox, gold("m1"))
    old = next(contact for contact in shared_sandbox.contacts if contact.external_id == "m1")
    shared_sandbox.workspace.delete(old.id)
    result = await follow(shared, shared_sandbox, envelope("m1", "Opened", at=9))
    assert result.calls == [TRACK, CREATE, TRACK]
    assert result.outcome.type == DELIVERED
    assert any(event.external_id == "m1" for event in shared_sandbox.events)


async def test_email_and_customer_id_of_one_person_are_one_contact(shared: Daemon, shared_sandbox: Sandbox) -> None:
    first = await follow(shared, shared_sandbox, gold(email="n1@example.org"))
    then = await follow(shared, shared_sandbox, gold("n1", "n1@example.org"))
    last = await follow(shared, shared_sandbox, envelope(email="n1@example.org", update={"plan": "silver"}))
    assert first.calls == [CREATE]
    assert then.calls[:2] == [CREATE, READ]
    assert last.calls == [UPDATE]
    held = [contact for contact in shared_sandbox.contacts if contact.email == "n1@example.org"]
    assert [(contact.external_id, contact.custom_attributes) for contact in held] == [("n1", {"plan": "silver"})]
