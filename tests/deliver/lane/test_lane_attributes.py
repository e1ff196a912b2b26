"""Dialogues with a lane: custom attributes that are missing, of another type, or refused."""

import pytest

from delivery.dialogue import talk


def test_update_with_custom_attributes_needs_a_list_of_the_last_ten_minutes() -> None:
    talk("""
        known c1
        later 599
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        later 1
        2: phone=1
        > PUT /contacts/c1 phone=1
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: phone plan
        3: plan=silver
        ? list
        < list plan:string
        > PUT /contacts/c1 .plan=silver
    """)


def test_missing_attribute_is_created_once_with_the_type_of_its_value() -> None:
    talk("""
        known c1
        1: age=36 vip=true club=red plan=gold
        ? create age float
        < created
        ? create vip boolean
        < created
        ? create club string
        < created
        > PUT /contacts/c1 .age=36 .vip=true .club=red .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: age club plan vip
    """)


def test_type_of_the_settings_takes_precedence() -> None:
    talk(
        """
        known c1
        1: since=1700000000
        ? create since datetime
        < created
        > PUT /contacts/c1 .since=1700000000
        """,
        attribute_types={"since": "datetime"},
    )


def test_missing_attribute_is_dropped_and_reported_by_setting() -> None:
    talk(
        """
        known c1
        1: club=red plan=gold
        2: club=red
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1 + ATTRIBUTE_DROPPED club
        = 2 delivered: contact delivered 1 + ATTRIBUTE_DROPPED club
        cache c1: plan
        3: club=red; Seen
        > POST /events event_name=Seen user_id=u1
        < 202
        = 3 delivered: contact skipped ATTRIBUTES_LEFT_OUT 0, Seen delivered 1 + ATTRIBUTE_DROPPED club
        """,
        missing_attributes="drop",
    )


def test_attribute_is_left_out_for_an_hour_after_a_refused_creation() -> None:
    talk("""
        known c1
        1: club=red plan=gold
        ? create club string
        < not created
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1 + ATTRIBUTE_DROPPED club
        cache c1: plan
        2: club=blue
        = 2 skipped: contact skipped ATTRIBUTES_LEFT_OUT 0 + ATTRIBUTE_DROPPED club
        later 3599
        3: club=blue
        ? list
        < list plan:string
        = 3 skipped: contact skipped ATTRIBUTES_LEFT_OUT 0 + ATTRIBUTE_DROPPED club
        later 1
        4: club=blue
        ? create club string
    """)


def test_value_is_converted_to_the_attributes_type_or_left_out() -> None:
    talk("""
        known c1
        1: plan=5 seats="7"
        2: seats=many
        > PUT /contacts/c1 .plan="5"
        < 200 c1
        = 1 delivered: contact delivered 1 + VALUE_CONVERTED plan + ATTRIBUTE_DROPPED seats
        = 2 delivered: contact delivered 1 + ATTRIBUTE_DROPPED seats
        cache c1: plan
        3: plan=5 seats="7"
        > PUT /contacts/c1 .seats=7
        < 200 c1
        = 3 delivered: contact delivered 1 + VALUE_CONVERTED seats
        cache c1: plan seats
    """)


@pytest.mark.parametrize(
    ("data_type", "first", "sent", "equal", "other", "changed"),
    [
        ("float", "7", "7", ["7.0", '"7"', '"7.0"'], "7.5", "7.5"),
        ("float", "7.0", "7.0", ["7", '"7"'], "8", "8"),
        ("float", '"0.50"', "0.5", ["0.5", '"0.500"'], "0", "0"),
        ("integer", "7.0", "7", ["7", '"7.0"'], "8", "8"),
        ("string", "5", '"5"', ['"5"', "5"], "5.0", '"5.0"'),
        ("boolean", '"True"', "true", ["1", "true", "1.0"], "0", "false"),
        (
            "datetime",
            "2026-01-02T00:00:00Z",
            "1767312000",
            ["2026-01-02T01:00:00+01:00", "1767312000", "1767312000000", "2026-01-02"],
            "2026-01-02T01:00:00Z",
            "1767315600",
        ),
    ],
)
def test_value_that_intercom_stores_as_the_same_takes_no_call(
    data_type: str, first: str, sent: str, equal: list[str], other: str, changed: str
) -> None:
    """In other types, spellings and time zones, also after a restart."""
    finding = " + VALUE_CONVERTED since" if first != sent else ""

    def unchanged(numbers_from: int) -> str:
        numbered = enumerate(equal, numbers_from)
        return "\n".join(
            f"{number}: since={value}\n= {number} unchanged: contact unchanged 0" for number, value in numbered
        )

    talk(f"""
        known c1
        later 600
        1: since={first}
        ? list
        < list since:{data_type}
        > PUT /contacts/c1 .since={sent}
        < 200 c1
        = 1 delivered: contact delivered 1{finding}
        cache c1: since
        {unchanged(10)}
        restart
        {unchanged(20)}
        30: since={other}
        > PUT /contacts/c1 .since={changed}
    """)


