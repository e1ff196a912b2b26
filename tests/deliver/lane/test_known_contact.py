"""What is known of a contact, and for how long; how it is resolved, the dialogues show."""

import pytest

from intercomd_daemon.deliver.lane.known_contact import (
    DIGESTS_MAX,
    UNAVAILABLE_MAX,
    Contact,
    UnavailableContacts,
    digest_of,
)
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Scalar

NOW = 1_795_000_000.0
DAY = 86_400.0


def tell(contact: Contact, now: float = NOW, position: int = 1, **said: Scalar) -> None:
    writer = object()
    contact.begin_write(said, writer)
    contact.mark_sent({name: (value, position) for name, value in said.items()}, writer, now)
    contact.end_write(writer)


def contact_of(now: float = NOW, position: int = 1, **said: Scalar) -> Contact:
    contact = Contact("c1")
    tell(contact, now, position, **said)
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
        # Told in the future: a clock was set back since, and nobody knows how long ago it was.
        (NOW + 1, DAY, False),
        (NOW + 1, 0.0, False),
    ],
)
def test_a_value_is_known_for_a_while(when: float, seconds: float, known: bool) -> None:
    assert contact_of(when, plan="gold").knows("plan", "gold", NOW, seconds) is known


def test_another_value_and_another_attribute_are_not_known() -> None:
    contact = contact_of(plan="gold")
    assert knows(contact, "plan", "gold")
    assert not knows(contact, "plan", "silver")
    assert not knows(contact, "city", "gold")


def test_it_is_kept_as_a_record_and_a_damaged_one_only_costs_calls() -> None:
    kept = Contact("c1", contact_of(position=7, plan="gold").pack())
    assert knows(kept, "plan", "gold")
    assert kept.written_after("plan", 6)
    assert not kept.written_after("plan", 7)
    assert not kept.written_after("city", 0)
    assert not knows(Contact("c1", b"damaged"), "plan", "gold")


def test_while_a_call_is_under_way_what_it_says_is_unknown_and_stays_so_if_it_fails() -> None:
    contact = contact_of(plan="gold", city="Bath")
    contact.begin_write(["plan"], "call")
    assert not knows(contact, "plan", "gold")
    assert knows(contact, "city", "Bath")
    contact.end_write("call")
    assert not knows(contact, "plan", "gold")


def test_of_calls_that_overlap_nothing_is_known_of_what_both_said_however_long_the_chain() -> None:
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
    tell(contact, plan="tin")
    assert knows(contact, "plan", "tin")


def test_a_forgotten_contact_learns_nothing_from_calls_to_the_former_one() -> None:
    contact = contact_of(plan="gold")
    contact.begin_write(["plan"], "call")
    contact.forget()
    contact.mark_sent({"plan": ("silver", 2)}, "call", NOW)
    contact.end_write("call")
    assert not contact.id
    assert not knows(contact, "plan", "silver")


def test_the_name_and_its_parts_overwrite_each_other() -> None:
    contact = contact_of(name="Countess", position=1)
    tell(contact, position=2, **{FIRST_NAME: "Ada", "name": "Ada"})
    contact = contact_of()
    contact.begin_write(["name", FIRST_NAME, LAST_NAME], "parts")
    contact.mark_sent({FIRST_NAME: ("Ada", 5), LAST_NAME: ("King", 5)}, "parts", NOW)
    contact.end_write("parts")
    assert (contact.first_name, contact.last_name) == ("Ada", "King")
    assert contact.written_after("name", 4)
    tell(contact, position=9, name="Countess")
    assert not knows(contact, FIRST_NAME, "Ada")
    assert contact.written_after(LAST_NAME, 8)
    assert (contact.first_name, contact.last_name) == ("Ada", "King")


def test_an_unanswered_name_makes_the_parts_unknown() -> None:
    contact = contact_of()
    contact.begin_write(["name", FIRST_NAME], "part")
    contact.mark_sent({FIRST_NAME: ("Ada", 1)}, "part", NOW)
    contact.end_write("part")
    assert knows(contact, FIRST_NAME, "Ada")
    contact.begin_write(["name"], "name")
    assert not knows(contact, FIRST_NAME, "Ada")


def test_of_two_that_turn_out_to_be_one_the_later_word_holds() -> None:
    contact = contact_of(NOW - 5, plan="gold", city="Bath")
    contact.first_name, contact.last_name = "Ada", "Byron"
    other = contact_of(NOW - 9, plan="silver", team="red")
    tell(other, NOW - 1, city="York")
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


def test_what_is_being_told_while_two_become_one_stays_unknown() -> None:
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


def test_a_clock_that_is_set_back_does_not_make_them_so_for_longer() -> None:
    unavailable = UnavailableContacts()
    unavailable.add("c:u", "CONTACT_ARCHIVED", 1_000_000.0)
    assert unavailable.why("c:u", 1000.0) == ""


@pytest.mark.fills("deliver.lane.known_contact.UNAVAILABLE_MAX")
def test_of_too_many_the_oldest_are_forgotten() -> None:
    unavailable = UnavailableContacts()
    for number in range(UNAVAILABLE_MAX):
        unavailable.add(str(number), "CONTACT_ARCHIVED", NOW)
    unavailable.add("0", "CONTACT_ARCHIVED", NOW)
    unavailable.add("new", "CONTACT_ARCHIVED", NOW)
    assert [bool(unavailable.why(lane, NOW)) for lane in ("0", "1", "2", "new")] == [True, False, True, True]


@pytest.mark.fills("deliver.lane.known_contact.DIGESTS_MAX")
def test_of_too_many_attributes_those_told_first_are_forgotten() -> None:
    contact = Contact("c1")
    for number in range(DIGESTS_MAX):
        tell(contact, **{str(number): "value"})
    tell(contact, **{"0": "again"})
    tell(contact, new="value")
    known = [contact.knows(name, value, NOW, DAY) for name, value in (("0", "again"), ("1", "value"), ("2", "value"))]
    assert known == [True, False, True]
    other = Contact("c1")
    for number in range(DIGESTS_MAX):
        tell(other, **{f"other {number}": "value"})
    contact.absorb(other)
    assert len(contact._digests) == DIGESTS_MAX
