"""Exchanges as they were recorded with version 2.3 of the API, and the other answer where a source gives another one.

Every row of `EXCHANGES` is played against both forms of the sandbox. `{ada}` and `{bob}` are users with the external
ids 7 and 8, `{gone}` a user that was archived, `{deleted}` one that was deleted, `{lead}` a lead.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from intercomd_daemon.sandbox import Recorded, SandboxSettings
from intercomd_daemon.sandbox.http_messages import HttpResponse
from intercomd_daemon.sandbox.recorded import ALL, NONE
from intercomd_daemon.sandbox.workspace import Workspace

Ask = Callable[..., HttpResponse]
Read = Callable[[HttpResponse], Any]
NOW = 1_700_000_000.0
NOT_FOUND = (404, "User Not Found")
EXISTS = (409, "A contact matching those details already exists with id={}")
ARCHIVED = (409, "An archived contact matching those details already exists with id={}")
MARKED = (400, "User has been marked for permanent deletion and is not restorable.")
NO_LEAD = (400, "Contact with user role can't be converted to a lead")


class Exchange(NamedTuple):
    """A call, its recorded answer, and the other one where `answer` is switched off.

    Answers: a status and the message of a refusal, or 200 and fields that the contact has from then on.
    """

    call: str
    body: dict[str, object] | None
    recorded: tuple[int, object]
    other: tuple[int, object] | None = None
    answer: Recorded | None = None


def exists(name: str, refusal: tuple[int, str] = EXISTS) -> tuple[int, str]:
    return refusal[0], refusal[1].format("{" + name + "}")


EXCHANGES = [
    # Creating.
    Exchange("POST /contacts", {"external_id": "9"}, (200, {"external_id": "9", "role": "user"})),
    Exchange("POST /contacts", {"email": "New@b.c"}, (200, {"email": "new@b.c", "external_id": None})),
    Exchange("POST /contacts", {"external_id": "7"}, exists("ada")),
    Exchange("POST /contacts", {"email": "ada@b.c"}, exists("ada")),
    Exchange("POST /contacts", {"email": "ADA@b.c"}, exists("ada")),
    Exchange("POST /contacts", {"external_id": "gone"}, exists("gone", ARCHIVED)),
    Exchange("POST /contacts", {"email": "gone@b.c"}, exists("gone", ARCHIVED)),
    Exchange("POST /contacts", {"role": "lead", "email": "ada@b.c"}, (200, {"role": "lead", "email": "ada@b.c"})),
    # After a permanent DELETE.
    Exchange(
        "POST /contacts",
        {"external_id": "deleted"},
        exists("deleted", ARCHIVED),
        (200, {"external_id": "deleted"}),
        Recorded.DELETED_MARKED,
    ),
    Exchange(
        "POST /contacts",
        {"email": "deleted@b.c"},
        exists("deleted", ARCHIVED),
        (200, {"email": "deleted@b.c"}),
        Recorded.DELETED_MARKED,
    ),
    Exchange("POST /contacts/{deleted}/unarchive", None, MARKED, NOT_FOUND, Recorded.DELETED_MARKED),
    Exchange("GET /contacts/{deleted}", None, NOT_FOUND),
    Exchange("PUT /contacts/{deleted}", {"name": "D"}, NOT_FOUND),
    # Archiving.
    Exchange("POST /contacts/{ada}/archive", None, (200, {"archived": True})),
    Exchange("POST /contacts/{gone}/unarchive", None, (200, {"archived": False})),
    Exchange("GET /contacts/{gone}", None, NOT_FOUND),
    Exchange("PUT /contacts/{gone}", {"name": "G"}, (200, {"name": "G"}), NOT_FOUND, Recorded.ARCHIVED_UPDATE),
    Exchange(
        "PUT /contacts/{gone}",
        {"external_id": "gone", "email": "gone@b.c"},
        (200, {"external_id": "gone", "email": "gone@b.c"}),
        NOT_FOUND,
        Recorded.ARCHIVED_UPDATE,
    ),
    Exchange(
        "PUT /contacts/{ada}",
        {"external_id": "gone", "email": "gone@b.c"},
        (200, {"external_id": "gone", "email": "gone@b.c"}),
        exists("gone", ARCHIVED),
        Recorded.ARCHIVED_UPDATE,
    ),
    # Identities in updates.
    Exchange("PUT /contacts/{ada}", {"name": "Ada"}, (200, {"name": "Ada", "external_id": "7"})),
    Exchange("PUT /contacts/{ada}", {"name": None}, (200, {"name": None})),
    Exchange("PUT /contacts/{ada}", {"external_id": "70"}, (200, {"external_id": "70"})),
    Exchange("PUT /contacts/{ada}", {"email": "ada@b.c"}, (200, {"email": "ada@b.c"})),
    Exchange("PUT /contacts/{ada}", {"external_id": "8"}, exists("bob")),
    Exchange(
        "PUT /contacts/{ada}",
        {"email": "bob@b.c"},
        (200, {"email": "bob@b.c", "external_id": "7"}),
        exists("bob"),
        Recorded.SHARED_EMAIL,
    ),
    Exchange(
        "PUT /contacts/{ada}",
        {"email": "BOB@b.c", "external_id": "70"},
        (200, {"email": "bob@b.c", "external_id": "70"}),
        exists("bob"),
        Recorded.SHARED_EMAIL,
    ),
    Exchange("PUT /contacts/{nobody}", {"name": "N"}, NOT_FOUND),
    # null.
    Exchange(
        "PUT /contacts/{ada}",
        {"external_id": None},
        (200, {"external_id": "7"}),
        (200, {"external_id": None}),
        Recorded.EXTERNAL_ID_STAYS,
    ),
    Exchange(
        "PUT /contacts/{ada}", {"email": None}, (200, {"email": ""}), (200, {"email": None}), Recorded.EMAIL_EMPTIED
    ),
    Exchange("PUT /contacts/{ada}", {"custom_attributes": {"plan": None}}, (200, {"custom_attributes": {}})),
    Exchange(
        "PUT /contacts/{lead}",
        {"custom_attributes": {"plan": None}},
        (200, {"custom_attributes": {}}),
        (400, "Custom attribute 'plan' can not be null"),
        Recorded.LEAD_NULL,
    ),
    Exchange("PUT /contacts/{lead}", {"custom_attributes": {"plan": ""}}, (200, {"custom_attributes": {}})),
    # Roles.
    Exchange("PUT /contacts/{ada}", {"role": "lead"}, NO_LEAD, (200, {"role": "lead"}), Recorded.USER_STAYS_USER),
    Exchange("PUT /contacts/{lead}", {"role": "lead", "name": "L"}, (200, {"role": "lead", "name": "L"})),
    Exchange("PUT /contacts/{lead}", {"role": "user", "external_id": "9"}, (200, {"role": "user", "external_id": "9"})),
    # Events.
    Exchange("POST /events", {"event_name": "a", "created_at": 5, "user_id": "7"}, (202, None)),
    Exchange("POST /events", {"event_name": "a", "created_at": 5, "id": "{lead}"}, (202, None)),
    Exchange("POST /events", {"event_name": "a", "created_at": 5, "user_id": "gone"}, NOT_FOUND),
    Exchange("POST /events", {"event_name": "a", "created_at": 5, "user_id": "deleted"}, NOT_FOUND),
]


def inhabited(recorded: frozenset[Recorded], **settings: float) -> tuple[Workspace, dict[str, str]]:
    """Return a workspace, and the ids of its contacts by name."""
    workspace = Workspace(SandboxSettings(recorded=recorded, **settings))  # type: ignore[arg-type]  # times only
    workspace.add_attribute("plan")
    ada = workspace.add_contact("7", "ada@b.c", custom_attributes={"plan": "pro"})
    bob = workspace.add_contact("8", "bob@b.c")
    gone = workspace.archive(workspace.add_contact("gone", "gone@b.c").id)
    deleted = workspace.delete(workspace.add_contact("deleted", "deleted@b.c").id, NOW)
    lead = workspace.add_lead()
    lead.custom_attributes["plan"] = "pro"
    ids = {"ada": ada.id, "bob": bob.id, "gone": gone.id, "deleted": deleted.id, "lead": lead.id, "nobody": "0" * 24}
    return workspace, ids


def filled(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {key: filled(one, ids) for key, one in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


def play(exchange: Exchange, recorded: frozenset[Recorded], ask: Ask, read: Read) -> tuple[int, object]:
    """Play an exchange; return its answer in the table's form: of a contact, the fields that the row names."""
    workspace, ids = inhabited(recorded)
    method, _, path = exchange.call.partition(" ")
    answer = ask(workspace, method, path.format(**ids), filled(exchange.body, ids), now=NOW + 60)
    if answer.status == 202:
        return 202, None
    got = read(answer)
    if answer.status != 200:
        return answer.status, got["errors"][0]["message"]
    expected = expectation(exchange, recorded)[1]
    assert isinstance(expected, dict), got
    return 200, {name: got[name] for name in expected}


