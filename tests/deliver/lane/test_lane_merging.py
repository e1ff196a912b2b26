"""Dialogues with a lane: which pending updates share a call, and the order of calls."""

from delivery.dialogue import talk
from intercomd_daemon.connection import LimitSettings


def test_consecutive_updates_are_sent_as_one_with_the_last_values() -> None:
    talk("""
        1: plan=gold seats=1
        2: city=Bath
        3: plan=silver
        > POST /contacts role=user external_id=u1 .plan=silver .seats=1 .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 1
        = 2 delivered: contact delivered 1
        = 3 delivered: contact delivered 1
        cache c1: city plan seats
        rest
    """)


def test_updates_merge_up_to_the_next_event() -> None:
    talk("""
        known c1
        1: plan=gold
        2: city=Bath; Bought
        3: plan=silver
        > PUT /contacts/c1 .plan=gold .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 1
        ~ 2: contact delivered 1
        cache c1: city plan
        > POST /events event_name=Bought user_id=u1
        < 202
        = 2 delivered: contact delivered 1, Bought delivered 1
        > PUT /contacts/c1 .plan=silver
    """)


def test_update_does_not_pass_an_event_without_an_update() -> None:
    talk("""
        known c1
        1: plan=gold
        2: ; Bought
        3: plan=silver
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        > POST /events event_name=Bought user_id=u1
        < 202
        = 2 delivered: Bought delivered 1
        > PUT /contacts/c1 .plan=silver
    """)


def test_merged_update_stays_within_the_limit_of_attributes() -> None:
    talk(
        """
        who u1 ada@x.io
        known c1
        1: plan=gold
        2: city=Bath
        3: team=red
        > PUT /contacts/c1 email=ada@x.io .plan=gold .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 1
        = 2 delivered: contact delivered 1
        cache c1: city email plan
        > PUT /contacts/c1 .team=red
        """,
        limits=LimitSettings(user_attributes_max=2),
    )


def test_value_that_changes_and_changes_back_is_sent() -> None:
    """A value is left out only if every value equals the cached one: in A, B, A the call with B may have arrived."""
    talk("""
        known c1 plan=gold
        1: plan=silver
        2: plan=gold
        > PUT /contacts/c1 .plan=gold
    """)


def test_value_that_is_set_back_after_a_crash_is_sent() -> None:
    """The contact cache holds gold, Intercom silver: the response to the call was lost."""
    talk("""
        known c1 plan=gold
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        restart
        2: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 1
        = 2 delivered: contact delivered 1
        cache c1: plan
        3: plan=gold
        = 3 unchanged: contact unchanged 0
    """)


def test_equal_updates_in_a_row_end_together_without_a_call() -> None:
    talk("""
        known c1 plan=gold
        1: plan=gold
        2: plan=gold; Seen
        = 1 unchanged: contact unchanged 0
        ~ 2: contact unchanged 0
        > POST /events event_name=Seen user_id=u1
    """)


def test_later_updates_join_while_a_call_is_retried() -> None:
    talk("""
        known c1
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 503
        wait 1
        2: plan=silver city=Bath
        > PUT /contacts/c1 .plan=silver .city=Bath
        < cut
        wait 2
        > PUT /contacts/c1 .plan=silver .city=Bath
        < 200 c1
        = 1 delivered: contact delivered 3
        = 2 delivered: contact delivered 2
        cache c1: city plan
    """)


def test_values_of_a_failed_call_are_sent_again() -> None:
    talk("""
        known c1 plan=gold
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        < cut
        wait 1
        2: plan=gold
        > PUT /contacts/c1 .plan=gold
    """)


def test_bulk_is_delivered_after_normal_but_finished_once_begun() -> None:
    talk("""
        known c1
        bulk 1: plan=gold
        2: city=Bath
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: city
        > PUT /contacts/c1 .plan=gold
        < cut
        wait 1
        3: team=red
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 2
        cache c1: city plan
        > PUT /contacts/c1 .team=red
    """)
