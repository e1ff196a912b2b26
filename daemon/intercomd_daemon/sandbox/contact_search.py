"""The contact search: filters, groups of filters, pages.

Its index lags: "a new contact may stay invisible for minutes: never use it as the existence check".
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from intercomd_daemon.sandbox.bodies import SearchBody, SearchFilter
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.http_messages import illegal

NESTING_MAX = 2
GROUP_MAX = 15
"""A "limit of max 2 nested filters" and of "max 15 filters for each AND or OR group"."""
FIELDS = frozenset(
    {"id", "role", "name", "avatar", "owner_id", "email", "phone", "external_id", "created_at", "updated_at"}
    | {"signed_up_at", "last_seen_at", "unsubscribed_from_emails"}
)
"""Searchable fields that the sandbox stores."""


def _same(value: object, wanted: object) -> bool:
    if value is None or wanted is None:
        return value is wanted
    return str(value).lower() == str(wanted).lower()


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": _same,
    "!=": lambda value, wanted: not _same(value, wanted),
    "IN": lambda value, wanted: any(_same(value, one) for one in wanted),
    "NIN": lambda value, wanted: not any(_same(value, one) for one in wanted),
    ">": lambda value, wanted: isinstance(value, int | float) and value > int(wanted),
    "<": lambda value, wanted: isinstance(value, int | float) and value < int(wanted),
    "~": lambda value, wanted: value is not None and str(wanted).lower() in str(value).lower(),
    "!~": lambda value, wanted: value is None or str(wanted).lower() not in str(value).lower(),
    "^": lambda value, wanted: value is not None and str(value).lower().startswith(str(wanted).lower()),
    "$": lambda value, wanted: value is not None and str(value).lower().endswith(str(wanted).lower()),
}


def search(contacts: Iterable[Contact], body: SearchBody) -> tuple[list[Contact], int, int | None]:
    """Returns a page of matching contacts, the number that match, and the start of the next page, if any.

    Raises:
        Refused: 400, illegal, for a malformed query.
    """
    found = [contact for contact in contacts if _matches(contact, body.query, 0)]
    start = int(body.pagination.starting_after or "0")
    end = start + body.pagination.per_page
    return found[start:end], len(found), end if end < len(found) else None


def check(query: SearchFilter, depth: int = 0) -> None:
    """Refuses a query that Intercom's description does not allow.

    Raises:
        Refused: 400, illegal.
    """
    if query.operator in {"AND", "OR"}:
        filters = _filters(query)
        if depth >= NESTING_MAX or not filters or len(filters) > GROUP_MAX:
            raise illegal(f"At most {NESTING_MAX} nested filters of 1 to {GROUP_MAX} each")
        for one in filters:
            check(one, depth + 1)
        return
    if query.operator not in OPERATORS:
        raise illegal(f"Unknown search operator '{query.operator}'", field="operator")
    if query.field not in FIELDS and not query.field.startswith("custom_attributes."):
        raise illegal(f"Unknown search field '{query.field}'", field="field")
    if (query.operator in {"IN", "NIN"}) != isinstance(query.value, list):
        raise illegal("Values must be in an array for IN and NIN, and for them only", field="value")
    if query.operator in {"<", ">"} and not str(query.value).isdecimal():
        raise illegal("< and > compare integers and dates", field="value")


def _matches(contact: Contact, query: SearchFilter, depth: int) -> bool:
    if query.operator == "AND":
        return all(_matches(contact, one, depth + 1) for one in _filters(query))
    if query.operator == "OR":
        return any(_matches(contact, one, depth + 1) for one in _filters(query))
    return OPERATORS[query.operator](_value(contact, query.field), query.value)


def _filters(query: SearchFilter) -> list[SearchFilter]:
    try:
        return msgspec.convert(query.value, list[SearchFilter])
    except msgspec.ValidationError as error:
        raise illegal(str(error), field="value") from None


def _value(contact: Contact, field: str) -> Any:  # noqa: ANN401 - a field's value is whatever JSON holds
    if field.startswith("custom_attributes."):
        return contact.custom_attributes.get(field.removeprefix("custom_attributes."))
    return getattr(contact, field)
