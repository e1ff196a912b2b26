"""Dialogues with a lane: the contact is archived, or the person was blocked."""

import pytest

from delivery.dialogue import talk


def test_archived_user_gets_no_calls_for_ten_minutes() -> None:
    talk("""
        1: plan=gold; Bought
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 archived c9
        ~ 1: contact dead_lettered CONTACT_ARCHIVED 1
        cache -:
        = 1 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 1, Bought dead_lettered CONTACT_ARCHIVED 0
        later 599
        2: plan=gold
        = 2 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 0
        3: ; Seen
        = 3 dead_lettered: Seen dead_lettered CONTACT_ARCHIVED 0
        later 1
        4: plan=gold
        ? list
        < list plan:string
        > POST /contacts role=user external_id=u1 .plan=gold
    """)


def test_blocked_person_is_a_dead_letter_whatever_the_status() -> None:
    for status in (400, 403 + 1, 409, 422):
        talk(f"""
            1: plan=gold phone=1
            > POST /contacts role=user external_id=u1 phone=1 .plan=gold
            < {status} blocked
            = 1 dead_lettered: contact dead_lettered CONTACT_BLOCKED 1
            cache -:
            2: plan=gold
            = 2 dead_lettered: contact dead_lettered CONTACT_BLOCKED 0
        """)


def test_envelopes_that_left_together_are_dead_letters_one_by_one() -> None:
    talk("""
        1: plan=gold
        2: plan=silver
        > POST /contacts role=user external_id=u1 .plan=silver
        < 409 archived c9
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 archived c9
        = 1 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 2
        cache -:
        = 2 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 1
    """)


def test_lookup_of_a_group_is_not_used_for_single_envelopes() -> None:
    """Another client has unarchived the contact meanwhile."""
    talk("""
        1: plan=gold
        2: plan=silver
        > POST /contacts role=user external_id=u1 .plan=silver
        < 409 archived c9
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c9
        > PUT /contacts/c9 .plan=gold
        < 200 c9
        = 1 delivered: contact delivered 3
        cache c9: plan
        > PUT /contacts/c9 .plan=silver
    """)


def test_unreadable_archived_contact_is_not_a_missing_one() -> None:
    talk(
        """
        who u1 ada@x.io
        known c9
        1: plan=gold
        > PUT /contacts/c9 email=ada@x.io .plan=gold
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 archived c9
        > GET /contacts/c9
        < 404
        > POST /contacts/c9/unarchive
        < 200 c9 of u1
        > PUT /contacts/c9 email=ada@x.io .plan=gold
        < 200 c9 of u1
        = 1 delivered: contact delivered 5
        cache c9: email plan
        """,
        unarchive=True,
    )


def test_archived_contact_is_unarchived_and_updated_by_setting() -> None:
    talk(
        """
        1: plan=gold
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 200 c9 of u1
        > PUT /contacts/c9 .plan=gold
        < 200 c9 of u1
        = 1 delivered: contact delivered 3
        cache c9: plan
        """,
        unarchive=True,
    )


def test_contact_with_the_email_is_unarchived_without_customer_id() -> None:
    talk(
        """
        who - ada@x.io
        1: plan=gold
        > POST /contacts role=user email=ada@x.io .plan=gold
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 200 c9 of u2
        > PUT /contacts/c9 .plan=gold
        """,
        unarchive=True,
    )


def test_archived_contact_is_read_before_it_is_unarchived() -> None:
    talk(
        """
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 archived c9
        > GET /contacts/c9
        < 200 c9
        > POST /contacts/c9/unarchive
        < 200 c9
        > PUT /contacts/c9 external_id=u1 email=ada@x.io .plan=gold
        """,
        unarchive=True,
    )


def test_archived_contact_of_another_user_is_left_alone() -> None:
    talk(
        """
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 archived c9
        > GET /contacts/c9
        < 200 c9 of u2
        > POST /contacts role=user external_id=u1 .plan=gold
        """,
        unarchive=True,
    )


def test_unreadable_archived_contact_is_unarchived() -> None:
    script = """
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 archived c9
        > GET /contacts/c9
        < 404
    """
    talk(f"{script}\n= 1 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 2\ncache -:")
    talk(f"{script}\n> POST /contacts/c9/unarchive", unarchive=True)


def test_unarchived_contact_of_another_user_is_not_overwritten() -> None:
    talk(
        """
        who u1 ada@x.io
        1: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 409 archived c9
        > GET /contacts/c9
        < 404
        > POST /contacts/c9/unarchive
        < 200 c9 of u2
        > POST /contacts role=user external_id=u1 .plan=gold
        """,
        unarchive=True,
    )


def test_contact_that_is_gone_at_unarchiving_is_created_again() -> None:
    talk(
        """
        1: plan=gold
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 404
        > POST /contacts role=user external_id=u1 .plan=gold
        """,
        unarchive=True,
    )


def test_refused_unarchiving_is_a_dead_letter() -> None:
    talk(
        """
        1: plan=gold phone=1
        > POST /contacts role=user external_id=u1 phone=1 .plan=gold
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 400 invalid
        = 1 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 2
        cache -:
        2: plan=gold; Seen
        = 2 dead_lettered: contact dead_lettered CONTACT_ARCHIVED 0, Seen dead_lettered CONTACT_ARCHIVED 0
        """,
        unarchive=True,
    )


@pytest.mark.parametrize("event", ["", "; Seen"])
def test_contact_marked_for_deletion_is_remembered_without_calls(event: str) -> None:
    """No attribute is dropped, and no later envelope of the user makes a call for ten minutes."""
    ended = ", Seen dead_lettered CONTACT_DELETED 0" if event else ""
    talk(
        f"""
        1: plan=gold phone=1{event}
        > POST /contacts role=user external_id=u1 phone=1 .plan=gold
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 500
        wait 1
        > POST /contacts/c9/unarchive
        < 400 deleted
        {"~ 1: contact dead_lettered CONTACT_DELETED 3" if event else ""}
        {"cache -:" if event else ""}
        = 1 dead_lettered: contact dead_lettered CONTACT_DELETED 3{ended}
        {"" if event else "cache -:"}
        later 599
        2: plan=silver
        = 2 dead_lettered: contact dead_lettered CONTACT_DELETED 0
        3: ; Came
        = 3 dead_lettered: Came dead_lettered CONTACT_DELETED 0
        later 1
        4: ; Came
        > POST /events event_name=Came user_id=u1
        < 404
        > POST /contacts role=user external_id=u1
        < 409 archived c9
        > POST /contacts/c9/unarchive
        < 400 deleted
        = 4 dead_lettered: Came dead_lettered CONTACT_DELETED 3
        cache -:
        """,
        unarchive=True,
    )
