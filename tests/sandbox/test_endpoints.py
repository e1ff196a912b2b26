"""Each call from its request to its answer and its effect, in the words of intercom.md."""

from collections.abc import Callable
from typing import Any

import pytest

from intercomd_daemon.sandbox import SandboxSettings
from intercomd_daemon.sandbox.http_messages import HttpResponse
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.sandbox.workspace import Workspace

Ask = Callable[..., HttpResponse]
Read = Callable[[HttpResponse], Any]
Refusal = Callable[[HttpResponse], tuple[int, str, str]]
NOW = 1_700_000_000.0
NOT_FOUND = (404, "not_found", "User Not Found")


def test_contact_is_created_updated_and_read(workspace: Workspace, ask: Ask, read: Read) -> None:
    workspace.add_attribute("plan")
    fields = {"external_id": "7", "email": "Ada@Example.com", "name": "Ada", "custom_attributes": {"plan": "pro"}}
    created = read(ask(workspace, "POST", "/contacts", fields))
    assert (created["role"], created["external_id"], created["email"]) == ("user", "7", "ada@example.com")
    updated = read(ask(workspace, "PUT", f"/contacts/{created['id']}", {"name": None, "owner_id": "3"}))
    assert (updated["name"], updated["owner_id"], updated["custom_attributes"]) == (None, "3", {"plan": "pro"})
    assert read(ask(workspace, "GET", f"/contacts/{created['id']}")) == updated
    assert read(ask(workspace, "GET", "/contacts/find_by_external_id/7")) == updated


