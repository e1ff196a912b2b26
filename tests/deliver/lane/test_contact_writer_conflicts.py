"""Dialogues with a lane: the contact exists already, or its email is another's."""

import pytest

from delivery.dialogue import talk


def test_existing_customer_id_is_updated_by_the_id_in_the_message() -> None:
    talk("""
        1: plan=gold
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c9
        > PUT /contacts/c9 .plan=gold
        < 200 c9 of u1
        = 1 delivered: contact delivered 2
        cache c9: plan
        2: plan=silver
        > PUT /contacts/c9 .plan=silver
    """)


def test_created_contact_of_another_user_is_not_written_to() -> None:
    """A cache on the way may return an earlier response; later updates would overwrite that user."""
    talk("""
        1: plan=gold
        > POST /contacts role=user external_id=u1 .plan=gold
        < 200 c9 of u2
        wait 1
        > POST /contacts role=user external_id=u1 .plan=gold
        < 200 c1 of u1
        = 1 delivered: contact delivered 2
        cache c1: plan
        2: plan=silver
        > PUT /contacts/c1 .plan=silver
    """)


def test_created_contact_whose_external_id_intercom_changes_is_resolved() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 200 c1 of U1
        wait 1
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c1
        > GET /contacts/c1
        < 200 c1 of U1
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 200 c1 of U1
        = 1 delivered: contact delivered 5 + EMAIL_TAKEN
        cache c1: email plan
    """)


def test_created_contact_without_external_id_is_ours() -> None:
    talk("""
        who - ada@x.io
        1: plan=gold
        > POST /contacts role=user email=ada@x.io .plan=gold
        < 200 c9 of u2
        = 1 delivered: contact delivered 1
        cache c9: plan
    """)


def test_existing_email_is_updated_and_gets_no_external_id() -> None:
    talk("""
        who - ada@x.io
        1: plan=gold
        > POST /contacts role=user email=ada@x.io .plan=gold
        < 409 exists c9
        > PUT /contacts/c9 .plan=gold
    """)


def test_conflicting_contact_is_read_and_updated_if_it_is_ours() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9 of u1
        > PUT /contacts/c9 email=ada@x.io .plan=gold
        < 200 c9 of u1
        = 1 delivered: contact delivered 3
        cache c9: email plan
    """)


def test_contact_of_our_email_without_external_id_gets_ours() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9
        > PUT /contacts/c9 external_id=u1 email=ada@x.io .plan=gold
        < 200 c9
        = 1 delivered: contact delivered 3
        cache c9: email plan
    """)


def test_finding_of_a_taken_email_names_it_with_reason_and_fix() -> None:
    talked = talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 several
        > POST /contacts role=user external_id=u1 .plan=gold
        < 200 c1 of u1
        = 1 delivered: contact delivered 2 + EMAIL_TAKEN
        cache c1: email plan
    """)
    (finding,) = talked.outcomes["1"].adjustments
    assert finding.field == "identity.email"
    assert finding.message == (
        'email "ada@x.io" already belongs to another contact, and Intercom allows an email on only one contact: '
        "left it out; remove it from the other contact, or send the correct email"
    )


def test_email_of_another_contact_or_lead_is_left_out_and_reported() -> None:
    """A lead has an external id of Intercom's own, and owns the email like any other contact."""
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9 of u2
        > POST /contacts role=user external_id=u1 .plan=gold
        < 200 c1 of u1
        = 1 delivered: contact delivered 3 + EMAIL_TAKEN
        cache c1: email plan
        2: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: email plan
        who u1 new@x.io
        3: plan=silver
        > PUT /contacts/c1 email=new@x.io
    """)


def test_create_without_the_email_may_conflict_by_customer_id() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9 of u2
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 4 + EMAIL_TAKEN
        cache c1: email plan
    """)


