"""Names are normalized to what Intercom accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.envelope import CONTACT_FIELDS, FIRST_NAME, LAST_NAME
from intercomd_daemon.ingest import names
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX, EVENT_NAME_CHARACTERS_MAX
from intercomd_daemon.ingest.names import (
    CACHED_NAMES_MAX,
    AttributeName,
    Meaning,
    attribute_name,
    date_name,
    event_name,
    normalize_attribute_name,
    normalize_event_name,
    normalize_key,
)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("plan", "plan"),
        ("Favourite colour", "Favourite colour"),
        ("größe_in-cm", "größe_in-cm"),
        ("  plan\t", "plan"),
        ("billing.plan", "billing-plan"),
        ("$plan", "plan"),
        ("$$plan", "plan"),
        ("a$b", "a-b"),
        ("~`!@#%^&*'{}|\\\"", "-" * 15),
        ("a\x00b\x1fc", "a-b-c"),
        ("$Age", "Age"),
        ("gender", "gender"),
        ("x" * 200, "x" * 190),
        ("x" * 189 + " y", "x" * 189),
        ("plan€", "plan€"),
    ],
)
def test_attribute_name_is_trimmed_cut_and_normalized(given_name: str, name: str) -> None:
    assert attribute_name(given_name) == AttributeName(name, Meaning.CUSTOM, renamed=name != given_name)


@pytest.mark.parametrize("name", ["", " ", "$", "$ $"[:2], "\t\n", "$$$"])
def test_name_of_forbidden_characters_only_is_empty(name: str) -> None:
    assert attribute_name(name).meaning is Meaning.EMPTY


@pytest.mark.parametrize(
    ("given_name", "name"), [("id", "id"), ("FirstName", "FirstName"), ("$Mobile", "Mobile"), ("a.b", "a-b")]
)
def test_event_attribute_name_is_never_reserved(given_name: str, name: str) -> None:
    assert normalize_key(given_name) == AttributeName(name, Meaning.CUSTOM, renamed=name != given_name)


@pytest.mark.parametrize("name", ["id", "email", "user_id", "external_id", "role", "ID", "$Email", " User_Id "])
def test_identity_names_are_recognised_in_any_case(name: str) -> None:
    assert attribute_name(name).meaning is Meaning.IDENTITY


@pytest.mark.parametrize(
    ("given_name", "name", "meaning"),
    [
        ("FirstName", FIRST_NAME, Meaning.CONTACT_FIELD),
        ("$firstname", FIRST_NAME, Meaning.CONTACT_FIELD),
        ("$LASTNAME", LAST_NAME, Meaning.CONTACT_FIELD),
        ("mobile", "phone", Meaning.MOBILE),
        ("$Mobile", "phone", Meaning.MOBILE),
    ],
)
def test_reserved_names_are_recognised_with_and_without_dollar(given_name: str, name: str, meaning: Meaning) -> None:
    assert attribute_name(given_name) == AttributeName(name, meaning, renamed=False)


@pytest.mark.parametrize("name", sorted(CONTACT_FIELDS))
def test_contact_fields_are_recognised(name: str) -> None:
    assert attribute_name(name) == AttributeName(name, Meaning.CONTACT_FIELD, renamed=False)


def test_contact_fields_are_matched_in_their_case() -> None:
    assert attribute_name("Name").meaning is Meaning.CUSTOM


@given(st.text(max_size=300))
def test_normalizing_twice_changes_nothing(name: str) -> None:
    normalized = normalize_attribute_name(name)
    if normalized.meaning not in {Meaning.EMPTY, Meaning.MOBILE} and normalized.name not in {FIRST_NAME, LAST_NAME}:
        assert normalize_attribute_name(normalized.name) == AttributeName(
            normalized.name, normalized.meaning, renamed=False
        )
        assert len(normalized.name) <= 190
        assert not set(normalized.name) & set(".$\x00")


@pytest.mark.parametrize(
    ("name", "dated"),
    [("start", "start_date"), ("start_date", "start_date"), ("x" * 190, "x" * 185 + "_date"), ("_date", "_date")],
)
def test_date_name_ends_with_date(name: str, dated: str) -> None:
    assert date_name(name) == dated


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("Order placed", "Order placed"),
        (" Order placed ", "Order placed"),
        ("order.placed", "order-placed"),
        ("$order", "-order"),
        ("a\x00b", "a-b"),
        ("", ""),
        ("   ", ""),
        ("x" * 300 + ".", "x" * 300 + "-"),
    ],
)
def test_event_name_is_trimmed_and_normalized(given_name: str, name: str) -> None:
    assert event_name(given_name) == name


@given(st.text(max_size=300))
def test_normalizing_an_event_name_twice_changes_nothing(name: str) -> None:
    normalized = normalize_event_name(name)
    assert normalize_event_name(normalized) == normalized
    assert not set(normalized) & set(".$\x00")


@pytest.mark.fills("ingest.names.CACHED_NAMES_MAX")
def test_cache_of_names_is_bounded_in_number_and_length() -> None:
    for recalled, name_of, longest in (
        (names._cached_attribute_name, names.attribute_name, ATTRIBUTE_NAME_CHARACTERS_MAX),
        (names._cached_event_name, names.event_name, EVENT_NAME_CHARACTERS_MAX),
    ):
        for number in range(CACHED_NAMES_MAX + 5):
            name_of(f"name {number}")
        assert recalled.cache_info().currsize == CACHED_NAMES_MAX
        misses = recalled.cache_info().misses
        name_of("x" * (longest + 1))
        assert recalled.cache_info().misses == misses
    for number in range(CACHED_NAMES_MAX + 5):
        names.is_normal(f"name {number}")
    assert names.is_normal.cache_info().currsize == CACHED_NAMES_MAX
