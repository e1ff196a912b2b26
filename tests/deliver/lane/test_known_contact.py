"""The sent values of a contact, and how long they count. The dialogues show how a contact is found."""

import pytest

from intercomd_daemon.deliver.lane.known_contact import (
    DIGESTS_MAX,
    UNAVAILABLE_MAX,
    Contact,
    LateWrites,
    UnavailableContacts,
    digest_of,
)
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Scalar

NOW = 1_795_000_000.0
DAY = 86_400.0


def send(contact: Contact, now: float = NOW, position: int = 1, **values: Scalar) -> None:
    writer = object()
    contact.begin_write(values, writer)
    contact.mark_sent({name: (value, position) for name, value in values.items()}, writer, now)
    contact.end_write(writer)


def contact_of(now: float = NOW, position: int = 1, **values: Scalar) -> Contact:
    contact = Contact("c1")
    send(contact, now, position, **values)
    return contact


def knows(contact: Contact, name: str, value: Scalar) -> bool:
    return contact.knows(name, value, NOW, DAY)


def test_equal_values_of_different_types_differ() -> None:
    values: list[Scalar] = [None, "", "1", 1, 1.0, True, "true", False, 0, "None", "null"]
    assert len({digest_of(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("when", "seconds", "known"),
    [
        (NOW, DAY, True),
        (NOW - DAY + 1, DAY, True),
        (NOW - DAY, DAY, False),
        (NOW, 0.0, False),
        # Sent in the future: a clock was set back since, and it is unknown how long ago it was.
        (NOW + 1, DAY, False),
        (NOW + 1, 0.0, False),
    ],
)
def test_sent_value_is_known_until_it_expires(when: float, seconds: float, known: bool) -> None:
    assert contact_of(when, plan="gold").knows("plan", "gold", NOW, seconds) is known


def test_value_is_not_known_while_late_writes_may_overwrite_it() -> None:
    """The record still says which envelope wrote last, for replays."""
    late = LateWrites()
    contact = Contact("c1", b"", late)
    send(contact, plan="gold", position=7)
    late.expected = True
    send(contact, plan="silver", position=8)
    assert not knows(contact, "plan", "silver")
    assert not knows(contact, "plan", "gold")
    assert contact.written_after("plan", 7)
    assert not knows(Contact("c1", contact.pack()), "plan", "silver"), "nor by the process that reads the cache next"
    contact.remember_without_sending({"email": ("a@x.org", 9)}, NOW)
    assert knows(contact, "email", "a@x.org"), "without a call nothing can overwrite it"
    late.expected = False
    send(contact, plan="silver", position=9)
    assert knows(contact, "plan", "silver")


def test_another_value_and_another_attribute_are_not_known() -> None:
    contact = contact_of(plan="gold")
    assert knows(contact, "plan", "gold")
    assert not knows(contact, "plan", "silver")
    assert not knows(contact, "city", "gold")


def test_contact_is_restored_from_its_record_and_empty_from_a_damaged_one() -> None:
    kept = Contact("c1", contact_of(position=7, plan="gold").pack())
    assert knows(kept, "plan", "gold")
    assert kept.written_after("plan", 6)
    assert not kept.written_after("plan", 7)
    assert not kept.written_after("city", 0)
    assert not knows(Contact("c1", b"damaged"), "plan", "gold")


def test_values_in_flight_are_unknown_and_stay_so_if_the_call_fails() -> None:
    contact = contact_of(plan="gold", city="Bath")
    contact.begin_write(["plan"], "call")
    assert not knows(contact, "plan", "gold")
    assert knows(contact, "city", "Bath")
    contact.end_write("call")
    assert not knows(contact, "plan", "gold")


def test_values_of_overlapping_calls_are_unknown() -> None:
    contact = contact_of()
    contact.begin_write(["plan", "city"], "first")
    contact.begin_write(["plan"], "second")
    contact.mark_sent({"plan": ("gold", 1), "city": ("Bath", 1)}, "first", NOW)
    contact.end_write("first")
    contact.begin_write(["plan"], "third")
    contact.mark_sent({"plan": ("silver", 2)}, "second", NOW)
    contact.end_write("second")
    contact.mark_sent({"plan": ("bronze", 3)}, "third", NOW)
    contact.end_write("third")
    assert knows(contact, "city", "Bath")
    assert not any(knows(contact, "plan", value) for value in ("gold", "silver", "bronze"))
    send(contact, plan="tin")
    assert knows(contact, "plan", "tin")


def test_forgotten_contact_ignores_calls_in_flight() -> None:
    contact = contact_of(plan="gold")
    contact.begin_write(["plan"], "call")
    contact.forget()
    contact.mark_sent({"plan": ("silver", 2)}, "call", NOW)
    contact.end_write("call")
    assert not contact.id
    assert not knows(contact, "plan", "silver")


def test_name_and_its_parts_overwrite_each_other() -> None:
    contact = contact_of(name="Countess", position=1)
    send(contact, position=2, **{FIRST_NAME: "Ada", "name": "Ada"})
    contact = contact_of()
    contact.begin_write(["name", FIRST_NAME, LAST_NAME], "parts")
    contact.mark_sent({FIRST_NAME: ("Ada", 5), LAST_NAME: ("King", 5)}, "parts", NOW)
    contact.end_write("parts")
    assert (contact.first_name, contact.last_name) == ("Ada", "King")
    assert contact.written_after("name", 4)
    send(contact, position=9, name="Countess")
    assert not knows(contact, FIRST_NAME, "Ada")
    assert contact.written_after(LAST_NAME, 8)
    assert (contact.first_name, contact.last_name) == ("Ada", "King")


def test_name_in_flight_makes_its_parts_unknown() -> None:
    contact = contact_of()
    contact.begin_write(["name", FIRST_NAME], "part")
    contact.mark_sent({FIRST_NAME: ("Ada", 1)}, "part", NOW)
    contact.end_write("part")
    assert knows(contact, FIRST_NAME, "Ada")
    contact.begin_write(["name"], "name")
    assert not knows(contact, FIRST_NAME, "Ada")


def test_absorb_keeps_the_later_values() -> None:
    contact = contact_of(NOW - 5, plan="gold", city="Bath")
    contact.first_name, contact.last_name = "Ada", "Byron"
    other = contact_of(NOW - 9, plan="silver", team="red")
    send(other, NOW - 1, city="York")
    other.last_name = "King"
    contact.absorb(other)
    contact.absorb(Contact())
    assert knows(contact, "plan", "gold")
    assert knows(contact, "city", "York")
    assert knows(contact, "team", "red")
    assert (contact.first_name, contact.last_name) == ("Ada", "King")
    other.first_name = "Augusta"
    contact.absorb(other)
    assert contact.first_name == "Augusta"


def test_absorb_keeps_values_in_flight_unknown() -> None:
    contact = contact_of(city="Bath")
    contact.begin_write(["plan", "city"], "call")
    contact.absorb(contact_of(plan="silver"))
    assert not knows(contact, "plan", "silver")
    contact.mark_sent({"plan": ("gold", 2), "city": ("York", 2)}, "call", NOW)
    assert not knows(contact, "plan", "gold")
    assert knows(contact, "city", "York")


def test_lanes_are_remembered_as_unavailable_for_ten_minutes() -> None:
    unavailable = UnavailableContacts()
    unavailable.add("c:u1", "CONTACT_BLOCKED", NOW)
    assert unavailable.why("c:u1", NOW + 599) == "CONTACT_BLOCKED"
    assert not unavailable.why("c:u1", NOW + 600)
    assert not unavailable.why("c:u2", NOW)


def test_unavailable_lanes_expire_if_the_clock_is_set_back() -> None:
    unavailable = UnavailableContacts()
    unavailable.add("c:u", "CONTACT_ARCHIVED", 1_000_000.0)
    assert unavailable.why("c:u", 1000.0) == ""


@pytest.mark.fills("deliver.lane.known_contact.UNAVAILABLE_MAX")
def test_oldest_unavailable_lanes_are_forgotten_beyond_the_limit() -> None:
    unavailable = UnavailableContacts()
    for number in range(UNAVAILABLE_MAX):
        unavailable.add(str(number), "CONTACT_ARCHIVED", NOW)
    unavailable.add("0", "CONTACT_ARCHIVED", NOW)
    unavailable.add("new", "CONTACT_ARCHIVED", NOW)
    assert [bool(unavailable.why(lane, NOW)) for lane in ("0", "1", "2", "new")] == [True, False, True, True]


@pytest.mark.fills("deliver.lane.known_contact.DIGESTS_MAX")
def test_oldest_sent_values_are_forgotten_beyond_the_limit() -> None:
    contact = Contact("c1")
    for number in range(DIGESTS_MAX):
        send(contact, **{str(number): "value"})
    send(contact, **{"0": "again"})
    send(contact, new="value")
    known = [contact.knows(name, value, NOW, DAY) for name, value in (("0", "again"), ("1", "value"), ("2", "value"))]
    assert known == [True, False, True]
    other = Contact("c1")
    for number in range(DIGESTS_MAX):
        send(other, **{f"other {number}": "value"})
    contact.absorb(other)
    assert len(contact._digests) == DIGESTS_MAX
