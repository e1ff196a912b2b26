"""Dialogues with two lanes that turn out to be one person: one named by customer id, one by email alone."""

from delivery.dialogue import talk

BOTH = """
        who u1 ada@x.io
        known c1 plan=gold
        who - ada@x.io
        known c1
"""


def test_lanes_of_one_contact_share_sent_values() -> None:
    talk(f"""
        {BOTH}
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        who u1
        2: plan=silver
        = 2 unchanged: contact unchanged 0
    """)


def test_lane_that_finds_the_contact_of_another_shares_it() -> None:
    talk("""
        known c1 plan=gold
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: plan
        who - ada@x.io
        2: plan=silver city=Bath
        > POST /contacts role=user email=ada@x.io .plan=silver .city=Bath
        < 409 exists c1
        > PUT /contacts/c1 .city=Bath
        < 200 c1
        = 2 delivered: contact delivered 2
        cache c1: city plan
        who u1
        3: city=Bath plan=silver
        = 3 unchanged: contact unchanged 0
    """)


def test_values_of_two_lanes_in_flight_are_unknown() -> None:
    talk(f"""
        {BOTH}
        1: plan=silver city=Bath
        > PUT /contacts/c1 .plan=silver .city=Bath
        who u1 ada@x.io
        2: plan=bronze team=red
        > PUT /contacts/c1 email=ada@x.io .plan=bronze .team=red
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: email team
        who - ada@x.io
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: city email team
        who u1 ada@x.io
        3: plan=bronze city=Bath team=red
        > PUT /contacts/c1 .plan=bronze
    """)


def test_nor_of_two_parts_of_the_name() -> None:
    talk("""
        who - ada@x.io
        known c1
        1: $first=Ada
        > PUT /contacts/c1 name=Ada
        who u1
        known c1
        2: $last=King
        > PUT /contacts/c1 name=King
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1:
        who - ada@x.io
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1:
        3: $last=King
        > PUT /contacts/c1 name=Ada_King
    """)


def test_write_after_another_has_ended_is_known() -> None:
    talk(f"""
        {BOTH}
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        < cut
        wait 1
        who u1 ada@x.io
        2: plan=bronze
        > PUT /contacts/c1 email=ada@x.io .plan=bronze
        < 200 c1
        = 2 delivered: contact delivered 1
        cache c1: email plan
        3: plan=bronze
        = 3 unchanged: contact unchanged 0
    """)


def test_late_response_does_not_change_a_forgotten_contact() -> None:
    talk(f"""
        {BOTH}
        1: plan=silver
        > PUT /contacts/c1 .plan=silver
        who u1 ada@x.io
        2: ; Seen
        > PUT /contacts/c1 email=ada@x.io
        < 404
        > POST /contacts role=user external_id=u1 email=ada@x.io
        < 200 c2
        ~ 2: contact delivered 2
        cache c2: email
        who - ada@x.io
        < 404
        > POST /contacts role=user email=ada@x.io .plan=silver
    """)


def test_event_uses_a_contact_that_another_lane_created() -> None:
    talk(f"""
        {BOTH}
        1: ; Seen
        > POST /events event_name=Seen id=c1
        < 404
        > POST /contacts role=user email=ada@x.io
        < cut
        wait 1
        who u1 ada@x.io
        2: plan=gold
        > POST /contacts role=user external_id=u1 email=ada@x.io .plan=gold
        < 200 c2
        = 2 delivered: contact delivered 1
        cache c2: email plan
        who - ada@x.io
        > POST /events event_name=Seen id=c2
        < 202
        = 1 delivered: Seen delivered 3
        cache c2: email plan
    """)
