"""Contacts where sources disagree about Intercom's answers: the daemon is right with either form."""

import time
from collections.abc import AsyncIterator

import pytest

from daemons.process import Daemon, Start
from daemons.round_trip import CREATE, TRACK, UNARCHIVE, UPDATE, tell
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import CustomAttribute, Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import ALL, NONE
from senders.client import envelope

DELIVERED = OutcomeType.OUTCOME_TYPE_DELIVERED
DEAD_LETTERED = OutcomeType.OUTCOME_TYPE_DEAD_LETTERED


@pytest.fixture(params=[ALL, NONE], ids=["recorded", "other"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A workspace that gives the recorded answers, or the other ones."""
    settings = SandboxSettings(recorded=request.param, attributes=(CustomAttribute("city"),), deletion_seconds=0.5)
    async with Sandbox(settings) as running:
        yield running
        assert running.illegal_requests == []


def recorded(sandbox: Sandbox) -> bool:
    return sandbox.settings.recorded == ALL


async def test_archived_contact_keeps_its_update_or_ends_as_archived(daemon: Daemon, sandbox: Sandbox) -> None:
    """Its event is never reported as delivered: Intercom answers it with 404."""
    await tell(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}))
    there = sandbox.workspace.archive(sandbox.contacts[0].id)
    told = await tell(daemon, sandbox, envelope("u1", update={"city": "York"}))
    if recorded(sandbox):
        assert (told.outcome.type, told.calls) == (DELIVERED, [UPDATE])
        assert there.custom_attributes == {"city": "York"}
    else:
        assert (told.outcome.reason, told.calls) == ("CONTACT_ARCHIVED", [UPDATE, CREATE])
    told = await tell(daemon, sandbox, envelope("u1", "Seen", update={"city": "Ely"}))
    assert (told.outcome.type, told.outcome.reason) == (DEAD_LETTERED, "CONTACT_ARCHIVED")
    assert (there.state, len(sandbox.events)) == ("archived", 1)


async def test_archived_contact_is_unarchived_where_the_settings_allow_it(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"unarchive": True}})
    await tell(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}))
    there = sandbox.workspace.archive(sandbox.contacts[0].id)
    told = await tell(daemon, sandbox, envelope("u1", "Seen", update={"city": "Ely"}))
    assert (told.outcome.type, there.state) == (DELIVERED, "active")
    assert (there.custom_attributes, len(sandbox.events)) == ({"city": "Ely"}, 2)


async def test_new_email_of_another_user_is_shared_or_left_out(daemon: Daemon, sandbox: Sandbox) -> None:
    other = sandbox.workspace.add_contact("u2", "b@x.org")
    await tell(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}, email="a@x.org"))
    told = await tell(daemon, sandbox, envelope("u1", "Seen", update={"city": "York"}, email="b@x.org"))
    ours = sandbox.workspace.contacts.find_user("u1")
    assert told.outcome.type == DELIVERED
    if recorded(sandbox):
        assert (told.calls, told.adjustments, ours.email) == ([UPDATE, TRACK], [], "b@x.org")
    else:
        assert (told.calls, told.adjustments, ours.email) == ([UPDATE, UPDATE, TRACK], ["EMAIL_TAKEN"], "a@x.org")
    assert ours.custom_attributes == {"city": "York"}
    assert (other.external_id, other.email, other.custom_attributes) == ("u2", "b@x.org", {})


@pytest.mark.parametrize("unarchive", [True, False])
async def test_deleted_contact_ends_as_such_or_is_created_again(
    start: Start, sandbox: Sandbox, unarchive: bool
) -> None:
    """In the first moments after the DELETE, unarchiving is answered 500 and tried again."""
    daemon = await start(connections={"default": {"unarchive": unarchive}})
    await tell(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}, email="a@x.org"))
    sandbox.workspace.delete(sandbox.contacts[0].id, time.time())
    for attempt in range(2):
        told = await tell(daemon, sandbox, envelope("u1", "Seen", update={"city": "York"}, email="a@x.org"))
        if not recorded(sandbox):
            assert told.outcome.type == DELIVERED
            assert told.calls == ([TRACK] if attempt else [UPDATE, CREATE, TRACK])
            continue
        reason = "CONTACT_DELETED" if unarchive else "CONTACT_ARCHIVED"
        assert (told.outcome.type, told.outcome.reason) == (DEAD_LETTERED, reason)
        assert (UNARCHIVE in told.calls) == (unarchive and not attempt)
        assert TRACK not in told.calls
    assert len(sandbox.events + sandbox.repeats) == (1 if recorded(sandbox) else 3)
