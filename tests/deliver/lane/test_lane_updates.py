"""Dialogues with a lane: which updates leave, merged how, and what is left out because Intercom knows it."""

import pytest
from msgspec.structs import replace

from delivery.dialogue import talk


def test_new_user_with_attributes_and_an_event_takes_two_calls() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold seats=3 phone=+44; Bought
        > POST /contacts role=user external_id=u1 email=ada@x.io phone=+44 .plan=gold .seats=3
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: email phone plan seats
        > POST /events event_name=Bought user_id=u1
        < 202
        = 1 delivered: contact delivered 1, Bought delivered 1
        rest
    """)


def test_ten_events_of_a_new_user_with_the_same_attributes_take_eleven_calls() -> None:
    """It is "1,000 events of 100 new users, each with the same ten attributes: 1,100 calls", and not one more."""
    later = "".join(
        f"""
        {number}: plan=gold seats=3; Bought
        > POST /events event_name=Bought user_id=u1
        < 202
        = {number} delivered: contact unchanged 0, Bought delivered 1
        """
        for number in range(2, 11)
    )
    talk(
        """
        1: plan=gold seats=3; Bought
        > POST /contacts role=user external_id=u1 .plan=gold .seats=3
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: plan seats
        > POST /events event_name=Bought user_id=u1
        < 202
        = 1 delivered: contact delivered 1, Bought delivered 1
        """
        + later
    )


def test_known_contact_is_updated_with_changed_values() -> None:
    talk("""
        known c1 plan=gold city=Bath
        1: plan=silver city=Bath
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: city plan
        rest
    """)


def test_cached_values_need_no_call() -> None:
    talk("""
        known c1 plan=gold
        1: plan=gold
        = 1 unchanged: contact unchanged 0
        rest
    """)


def test_value_sent_long_ago_is_sent_again() -> None:
    talk(
        """
        known c1 plan=gold
        later 100
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        later 99
        2: plan=gold
        = 2 unchanged: contact unchanged 0
        """,
        unchanged_for_seconds=100.0,
    )


def test_equal_value_is_always_sent_by_setting() -> None:
    talk(
        """
        known c1 plan=gold
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        """,
        unchanged_for_seconds=0.0,
    )


@pytest.mark.parametrize("update", ["plan=gold", "$first_name=Ada $last_name=King", "email=ada@x.io plan=gold"])
def test_values_of_a_time_without_comparison_are_sent_again_when_settings_compare(update: str) -> None:
    """Another connection of the workspace, which was removed since, may have written other values."""
    dialogue = talk("known c1", unchanged_for_seconds=0.0)
    dialogue.follow(f"1: {update}")
    [first] = dialogue.next_actions()
    dialogue.respond("200 c1")
    dialogue.settings = replace(dialogue.settings, unchanged_for_seconds=100.0)
    dialogue.follow("restart")
    for number, calls in ((2, True), (3, False)):
        dialogue.follow(f"{number}: {update}")
        actions = dialogue.next_actions()
        assert (actions == [first]) is calls
        if calls:
            dialogue.respond("200 c1")


def test_removed_attribute_is_cleared_once() -> None:
    talk("""
        known c1 plan=gold
        1: plan=null phone=null
        > PUT /contacts/c1 phone=null .plan=null
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: phone plan
        2: plan=null
        = 2 unchanged: contact unchanged 0
    """)


def test_email_alone_is_the_identity_and_no_attribute() -> None:
    talk("""
        who - ada@x.io
        1: plan=gold; Bought
        > POST /contacts role=user email=ada@x.io .plan=gold
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: plan
        > POST /events event_name=Bought id=c1
        < 202
        = 1 delivered: contact delivered 1, Bought delivered 1
        2: ; Seen
        > POST /events event_name=Seen id=c1
    """)


def test_event_by_email_alone_is_tracked_without_a_lookup() -> None:
    talk("""
        who - ada@x.io
        1: ; Seen
        > POST /events event_name=Seen email=ada@x.io
        < 202
        = 1 delivered: Seen delivered 1
    """)


def test_email_beside_the_customer_id_is_kept_up_to_date() -> None:
    talk("""
        who u1 new@x.io
        known c1 email=old@x.io
        1: ; Seen
        > PUT /contacts/c1 email=new@x.io
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: email
        > POST /events event_name=Seen user_id=u1
    """)


def test_email_is_never_updated_without_update_email() -> None:
    talk(
        """
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        who u1 new@x.io
        2: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: plan
        3: ; Seen
        > POST /events event_name=Seen user_id=u1
        """,
        update_email=False,
    )


def test_envelope_without_work_ends_without_a_call() -> None:
    """It held an email alone, and the setting that made it worth a call has been turned off."""
    talk(
        """
        who u1 ada@x.io
        1:
        = 1 unchanged: nothing
        """,
        update_email=False,
    )


@pytest.mark.parametrize(
    ("version", "given", "sent"),
    [
        ("2.16", "7", '"7"'),
        ("2.16", '"7"', '"7"'),
        ("2.15", "7", "7"),
        ("2.15", '"7"', "7"),
        ("2.9", '"x7"', "x7"),
        ("2.16", "null", "null"),
        ("2.15", "null", "null"),
    ],
)
def test_owner_id_has_the_type_of_the_api_version(version: str, given: str, sent: str) -> None:
    """It is an "integer to 2.15, string from 2.16"."""
    script = f"""
        known c1
        1: owner_id={given}
        > PUT /contacts/c1 owner_id={sent}
    """
    talk(script, api_version=version)