def test_second_create_is_a_conflict(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    ada = workspace.add_contact("7")
    message = f"A contact matching those details already exists with id={ada.id}"
    assert refusal(ask(workspace, "POST", "/contacts", {"external_id": "7"})) == (409, "conflict", message)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_missing_attribute_refuses_the_whole_request(
    workspace: Workspace, ask: Ask, refusal: Refusal, method: str
) -> None:
    workspace.add_attribute("plan")
    ada = workspace.add_contact("7", name="Ada")
    path = "/contacts" if method == "POST" else f"/contacts/{ada.id}"
    body = {"external_id": "8", "name": "Eve", "custom_attributes": {"plan": "pro", "X": 1}}
    refused = ask(workspace, method, path, body)
    assert refusal(refused) == (400, "parameter_invalid", "Custom attribute 'X' does not exist")
    assert not refused.illegal
    assert workspace.contacts.all() == [ada]
    assert (ada.name, ada.external_id, ada.custom_attributes) == ("Ada", "7", {})


def test_null_in_an_attribute_clears_it_on_a_user_and_is_refused_on_a_lead(ask: Ask) -> None:
    workspace = Workspace(SandboxSettings(recorded=NONE))
    workspace.add_attribute("plan")
    user, lead = workspace.add_contact("7", custom_attributes={"plan": "pro"}), workspace.add_lead()
    lead.custom_attributes["plan"] = "pro"
    assert ask(workspace, "PUT", f"/contacts/{user.id}", {"custom_attributes": {"plan": None}}).status == 200
    assert ask(workspace, "PUT", f"/contacts/{lead.id}", {"custom_attributes": {"plan": None}}).status == 400
    assert (user.custom_attributes, lead.custom_attributes) == ({}, {"plan": "pro"})
    assert ask(workspace, "PUT", f"/contacts/{lead.id}", {"custom_attributes": {"plan": ""}}).status == 200
    assert lead.custom_attributes == {}


@pytest.mark.parametrize(
    ("version", "owner_id", "status"), [("2.16", "3", 200), ("2.16", 3, 400), ("2.15", 3, 200), ("2.15", "3", 400)]
)
def test_owner_has_the_versions_type(
    workspace: Workspace, ask: Ask, version: str, owner_id: object, status: int
) -> None:
    body = {"external_id": "7", "owner_id": owner_id}
    answer = ask(workspace, "POST", "/contacts", body, version=version)
    assert (answer.status, bool(answer.illegal)) == (status, status == 400)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_unknown_id_is_not_found(workspace: Workspace, ask: Ask, refusal: Refusal, method: str) -> None:
    assert refusal(ask(workspace, method, "/contacts/" + "0" * 24, {})) == NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_merged_contact_is_410_from_2_16_and_404_before(
    workspace: Workspace, ask: Ask, refusal: Refusal, method: str
) -> None:
    old, new = workspace.add_contact("old"), workspace.add_contact("new")
    workspace.merge(old.id, new.id)
    gone = ask(workspace, method, f"/contacts/{old.id}", {})
    assert refusal(gone)[:2] == (410, "contact_merged")
    assert dict(gone.headers)["Link"] == f'</contacts/{new.id}>; rel="canonical"'
    assert refusal(ask(workspace, method, f"/contacts/{old.id}", {}, version="2.15")) == NOT_FOUND


def test_find_by_external_id_finds_users_only(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    lead = workspace.add_lead()
    merged, into = workspace.add_contact("merged"), workspace.add_contact("into")
    workspace.merge(merged.id, into.id)
    assert refusal(ask(workspace, "GET", "/contacts/find_by_external_id/unknown")) == NOT_FOUND
    assert refusal(ask(workspace, "GET", f"/contacts/find_by_external_id/{lead.external_id}")) == NOT_FOUND
    gone = ask(workspace, "GET", "/contacts/find_by_external_id/merged")
    assert refusal(gone)[:2] == (410, "contact_merged")
    assert dict(gone.headers)["Link"] == f'</contacts/{into.id}>; rel="canonical"'


def test_unarchiving_restores_all_data_of_a_contact(
    workspace: Workspace, ask: Ask, read: Read, refusal: Refusal
) -> None:
    ada = workspace.add_contact("7", name="Ada")
    archived = {"type": "contact", "id": ada.id, "external_id": "7", "archived": True}
    assert read(ask(workspace, "POST", f"/contacts/{ada.id}/archive")) == archived
    assert refusal(ask(workspace, "GET", f"/contacts/{ada.id}")) == NOT_FOUND
    assert "An archived contact" in refusal(ask(workspace, "POST", "/contacts", {"external_id": "7"}))[2]
    assert read(ask(workspace, "POST", f"/contacts/{ada.id}/unarchive"))["archived"] is False
    assert read(ask(workspace, "GET", f"/contacts/{ada.id}"))["name"] == "Ada"


def test_blocked_contact_cannot_be_unarchived(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    ada = workspace.block(workspace.add_contact("7").id)
    assert refusal(ask(workspace, "POST", f"/contacts/{ada.id}/unarchive")) == NOT_FOUND
    assert refusal(ask(workspace, "POST", "/contacts", {"external_id": "7"}))[1] == "not_restorable"


def test_deleting_is_permanent(ask: Ask, read: Read, refusal: Refusal) -> None:
    workspace = Workspace(SandboxSettings(recorded=NONE))
    ada = workspace.add_contact("7")
    assert read(ask(workspace, "DELETE", f"/contacts/{ada.id}"))["deleted"] is True
    assert refusal(ask(workspace, "POST", f"/contacts/{ada.id}/unarchive")) == NOT_FOUND
    assert refusal(ask(workspace, "DELETE", f"/contacts/{ada.id}")) == NOT_FOUND


def test_deleted_contact_may_stay_as_one_marked_for_deletion(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    """As recorded: it counts as archived for a create, and cannot be unarchived."""
    ada = workspace.add_contact("7")
    ask(workspace, "DELETE", f"/contacts/{ada.id}")
    assert refusal(ask(workspace, "GET", f"/contacts/{ada.id}")) == NOT_FOUND
    assert "An archived contact" in refusal(ask(workspace, "POST", "/contacts", {"external_id": "7"}))[2]
    status, code, message = refusal(ask(workspace, "POST", f"/contacts/{ada.id}/unarchive"))[:3]
    assert (status, code) == (400, "bad_request")
    assert message == "User has been marked for permanent deletion and is not restorable."


def test_lead_is_merged_into_a_user_if_they_are_duplicates(
    workspace: Workspace, ask: Ask, read: Read, refusal: Refusal
) -> None:
    user, lead, stranger = workspace.add_contact("7", "a@b.c"), workspace.add_lead("a@b.c"), workspace.add_lead()

    def merge(source: str, into: str, **more: bool) -> HttpResponse:
        return ask(workspace, "POST", "/contacts/merge", {"from": source, "into": into, **more})

    assert refusal(merge(user.id, lead.id))[:2] == (400, "parameter_invalid")
    assert refusal(merge(stranger.id, user.id))[:2] == (400, "invalid_merge")
    assert read(merge(lead.id, user.id))["id"] == user.id
    assert read(merge(stranger.id, user.id, skip_duplicate_validation=True))["id"] == user.id
    assert refusal(merge(lead.id, user.id))[:2] == (410, "contact_merged")


def test_search_finds_a_new_contact_after_a_delay(ask: Ask, read: Read) -> None:
    workspace = Workspace(SandboxSettings())
    query = {"query": {"field": "external_id", "operator": "=", "value": "7"}}
    ask(workspace, "POST", "/contacts", {"external_id": "7"}, now=NOW)
    totals = [
        read(ask(workspace, "POST", "/contacts/search", query, now=NOW + after))["total_count"]
        for after in (0, 119, 120)
    ]
    assert totals == [0, 0, 1]
    workspace.add_contact("8")
    query["query"]["value"] = "8"
    assert read(ask(workspace, "POST", "/contacts/search", query, now=NOW))["total_count"] == 1


def test_search_may_lag_by_a_number_of_searches(ask: Ask, read: Read) -> None:
    workspace = Workspace(SandboxSettings(search_lag_seconds=0.0, search_lag_calls=2))
    query = {"query": {"field": "external_id", "operator": "=", "value": "7"}}
    ask(workspace, "POST", "/contacts", {"external_id": "7"})
    totals = [read(ask(workspace, "POST", "/contacts/search", query))["total_count"] for _ in range(3)]
    assert totals == [0, 0, 1]


def test_search_answers_in_pages(workspace: Workspace, ask: Ask, read: Read) -> None:
    for number in range(3):
        workspace.add_contact(str(number))
    body = {"query": {"field": "role", "operator": "=", "value": "user"}, "pagination": {"per_page": 2}}
    first = read(ask(workspace, "POST", "/contacts/search", body))
    assert ([one["external_id"] for one in first["data"]], first["pages"]["total_pages"]) == (["0", "1"], 2)
    body["pagination"]["starting_after"] = first["pages"]["next"]["starting_after"]
    last = read(ask(workspace, "POST", "/contacts/search", body))
    assert [one["external_id"] for one in last["data"]] == ["2"]
    assert "next" not in last["pages"]


def test_attributes_are_created_and_listed(workspace: Workspace, ask: Ask, read: Read, refusal: Refusal) -> None:
    body = {"name": "plan", "model": "contact", "data_type": "datetime"}
    assert read(ask(workspace, "POST", "/data_attributes", body))["data_type"] == "date"
    assert refusal(ask(workspace, "POST", "/data_attributes", body))[:2] == (400, "parameter_invalid")
    workspace.add_attribute("old", archived=True)

    def custom(query: str) -> list[str]:
        data = read(ask(workspace, "GET", f"/data_attributes{query}"))["data"]
        return [one["name"] for one in data if one["custom"]]

    assert custom("?model=contact&include_archived=true") == ["plan", "old"]
    assert custom("?model=contact") == custom("") == ["plan"]
    assert custom("?model=company&include_archived=false") == []


@pytest.mark.parametrize("query", ["?model=people", "?model=contact&include_archived=yes", "?include_archived="])
def test_attribute_list_takes_documented_parameters_only(workspace: Workspace, ask: Ask, query: str) -> None:
    refused = ask(workspace, "GET", f"/data_attributes{query}")
    assert (refused.status, bool(refused.illegal)) == (400, True)


@pytest.mark.parametrize("identifier", [{"user_id": "7"}, {"email": "ADA@example.com"}, {"id": "<id>"}])
def test_event_is_answered_202_without_a_body(workspace: Workspace, ask: Ask, identifier: dict[str, str]) -> None:
    ada = workspace.add_contact("7", "ada@example.com")
    identifier = {name: value.replace("<id>", ada.id) for name, value in identifier.items()}
    answer = ask(workspace, "POST", "/events", {"event_name": "Added.Item", "created_at": 5, **identifier})
    assert (answer.status, answer.body) == (202, b"")
    (event,) = workspace.events.all()
    assert (event.name, event.folded_name, event.created_at) == ("Added.Item", "added-item", 5)
    assert (event.contact_id, event.external_id, event.email) == (ada.id, "7", "ada@example.com")


@pytest.mark.parametrize(
    "identifier",
    [
        {"user_id": "unknown"},
        {"email": "unknown@example.com"},
        {"id": "unknown"},
        {"user_id": "archived"},
        {"email": "archived@example.com"},
        {"email": "lead@example.com"},
        {"user_id": "merged"},
    ],
)
def test_event_of_an_unknown_contact_is_404_and_creates_none(
    workspace: Workspace, ask: Ask, refusal: Refusal, identifier: dict[str, str]
) -> None:
    workspace.archive(workspace.add_contact("archived", "archived@example.com").id)
    workspace.add_lead("lead@example.com")
    workspace.merge(workspace.add_contact("merged").id, workspace.add_contact("into").id)
    before = workspace.contacts.all()
    assert refusal(ask(workspace, "POST", "/events", {"event_name": "a", "created_at": 5, **identifier})) == NOT_FOUND
    assert workspace.contacts.all() == before
    assert workspace.events.all() == []


def test_event_by_a_shared_email_is_409(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    workspace.add_contact("7", "a@example.com")
    workspace.add_contact("8", "a@example.com")
    refused = ask(workspace, "POST", "/events", {"event_name": "a", "created_at": 5, "email": "a@example.com"})
    message = "Multiple existing users match this email address - must be more specific using user_id"
    assert refusal(refused) == (409, "conflict", message)


def test_events_for_leads_need_intercoms_id(workspace: Workspace, ask: Ask, refusal: Refusal) -> None:
    lead = workspace.add_lead("lead@example.com")
    body = {"event_name": "a", "created_at": 5}
    assert refusal(ask(workspace, "POST", "/events", body | {"user_id": lead.external_id})) == NOT_FOUND
    assert ask(workspace, "POST", "/events", body | {"id": lead.id}).status == 202


def test_repeated_event_is_202_and_counted_as_a_repeat(ask: Ask) -> None:
    workspace = Workspace(SandboxSettings(rate_limit=10, recorded=NONE))
    workspace.add_contact("7")
    body = {"event_name": "a", "created_at": 5, "user_id": "7"}
    answers = [ask(workspace, "POST", "/events", body) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 202]
    assert [dict(answer.headers)["X-RateLimit-Remaining"] for answer in answers] == ["9", "8", "7"]
    assert (len(workspace.events.all()), len(workspace.events.repeats())) == (1, 2)


@pytest.mark.parametrize("empty", [False, True])
def test_121st_event_name_is_422_in_either_reported_form(ask: Ask, refusal: Refusal, empty: bool) -> None:
    workspace = Workspace(SandboxSettings(event_names_refusal_empty=empty))
    workspace.add_contact("7")
    for number in range(120):
        body = {"event_name": f"name-{number}", "created_at": 5, "user_id": "7"}
        assert ask(workspace, "POST", "/events", body).status == 202
    refused = ask(workspace, "POST", "/events", {"event_name": "one-more", "created_at": 5, "user_id": "7"})
    assert (refused.status, refused.body == b"") == (422, empty)
    assert empty or refusal(refused)[2] == "Cannot have more than 120 active event names"


def test_me_returns_the_app_and_its_region(ask: Ask, read: Read) -> None:
    settings = SandboxSettings(app_id="abc12345", workspace_name="Shop", region="eu")
    me = read(ask(Workspace(settings), "GET", "/me"))
    assert me["type"] == "admin"
    assert (me["app"]["id_code"], me["app"]["name"], me["app"]["region"]) == ("abc12345", "Shop", "EU")
    assert read(ask(Workspace(SandboxSettings(app_visible=False)), "GET", "/me"))["app"] is None