def expectation(exchange: Exchange, recorded: frozenset[Recorded]) -> tuple[int, object]:
    if exchange.other is None or exchange.answer in recorded:
        return exchange.recorded
    return exchange.other


@pytest.mark.parametrize("form", ["recorded", "other", "only this", "all but this"])
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda one: f"{one.call} {one.body}")
def test_exchange_is_answered_as_recorded_unless_switched_off(
    exchange: Exchange, form: str, ask: Ask, read: Read
) -> None:
    this = frozenset({exchange.answer} if exchange.answer else ())
    recorded = {"recorded": ALL, "other": NONE, "only this": this, "all but this": ALL - this}[form]
    status, expected = expectation(exchange, recorded)
    _, ids = inhabited(recorded)
    assert play(exchange, recorded, ask, read) == (status, filled(expected, ids))


def test_recorded_form_is_the_default() -> None:
    assert SandboxSettings().recorded == ALL == frozenset(Recorded)


def test_unarchiving_is_500_in_the_first_moments_after_a_delete(ask: Ask, read: Read) -> None:
    workspace, ids = inhabited(ALL, deletion_seconds=3.0)
    codes = []
    for seconds in (0.0, 2.9, 3.0):
        answer = ask(workspace, "POST", f"/contacts/{ids['deleted']}/unarchive", now=NOW + seconds)
        codes.append((answer.status, read(answer)["errors"][0]["code"]))
    assert codes == [(500, "server_error"), (500, "server_error"), (400, "bad_request")]


