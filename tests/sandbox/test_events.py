"""Events: identifiers, metadata, sameness, names."""

from typing import Any

import pytest

from intercomd_daemon.sandbox.bodies import EventBody
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.events import Events, check, fold
from intercomd_daemon.sandbox.http_messages import ErrorResponse

ADA = Contact("1", "user", 1, external_id="7", email="ada@example.com")


def events(*, events_max: int = 100, names_max: int = 120) -> Events:
    return Events(events_max=events_max, names_max=names_max)


def track(book: Events, name: str, created_at: int = 5, contact: Contact = ADA, **metadata: object) -> bool:
    return book.track(EventBody(name, created_at, user_id="7", metadata=metadata), contact, "request", 9.0)


@pytest.mark.parametrize(
    "identifiers", [{}, {"user_id": "7", "email": "a@example.com"}, {"user_id": "7", "id": "1", "email": "a"}]
)
def test_event_requires_exactly_one_identifier(identifiers: dict[str, str]) -> None:
    with pytest.raises(ErrorResponse, match="Exactly one of") as caught:
        check(EventBody("a", 1, **identifiers))
    assert caught.value.illegal


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": "text", "b": 1, "c": 1.5, "d": True, "link": "https://example.com/1"},
        {"article": {"url": "https://example.com", "value": "the dude abides"}},
        {"price": {"amount": 34999, "currency": "eur"}},
        {"price": {"amount": -100, "currency": "JPY"}},
        {"order_date": 1_392_036_272, "free_date": "soon"},
        {f"key-{number}": number for number in range(30)},
    ],
)
def test_flat_metadata_is_accepted(metadata: dict[str, Any]) -> None:
    check(EventBody("a", 1, id="1", metadata=metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        {"a.b": 1},
        {"a$b": 1},
        {"": 1},
        {"article": {"url": "ftp://example.com", "value": "x"}},
        {"article": {"url": "https://example.com"}},
        {"article": {"url": "https://example.com", "value": 1}},
        {"price": {"amount": "19.99", "currency": "USD"}},
        {"price": {"amount": 1999, "currency": "dollars"}},
        {"price": {"amount": 1999, "currency": "USD", "more": 1}},
        {"price": {"amount": 1999}},
        {"nested": {}},
        {"order_date": 1_392_036_272_000},
        {"order_date": 1.5},
    ],
)
def test_other_metadata_is_illegal(metadata: dict[str, Any]) -> None:
    with pytest.raises(ErrorResponse) as caught:
        check(EventBody("a", 1, id="1", metadata=metadata))
    assert (caught.value.status, caught.value.illegal) == (400, True)


@pytest.mark.parametrize(
    ("name", "folded"), [("Added-Item", "added-item"), ("eCommerce.view$", "ecommerce-view-"), ("a b", "a b")]
)
def test_event_names_are_compared_case_insensitively(name: str, folded: str) -> None:
    assert fold(name) == folded


def test_repeat_has_the_same_contact_name_and_second() -> None:
    book = events()
    assert track(book, "Added.Item", 5, quantity=1)
    assert not track(book, "added-item", 5, quantity=2)
    assert track(book, "added-item", 6)
    assert track(book, "removed-item", 5)
    assert track(book, "added-item", 5, Contact("2", "user", 1, external_id="8"))
    assert track(book, "added-item", 5, Contact("3", "user", 1))
    assert not track(book, "added-item", 5, Contact("3", "user", 1))
    assert (book.taken, book.repeated) == (5, 2)
    assert book.all()[0].metadata == {"quantity": 1}
    assert [event.metadata for event in book.repeats()] == [{"quantity": 2}, {}]


def test_first_ten_metadata_keys_are_tracked_in_order() -> None:
    book = events()
    track(book, "a", **{f"k{number}": number for number in range(12, 0, -1)})
    (event,) = book.all()
    assert len(event.metadata) == 12
    assert list(event.tracked) == [f"k{number}" for number in range(12, 2, -1)]


def test_new_name_beyond_the_limit_is_refused_and_a_known_one_is_not() -> None:
    book = events(names_max=2)
    track(book, "one")
    track(book, "two")
    with pytest.raises(ErrorResponse) as caught:
        track(book, "three")
    assert (caught.value.status, caught.value.message) == (422, "Cannot have more than 2 active event names")
    assert track(book, "ONE", 6)
    assert book.names() == ["one", "two"]


def test_events_are_all_counted_and_the_newest_kept() -> None:
    book = events(events_max=3)
    for second in range(5):
        track(book, "a", second)
    assert [event.created_at for event in book.all()] == [2, 3, 4]
    assert not track(book, "a", 4)
    assert track(book, "a", 0)
    assert book.taken == 6
