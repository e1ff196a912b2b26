"""Which contacts a search finds."""

from typing import Any

import msgspec
import pytest

from intercomd_daemon.sandbox.bodies import SearchBody
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.contact_search import check, search
from intercomd_daemon.sandbox.http_messages import ErrorResponse

CONTACTS = [
    Contact("1", "user", 100, external_id="a", email="ada@example.com", name="Ada"),
    Contact("2", "user", 200, external_id="b", email="bob@example.org", custom_attributes={"plan": "pro", "age": 40}),
    Contact("3", "lead", 300, email="cy@example.com", unsubscribed_from_emails=True),
]


def ids(query: dict[str, Any]) -> str:
    body = msgspec.convert({"query": query}, SearchBody)
    check(body.query)
    return "".join(contact.id for contact in search(CONTACTS, body)[0])


def one(field: str, operator: str, value: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (one("email", "=", "ADA@example.com"), "1"),
        (one("email", "!=", "ada@example.com"), "23"),
        (one("external_id", "=", None), "3"),
        (one("external_id", "IN", ["a", "b"]), "12"),
        (one("external_id", "NIN", ["a"]), "23"),
        (one("email", "~", "example.com"), "13"),
        (one("email", "!~", "example.com"), "2"),
        (one("email", "^", "bob"), "2"),
        (one("email", "$", ".org"), "2"),
        (one("created_at", ">", 100), "23"),
        (one("created_at", "<", "300"), "12"),
        (one("role", "=", "lead"), "3"),
        (one("unsubscribed_from_emails", "=", True), "3"),
        (one("custom_attributes.plan", "=", "pro"), "2"),
        (one("custom_attributes.age", ">", 39), "2"),
        (one("custom_attributes.plan", ">", 39), ""),
        ({"operator": "AND", "value": [one("role", "=", "user"), one("name", "=", "Ada")]}, "1"),
        ({"operator": "OR", "value": [one("id", "=", "2"), one("name", "=", "Ada")]}, "12"),
        (
            {
                "operator": "AND",
                "value": [
                    one("role", "=", "user"),
                    {"operator": "OR", "value": [one("id", "=", "2"), one("id", "=", "3")]},
                ],
            },
            "2",
        ),
    ],
)
def test_filter_finds_contacts(query: dict[str, Any], found: str) -> None:
    assert ids(query) == found


@pytest.mark.parametrize(
    "query",
    [
        one("email", "LIKE", "a"),
        one("shoe_size", "=", 1),
        one("email", "IN", "a"),
        one("email", "=", ["a"]),
        one("created_at", ">", "yesterday"),
        {"operator": "AND", "value": []},
        {"operator": "AND", "value": "a"},
        {"operator": "OR", "value": [one("id", "=", "1")] * 16},
        {
            "operator": "OR",
            "value": [{"operator": "OR", "value": [{"operator": "OR", "value": [one("id", "=", "1")]}]}],
        },
    ],
)
def test_unreadable_query_is_illegal(query: dict[str, Any]) -> None:
    with pytest.raises(ErrorResponse) as caught:
        ids(query)
    assert (caught.value.status, caught.value.illegal) == (400, True)


def test_pages_follow_one_another() -> None:
    body = {"query": one("id", "!=", "0"), "pagination": {"per_page": 2}}
    page, total, after = search(CONTACTS, msgspec.convert(body, SearchBody))
    assert ([contact.id for contact in page], total, after) == (["1", "2"], 3, 2)
    body["pagination"]["starting_after"] = "2"
    page, total, after = search(CONTACTS, msgspec.convert(body, SearchBody))
    assert ([contact.id for contact in page], total, after) == (["3"], 3, None)
