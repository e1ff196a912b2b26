"""Dialogues with a lane: first and last name are sent as the name; the contact cache keeps both."""

from delivery.dialogue import talk


def test_name_parts_are_joined_and_remembered() -> None:
    talk("""
        known c1
        1: $first=Ada $last=Lovelace
        > PUT /contacts/c1 name=Ada_Lovelace
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: $first $last
        2: $first=Ada $last=Lovelace
        = 2 unchanged: contact unchanged 0
    """)


def test_name_part_is_joined_with_the_cached_one() -> None:
    talk("""
        known c1 $first=Ada $last=Byron
        1: $last=Lovelace
        > PUT /contacts/c1 name=Ada_Lovelace
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: $first $last
        restart
        2: $first=Ada $last=Lovelace
        = 2 unchanged: contact unchanged 0
    """)


def test_single_name_part_is_sent_alone_and_none_clears_the_name() -> None:
    talk("""
        known c1
        1: $first=Ada
        > PUT /contacts/c1 name=Ada
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: $first
        2: $first=null
        > PUT /contacts/c1 name=null
    """)


def test_full_name_takes_precedence_within_an_envelope() -> None:
    talk("""
        known c1
        1: $first=Ada name=Countess $last=Lovelace
        > PUT /contacts/c1 name=Countess
        < 200 c1
        = 1 delivered: contact delivered 1
        cache c1: name
        2: $first=Ada name=Countess $last=Lovelace
        = 2 unchanged: contact unchanged 0
    """)


def test_later_of_name_and_parts_is_sent() -> None:
    talk("""
        known c1
        1: name=Countess
        2: $first=Ada $last=King
        > PUT /contacts/c1 name=Ada_King
        < 200 c1
        = 1 delivered: contact delivered 1
        = 2 delivered: contact delivered 1
        cache c1: $first $last
        3: name=Countess
        > PUT /contacts/c1 name=Countess
        < 200 c1
        = 3 delivered: contact delivered 1
        cache c1: name
        4: $first=Ada
        > PUT /contacts/c1 name=Ada_King
        < 200 c1
        = 4 delivered: contact delivered 1
        cache c1: $first
    """)
