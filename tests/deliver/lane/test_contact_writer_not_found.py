"""Dialogues with a lane: Intercom does not know the contact, of an update or of an event."""

import pytest

from delivery.dialogue import talk


@pytest.mark.parametrize("status", [404, 410])
def test_missing_contact_is_forgotten_with_its_sent_values(status: int) -> None:
    talk(f"""
        known c1 plan=gold city=Bath
        1: plan=silver city=Bath
        > PUT /contacts/c1 .plan=silver
        < {status}
        > POST /contacts role=user external_id=u1 .plan=silver .city=Bath
        < 200 c2
        = 1 delivered: contact delivered 2
        cache c2: city plan
    """)


def test_event_of_a_missing_contact_creates_it_and_keeps_its_time() -> None:
    talk("""
        1: ; Bought; Seen
        > POST /events event_name=Bought user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 200 c1
        cache c1:
        > POST /events event_name=Bought id=c1
        < 202
        ~ 1: Bought delivered 3
        cache c1:
        > POST /events event_name=Seen created_at=1794999001 user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 200 c2
        cache c2:
        > POST /events event_name=Seen created_at=1794999001 id=c2
        < 202
        = 1 delivered: Bought delivered 3, Seen delivered 3
        cache c2:
    """)


def test_missing_contact_is_created_with_the_values_of_the_envelope() -> None:
    """Its sent values are gone with it."""
    talk("""
        who u1 ada@x.io
        known c1 plan=gold email=ada@x.io
        1: plan=gold; Bought
        > POST /events event_name=Bought user_id=u1
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 200 c2
        cache c2: email plan
        > POST /events event_name=Bought id=c2
        < 202
        = 1 delivered: contact unchanged 0, Bought delivered 3
        cache c2: email plan
        2: plan=gold
        = 2 unchanged: contact unchanged 0
    """)


def test_contact_that_exists_despite_a_404_is_found_and_not_written() -> None:
    talk("""
        who - ada@x.io
        1: ; Seen
        > POST /events event_name=Seen email=ada@x.io
        < 404
        > POST /contacts role=user email=ada@x.io
        < 409 exists c9
        > POST /events event_name=Seen id=c9
        < 202
        = 1 delivered: Seen delivered 3
        cache c9:
        restart
        2: ; Seen
        > POST /events event_name=Seen id=c9
    """)


def test_contact_found_by_email_gets_our_external_id_before_the_event() -> None:
    talk("""
        who u1 ada@x.io
        known c1 email=ada@x.io
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9
        > PUT /contacts/c9 external_id=u1 email=ada@x.io
        < 200 c9
        cache c9: email
        > POST /events event_name=Seen id=c9
    """)


def test_contact_is_created_again_after_a_response_without_an_id() -> None:
    """The response may be of another server; if it was Intercom's, a 409 names the id."""
    talk("""
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 200
        wait 1
        > POST /contacts role=user external_id=u1
        < 409 exists c1
        > POST /events event_name=Seen id=c1
    """)


AGAIN = """
        > POST /contacts role=user external_id=u1
        < 409 exists c1
        > POST /events event_name=Seen id=c1
        < 404
"""


@pytest.mark.fills("deliver.lane.pending.NOT_FOUND_MAX")
def test_second_404_is_transient_and_the_fifth_a_dead_letter() -> None:
    talked = talk(f"""
        known c1
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < 404
        {AGAIN}
        wait 1
        {AGAIN}
        wait 2
        {AGAIN}
        wait 3
        {AGAIN}
        = 1 dead_lettered: Seen dead_lettered CONTACT_NOT_FOUND 9
        cache -:
    """)
    assert talked.outcomes["1"].effects[0].http_status == 404


UPDATED_AGAIN = """
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 404
"""


def test_missing_contact_of_an_update_is_created_before_the_event() -> None:
    talked = talk(f"""
        known c1
        1: plan=gold ; Seen
        > PUT /contacts/c1 .plan=gold
        < 404
        {UPDATED_AGAIN}
        wait 1
        {UPDATED_AGAIN}
        wait 2
        {UPDATED_AGAIN}
        wait 3
        {UPDATED_AGAIN}
        ~ 1: contact dead_lettered CONTACT_NOT_FOUND 9
        cache -:
        > POST /events event_name=Seen user_id=u1
        < 202
        = 1 dead_lettered: contact dead_lettered CONTACT_NOT_FOUND 9, Seen delivered 1
    """)
    assert talked.outcomes["1"].effects[0].http_status == 404


def test_404s_are_counted_over_parking() -> None:
    talk(f"""
        known c1
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < 404
        {AGAIN}
        wait 1
        {AGAIN}
        wait 2
        {AGAIN}
        wait 3
        park
        > POST /events event_name=Seen user_id=u1
        < 404
        = 1 dead_lettered: Seen dead_lettered CONTACT_NOT_FOUND 8
        cache -:
    """)


def test_transient_failure_keeps_the_created_contact() -> None:
    talk("""
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 200 c1
        cache c1:
        > POST /events event_name=Seen id=c1
        < 503
        wait 1
        > POST /events event_name=Seen id=c1
    """)


def test_refused_update_is_not_repeated_and_its_event_is_delivered() -> None:
    talk("""
        1: avatar=x; Seen
        > POST /contacts role=user external_id=u1 avatar=x
        < 400 invalid
        ~ 1: contact dead_lettered REQUEST_INVALID 1
        cache -:
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 200 c1
        cache c1:
        > POST /events event_name=Seen id=c1
        < 202
        = 1 dead_lettered: contact dead_lettered REQUEST_INVALID 1, Seen delivered 3 + ATTRIBUTE_DROPPED avatar
        cache c1:
    """)


@pytest.mark.parametrize("refusal", ["400 invalid", "422", "413", "400 missing other"])
def test_contact_refused_with_attributes_is_created_with_its_identity_for_the_event(refusal: str) -> None:
    talk(f"""
        who u1 ada@x.io
        known c1 plan=gold $first=Ada
        1: plan=gold $first=Ada; Seen
        > PUT /contacts/c1 email=ada@x.io
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: $first email plan
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io name=Ada .plan=gold
        < {refusal}
        > POST /contacts role=user external_id=u1 email=ada@x.io
        < 200 c2
        cache c2: email
        > POST /events event_name=Seen id=c2
        < 202
        = 1 delivered: contact delivered 1, Seen delivered 4 + ATTRIBUTE_DROPPED plan + ATTRIBUTE_DROPPED $first
        cache c2: email
    """)


def test_contact_refused_with_its_identity_alone_makes_the_event_a_dead_letter() -> None:
    talked = talk("""
        1: ; Seen; Bought
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 400 invalid
        ~ 1: Seen dead_lettered REQUEST_INVALID 2
        cache -:
        > POST /events event_name=Bought created_at=1794999001 user_id=u1
        < 202
        = 1 dead_lettered: Seen dead_lettered REQUEST_INVALID 2, Bought delivered 1
    """)
    assert "parameters are invalid" in talked.answer_bodies["1"]


def test_archived_contact_makes_all_events_dead_letters_without_calls() -> None:
    talk("""
        1: ; Seen; Bought
        > POST /events event_name=Seen user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 409 archived c9
        ~ 1: Seen dead_lettered CONTACT_ARCHIVED 2
        cache -:
        = 1 dead_lettered: Seen dead_lettered CONTACT_ARCHIVED 2, Bought dead_lettered CONTACT_ARCHIVED 0
    """)