def test_shared_email_of_an_update_is_kept_by_both(ask: Ask) -> None:
    workspace, ids = inhabited(ALL)
    ask(workspace, "PUT", f"/contacts/{ids['ada']}", {"email": "bob@b.c"})
    assert [one.id for one in workspace.contacts.users_with_email("bob@b.c")] == [ids["bob"], ids["ada"]]


def test_emptied_email_belongs_to_nobody(ask: Ask) -> None:
    workspace, ids = inhabited(ALL)
    for name in ("ada", "bob"):
        assert ask(workspace, "PUT", f"/contacts/{ids[name]}", {"email": None}).status == 200
        assert ask(workspace, "PUT", f"/contacts/{ids[name]}", {"name": name}).status == 200
    assert workspace.contacts.users_with_email("") == []
    assert ask(workspace, "POST", "/contacts", {"email": "ada@b.c"}).status == 200


def test_archived_user_stays_archived_after_an_update(ask: Ask) -> None:
    workspace, ids = inhabited(ALL)
    assert ask(workspace, "PUT", f"/contacts/{ids['gone']}", {"name": "G"}).status == 200
    assert workspace.contacts.get_in_any_state(ids["gone"]).state == "archived"
    assert ask(workspace, "GET", f"/contacts/{ids['gone']}").status == 404


def test_rate_headers_have_either_form(ask: Ask) -> None:
    seen = {}
    for recorded in (ALL, NONE):
        workspace = Workspace(SandboxSettings(rate_limit=167, recorded=recorded))
        headers = [dict(ask(workspace, "GET", "/me", now=NOW).headers) for _ in range(2)]
        seen[recorded] = [(one["X-RateLimit-Remaining"], one["X-RateLimit-Reset"]) for one in headers]
    assert seen[ALL] == [("167", "1700000012"), ("166", "1700000012")]
    assert seen[NONE] == [("166", "1700000010"), ("165", "1700000010")]
