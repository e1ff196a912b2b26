"""Contacts where sources disagree about Intercom's answers: the daemon is right with either form."""

import time
from collections.abc import AsyncIterator

import pytest

from daemons.process import Daemon, Start
from daemons.round_trip import CREATE, TRACK, UNARCHIVE, UPDATE, follow
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
    await follow(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}))
    there = sandbox.workspace.archive(sandbox.contacts[0].id)
    result = await follow(daemon, sandbox, envelope("u1", update={"city": "York"}))
    if recorded(sandbox):
        assert (result.outcome.type, result.calls) == (DELIVERED, [UPDATE])
        assert there.custom_attributes == {"city": "York"}
    else:
        assert (result.outcome.reason, result.calls) == ("CONTACT_ARCHIVED", [UPDATE, CREATE])
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "Ely"}))
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "CONTACT_ARCHIVED")
    assert (there.state, len(sandbox.events)) == ("archived", 1)


async def test_archived_contact_is_unarchived_where_the_settings_allow_it(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"unarchive": True}})
    await follow(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}))
    there = sandbox.workspace.archive(sandbox.contacts[0].id)
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "Ely"}))
    assert (result.outcome.type, there.state) == (DELIVERED, "active")
    assert (there.custom_attributes, len(sandbox.events)) == ({"city": "Ely"}, 2)


async def test_new_email_of_another_user_is_shared_or_left_out(daemon: Daemon, sandbox: Sandbox) -> None:
    other = sandbox.workspace.add_contact("u2", "b@x.org")
    await follow(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}, email="a@x.org"))
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "York"}, email="b@x.org"))
    ours = sandbox.workspace.contacts.find_user("u1")
    assert result.outcome.type == DELIVERED
    if recorded(sandbox):
        assert (result.calls, result.adjustments, ours.email) == ([UPDATE, TRACK], [], "b@x.org")
    else:
        assert (result.calls, result.adjustments, ours.email) == ([UPDATE, UPDATE, TRACK], ["EMAIL_TAKEN"], "a@x.org")
    assert ours.custom_attributes == {"city": "York"}
    assert (other.external_id, other.email, other.custom_attributes) == ("u2", "b@x.org", {})


@pytest.mark.parametrize("unarchive", [True, False])
async def test_deleted_contact_ends_as_such_or_is_created_again(
    start: Start, sandbox: Sandbox, unarchive: bool
) -> None:
    """In the first moments after the DELETE, unarchiving is answered 500 and tried again."""
    daemon = await start(connections={"default": {"unarchive": unarchive}})
    await follow(daemon, sandbox, envelope("u1", "Came", update={"city": "Bath"}, email="a@x.org"))
    sandbox.workspace.delete(sandbox.contacts[0].id, time.time())
    for attempt in range(2):
        result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "York"}, email="a@x.org"))
        if not recorded(sandbox):
            assert result.outcome.type == DELIVERED
            assert result.calls == ([TRACK] if attempt else [UPDATE, CREATE, TRACK])
            continue
        reason = "CONTACT_DELETED" if unarchive else "CONTACT_ARCHIVED"
        assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, reason)
        assert (UNARCHIVE in result.calls) == (unarchive and not attempt)
        assert TRACK not in result.calls
    assert len(sandbox.events + sandbox.repeats) == (1 if recorded(sandbox) else 3)
