"""Dialogues with a lane: how far an envelope is, over refusals, transient failures, restarts and replays."""

import pytest

from delivery.dialogue import NOON, talk
from intercomd_daemon.deliver.intercom.classification import Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.actions import AfterResponse


def test_progress_is_committed_after_each_call() -> None:
    talk("""
        known c1
        1: plan=gold; Item; Item; Total
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: plan
        > POST /events event_name=Item user_id=u1
        < 202
        ~ 1: contact delivered 1, Item delivered 1
        > POST /events event_name=Item created_at=1794999001 user_id=u1
        < 202
        ~ 1: contact delivered 1, Item delivered 1, Item delivered 1
        > POST /events event_name=Total created_at=1794999002 user_id=u1
        < 202
        = 1 delivered: contact delivered 1, Item delivered 1, Item delivered 1, Total delivered 1
    """)


def test_crash_repeats_only_the_call_without_a_commit() -> None:
    talk("""
        known c1
        1: plan=gold; Item; Total
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: plan
        > POST /events event_name=Item user_id=u1
        restart
        > POST /events event_name=Item user_id=u1
        < 202
        ~ 1: contact delivered 1, Item delivered 1
        restart
        > POST /events event_name=Total created_at=1794999001 user_id=u1
        < 202
        = 1 delivered: contact delivered 1, Item delivered 1, Total delivered 1
    """)


def test_parking_keeps_the_count_of_tries() -> None:
    talk("""
        known c1
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 500
        wait 1
        > PUT /contacts/c1 .plan=gold
        < 500
        wait 2
        park
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 3
        cache c1: plan
    """)


def test_refused_event_does_not_stop_the_later_ones() -> None:
    talked = talk("""
        1: ; Item; Total
        > POST /events event_name=Item user_id=u1
        < 422
        ~ 1: Item dead_lettered REQUEST_INVALID 1
        > POST /events event_name=Total created_at=1794999001 user_id=u1
        < 202
        = 1 dead_lettered: Item dead_lettered REQUEST_INVALID 1, Total delivered 1
        2: ; Seen
        > POST /events event_name=Seen user_id=u1
    """)
    assert talked.outcomes["1"].effects[0].intercom_request_id == "r422"


@pytest.mark.parametrize("failure", ["cut", "500", "503", "408", "302"])
def test_transient_failures_are_counted_until_the_call_goes_through(failure: str) -> None:
    talk(f"""
        1: ; Seen
        > POST /events event_name=Seen user_id=u1
        < {failure}
        wait 1
        > POST /events event_name=Seen user_id=u1
        < {failure}
        wait 2
        > POST /events event_name=Seen user_id=u1
        < 202
        = 1 delivered: Seen delivered 3
        2: ; Seen
        > POST /events event_name=Seen user_id=u1
        < {failure}
        wait 1
    """)


@pytest.mark.parametrize("status", [401, 402, "403 token", 429])
def test_suspension_and_rate_limit_are_not_failures_of_the_lane(status: int | str) -> None:
    talk(f"""
        known c1
        1: plan=gold; Seen
        > PUT /contacts/c1 .plan=gold
        < {status}
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        ~ 1: contact delivered 2
        cache c1: plan
        > POST /events event_name=Seen user_id=u1
        < {status}
        > POST /events event_name=Seen user_id=u1
    """)


def test_response_without_a_call_in_flight_is_ignored() -> None:
    talked = talk("1: plan=gold")
    assert (
        talked.lane.on_response(Classification(Kind.REFUSED, "REQUEST_INVALID"), Response(400), NOON) == AfterResponse()
    )
    talked.follow("""
        > POST /contacts role=user external_id=u1 .plan=gold
        < 503
        wait 1
    """)
    assert (
        talked.lane.on_response(Classification(Kind.REFUSED, "REQUEST_INVALID"), Response(400), NOON) == AfterResponse()
    )


def test_create_that_timed_out_is_found_by_the_conflict() -> None:
    talk("""
        1: plan=gold
        > POST /contacts role=user external_id=u1 .plan=gold
        < cut
        wait 1
        > POST /contacts role=user external_id=u1 .plan=gold
        < 409 exists c1
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        = 1 delivered: contact delivered 3
        cache c1: plan
    """)


def test_dry_run_is_not_remembered() -> None:
    talked = talk("""
        who u1 ada@x.io
        1: plan=gold club=red; Seen
        ? create club string
        < created
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold .club=red
        < dry
        ~ 1: contact skipped DRY_RUN 1
        > POST /events event_name=Seen user_id=u1
        < dry
        = 1 skipped: contact skipped DRY_RUN 1, Seen skipped DRY_RUN 1
        2: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
    """)
    assert talked.outcomes["1"].reason == "DRY_RUN"


@pytest.mark.fills("event_age_max")
def test_expired_event_is_a_dead_letter_and_its_update_is_delivered() -> None:
    talk(
        """
        known c1
        1: plan=gold; Old; Newer
        > PUT /contacts/c1 .plan=gold
        < 200 c1
        ~ 1: contact delivered 1
        cache c1: plan
        ~ 1: contact delivered 1, Old dead_lettered EXPIRED 0
        > POST /events event_name=Newer created_at=1794999001 user_id=u1
        < 503
        wait 1
        later 1
        = 1 dead_lettered: contact delivered 1, Old dead_lettered EXPIRED 0, Newer dead_lettered EXPIRED 1
        """,
        event_age_max_seconds=NOON - 1_794_999_001,
    )


def test_event_never_expires_by_default() -> None:
    talk("""
        1: ; Seen
        later 100000000
        > POST /events event_name=Seen user_id=u1
    """)


def test_replay_leaves_out_and_reports_older_values() -> None:
    talked = talk("""
        known c1
        1: plan=gold
        > PUT /contacts/c1 .plan=gold
        < 422
        = 1 dead_lettered: contact dead_lettered REQUEST_INVALID 1
        cache c1:
        2: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: plan
        replay 3 of 1: plan=gold city=Bath; Seen
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        ~ 3: contact delivered 1
        cache c1: city plan
        > POST /events event_name=Seen user_id=u1
        < 202
        = 3 delivered: contact delivered 1, Seen delivered 1 + ATTRIBUTE_DROPPED plan
    """)
    assert talked.outcomes["3"].replay == 1


def test_replayed_name_yields_to_a_later_part_and_vice_versa() -> None:
    talk("""
        known c1
        2: $first=Ada $last=King
        > PUT /contacts/c1 name=Ada_King
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: $first $last
        replay 3 of 1: name=Countess
        = 3 unchanged: contact unchanged 0 + ATTRIBUTE_DROPPED name
        5: name=Countess
        > PUT /contacts/c1 name=Countess
        < 200 c1
        = 5 delivered: contact delivered 1
        cache c1: name
        replay 6 of 4: $first=Augusta
        = 6 unchanged: contact unchanged 0 + ATTRIBUTE_DROPPED $first
    """)


def test_replay_merges_with_newer_envelopes_and_keeps_their_values() -> None:
    talk("""
        who u1 new@x.io
        5: plan=silver
        who u1 old@x.io
        replay 6 of 1: plan=gold city=Bath
        > POST /contacts role=user external_id=u1 email=new@x.io .plan=silver .city=Bath
        < 200 c1
        = 5 delivered: contact delivered 1
        = 6 delivered: contact delivered 1
        cache c1: city email plan
    """)


def test_replay_sends_values_newer_than_the_last_ones() -> None:
    talk("""
        known c1 plan=silver
        replay 3 of 1: plan=gold
        > PUT /contacts/c1 .plan=gold
    """)
