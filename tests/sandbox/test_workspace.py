"""What a test may do to a workspace directly."""

import pytest

from intercomd_daemon.sandbox import CustomAttribute, SandboxSettings
from intercomd_daemon.sandbox.http_messages import ErrorResponse
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.sandbox.workspace import Workspace


def test_contacts_can_be_added_beyond_what_calls_allow(workspace: Workspace) -> None:
    first = workspace.add_contact("7", "Ada@example.com", name="Ada", custom_attributes={"plan": "pro"})
    second = workspace.add_contact("8", "ada@example.com")
    lead = workspace.add_lead("ada@example.com")
    assert workspace.contacts.users_with_email("ada@example.com") == [first, second]
    assert (first.name, first.custom_attributes) == ("Ada", {"plan": "pro"})
    assert lead.role == "lead"
    assert lead.external_id
    assert workspace.contacts.all() == [first, second, lead]


def test_contacts_can_change_to_every_state() -> None:
    workspace = Workspace(SandboxSettings(recorded=NONE))
    ada, bob = workspace.add_contact("7"), workspace.add_contact("8")
    assert workspace.archive(ada.id).state == "archived"
    assert workspace.unarchive(ada.id).state == "active"
    assert workspace.block(ada.id).state == "blocked"
    workspace.unarchive(ada.id)
    assert workspace.merge(ada.id, bob.id) is bob
    workspace.delete(bob.id)
    assert workspace.contacts.all() == []
    with pytest.raises(ErrorResponse):
        workspace.archive(bob.id)


def test_attributes_may_be_added_and_replaced(workspace: Workspace) -> None:
    workspace.add_attribute("age", "integer")
    workspace.add_attribute("age", "integer", archived=True)
    assert workspace.attributes.all() == [CustomAttribute("age", "integer", archived=True)]


def test_attributes_can_exist_from_the_start() -> None:
    started = Workspace(SandboxSettings(attributes=(CustomAttribute("age", "integer"),)))
    assert [attribute.name for attribute in started.attributes.all()] == ["age"]


def test_tokens_that_are_accepted_may_change(workspace: Workspace) -> None:
    assert workspace.access_tokens == {"sandbox-token"}
    workspace.set_access_token("new", "old")
    assert workspace.access_tokens == {"new", "old"}
    workspace.set_access_token()
    assert workspace.access_tokens == set()


def test_different_seeds_give_different_ids() -> None:
    assert Workspace(SandboxSettings(seed=1)).add_contact().id != Workspace(SandboxSettings(seed=2)).add_contact().id