def test_attribute_that_a_400_names_is_created_although_it_is_listed() -> None:
    talk("""
        known c1
        1: plan=gold city=Bath
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 400 missing plan
        ? create plan string
        < created
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 400 missing city
        ? create city string
        < not created
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 3 + ATTRIBUTE_DROPPED city
        cache c1: plan
    """)


def test_attribute_that_a_400_names_twice_is_left_out() -> None:
    talk("""
        known c1
        1: plan=gold city=Bath
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 400 missing plan
        ? create plan string
        < created
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 400 missing plan
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 3 + ATTRIBUTE_DROPPED plan
        cache c1: city
    """)


@pytest.mark.parametrize("refusal", ["400 invalid", "400", "422", "400 missing other", "400 missing phone"])
def test_refusal_without_a_known_name_is_repeated_without_custom_attributes(refusal: str) -> None:
    talk(f"""
        known c1
        1: plan=gold phone=1
        > PUT /contacts/c1 phone=1 .plan=gold
        < {refusal}
        > PUT /contacts/c1 phone=1
        < 200 c1
        = 1 delivered: contact delivered 2 + ATTRIBUTE_DROPPED plan
        cache c1: phone
        2: plan=gold
        > PUT /contacts/c1 .plan=gold
    """)


def test_refused_values_do_not_make_the_contact_unavailable() -> None:
    talk("""
        1: plan=gold phone=1
        > POST /contacts role=user external_id=u1 phone=1 .plan=gold
        < 400
        > POST /contacts role=user external_id=u1 phone=1
        < 409 exists c1
        > PUT /contacts/c1 phone=1
    """)


def test_refused_reduced_update_is_a_dead_letter_and_its_event_is_not() -> None:
    talked = talk("""
        known c1 city=Bath phone=2
        1: plan=gold phone=1; Seen
        > PUT /contacts/c1 phone=1 .plan=gold
        < 400
        > PUT /contacts/c1 phone=1
        < 400 invalid
        ~ 1: contact dead_lettered REQUEST_INVALID 2
        cache c1: city
        > POST /events event_name=Seen user_id=u1
        < 202
        = 1 dead_lettered: contact dead_lettered REQUEST_INVALID 2, Seen delivered 1 + ATTRIBUTE_DROPPED plan
    """)
    assert talked.outcomes["1"].reason == "REQUEST_INVALID"
    assert "parameters are invalid" in talked.answer_bodies["1"]


@pytest.mark.parametrize(
    ("update", "said", "refusal"),
    [
        ("plan=gold", ".plan=gold", "400"),
        ("phone=1", "phone=1", "400 invalid"),
        ("phone=1 plan=gold", "phone=1 .plan=gold", "413"),
        ("phone=1 plan=gold", "phone=1 .plan=gold", "415"),
    ],
)
def test_refusal_that_a_reduced_update_cannot_avoid_is_final(update: str, said: str, refusal: str) -> None:
    """Custom attributes alone, none at all, or a refusal that is not about them; and no note speaks of a retry."""
    reason = "TOO_LARGE" if refusal == "413" else "REQUEST_INVALID"
    talk(f"""
        known c1
        1: {update}
        > PUT /contacts/c1 {said}
        < {refusal}
        = 1 dead_lettered: contact dead_lettered {reason} 1
        cache c1:
    """)