def test_email_that_joins_later_is_not_the_taken_one() -> None:
    """Only envelopes with the taken email report it, and the new one is sent."""
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        who u1 new@x.io
        2: plan=silver
        > GET /contacts/c9
        < 200 c9 of u2
        > POST /contacts role=user external_id=u1 email=new@x.io .plan=silver
        < 200 c1 of u1
        = 1 delivered: contact delivered 3 + EMAIL_TAKEN
        = 2 delivered: contact delivered 2
        cache c1: email plan
    """)


def test_conflicting_contact_that_no_longer_exists_is_created_again() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
    """)


def test_contact_with_our_external_id_is_preferred_to_that_with_the_email() -> None:
    """The email's owner has no external id and cannot get ours, so it is another contact."""
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9
        > PUT /contacts/c9 external_id=u1 email=ada@x.io .plan=gold
        < 409 taken
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 200 c1 of u1
        = 1 delivered: contact delivered 5 + EMAIL_TAKEN
        cache c1: email plan
    """)


def test_customer_id_selects_among_contacts_with_the_email() -> None:
    talk("""
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 several
        > POST /contacts role=user external_id=u1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2 + EMAIL_TAKEN
        cache c1: email plan
    """)


def test_several_with_the_email_and_no_customer_id_end_as_a_dead_letter() -> None:
    talked = talk("""
        who - ada@x.io
        1: plan=gold; Bought
        > POST /contacts role=user email=ada@x.io .plan=gold
        < 409 several
        ~ 1: contact dead_lettered IDENTITY_AMBIGUOUS 1
        cache -:
        > POST /events event_name=Bought email=ada@x.io
        < 409 several
        = 1 dead_lettered: contact dead_lettered IDENTITY_AMBIGUOUS 1, Bought dead_lettered IDENTITY_AMBIGUOUS 1
    """)
    assert "Multiple existing users" in talked.answer_bodies["1"]
    assert talked.outcomes["1"].effects[0].http_status == 409
    assert talked.outcomes["1"].effects[0].intercom_request_id == "r409"


def test_conflicting_update_is_repeated_without_the_email() -> None:
    talk("""
        who u1 ada@x.io
        known c1 email=old@x.io
        1: plan=gold
        > PUT /contacts/c1 email=ada@x.io .plan=gold
        < 409 taken
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2 + EMAIL_TAKEN
        cache c1: email plan
        restart
        2: plan=gold
        = 2 unchanged: contact unchanged 0
    """)


def test_update_of_a_taken_email_alone_is_skipped() -> None:
    talk("""
        who u1 ada@x.io
        known c1
        1: ; Seen
        > PUT /contacts/c1 email=ada@x.io
        < 409 taken
        > POST /events event_name=Seen user_id=u1
        < 202
        = 1 delivered: contact skipped EMAIL_TAKEN 1, Seen delivered 1 + EMAIL_TAKEN
        cache c1: email
        2:
        = 2 unchanged: contact unchanged 0
    """)


def test_taken_email_alone_is_remembered_in_the_contact_cache() -> None:
    talk("""
        who u1 ada@x.io
        known c1
        1:
        > PUT /contacts/c1 email=ada@x.io
        < 409 taken
        = 1 skipped: contact skipped EMAIL_TAKEN 1 + EMAIL_TAKEN
        cache c1: email
    """)


def test_conflicting_update_without_an_email_is_refused() -> None:
    talk("""
        known c1
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 409 taken
        = 1 dead_lettered: contact dead_lettered IDENTITY_CONFLICT 1
        cache c1:
    """)


@pytest.mark.fills("deliver.lane.contact_writer.ROUNDS_MAX")
def test_conflicts_back_off_after_three_rounds() -> None:
    rounds = """
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > GET /contacts/c9
        < 200 c9
        > PUT /contacts/c9 external_id=u1 email=ada@x.io .plan=gold
        < 409 exists c9
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 404
    """
    talk(f"who u1 ada@x.io\n1: plan=gold\n{rounds}\nwait 1\n{rounds}\nwait 2\n{rounds}\nwait 3")