def test_refused_update_makes_its_values_unknown() -> None:
    talk("""
        known c1 plan=gold phone=1
        1: phone=2
        > PUT /contacts/c1 phone=2
        < 422
        = 1 dead_lettered: contact dead_lettered REQUEST_INVALID 1
        cache c1: plan
        2: phone=1 plan=gold
        > PUT /contacts/c1 phone=1
    """)


def test_refused_group_is_sent_one_by_one() -> None:
    talk("""
        known c1
        1: phone=1 plan=gold
        2: phone=2
        3: phone=3; Seen
        > PUT /contacts/c1 phone=3 .plan=gold
        < 400 invalid
        4: phone=4
        > PUT /contacts/c1 phone=1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2
        cache c1: phone plan
        > PUT /contacts/c1 phone=2
        < 400 invalid
        = 2 dead_lettered: contact dead_lettered REQUEST_INVALID 2
        cache c1: plan
        > PUT /contacts/c1 phone=3
        < 200 c1
        ~ 3: contact delivered 2
        cache c1: phone plan
        > POST /events event_name=Seen user_id=u1
        < 202
        = 3 delivered: contact delivered 2, Seen delivered 1
        > PUT /contacts/c1 phone=4
    """)


def test_missing_attribute_of_a_merged_call_is_created_and_it_stays_merged() -> None:
    talk("""
        known c1
        1: plan=gold
        2: club=red
        ? create club string
        < created
        > PUT /contacts/c1 .plan=gold .club=red
        < 400 missing club
        ? create club string
        < not created
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2
        = 2 delivered: contact delivered 2 + ATTRIBUTE_DROPPED club
        cache c1: plan
    """)


def test_value_that_a_400_names_is_left_out_for_all_users() -> None:
    talk("""
        known c1
        1: plan=gold city=Bath
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 400 value plan
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 2 + ATTRIBUTE_DROPPED plan
        cache c1: city
        2: plan=gold
        = 2 skipped: contact skipped ATTRIBUTES_LEFT_OUT 0 + ATTRIBUTE_DROPPED plan
        3: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 3 delivered: contact delivered 1
        cache c1: city plan
    """)


def test_400_that_names_a_value_rereads_an_old_list_and_converts_it() -> None:
    talk("""
        known c1
        later 60
        1: plan=gold city=5
        > PUT /contacts/c1 .plan=gold .city="5"
        < 400 value city
        ? list
        < list plan:string city:integer
        > PUT /contacts/c1 .plan=gold .city=5
    """)


def test_missing_attribute_that_a_400_names_is_created() -> None:
    talk("""
        known c1
        later 60
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 400 value plan
        ? list
        < list city:string
        ? create plan string
    """)


def test_400_without_a_name_drops_the_value_that_the_list_contradicts() -> None:
    talk("""
        known c1
        later 60
        1: plan=gold city=Bath phone=1
        > PUT /contacts/c1 phone=1 .plan=gold .city=Bath
        < 400 invalid
        ? list
        < list plan:string city:integer
        > PUT /contacts/c1 phone=1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2 + ATTRIBUTE_DROPPED city
        cache c1: phone plan
    """)


def test_400_without_a_name_is_repeated_with_fewer_values() -> None:
    talk("""
        known c1
        later 60
        1: plan=gold phone=1
        > PUT /contacts/c1 phone=1 .plan=gold
        < 400 invalid
        ? list
        < list plan:string
        > PUT /contacts/c1 phone=1 .plan=gold
        < 400 invalid
        > PUT /contacts/c1 phone=1
        < 200 c1
        = 1 delivered: contact delivered 3 + ATTRIBUTE_DROPPED plan
        cache c1: phone
    """)


def test_refused_clearing_is_left_out_for_this_contact_alone() -> None:
    talk("""
        known c1
        1: plan=null city=Bath
        > PUT /contacts/c1 .plan=null .city=Bath
        < 400 value plan
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 2 + ATTRIBUTE_DROPPED plan
        cache c1: city
        2: plan=null
        > PUT /contacts/c1 .plan=null
    """)
