"""Ids of lines that have none: the same file gives the same ids again."""

from collections.abc import Iterable
from contextlib import closing
from uuid import UUID

from intercomd_daemon.cli.sending.stable_id import StableIds, id_of


def ids(lines: Iterable[bytes]) -> list[str]:
    with closing(StableIds()) as stable:
        return [stable.next(line) for line in lines]


def test_the_same_lines_have_the_same_ids() -> None:
    assert ids([b"a", b"b", b"a"]) == ids([b"a", b"b", b"a"])


def test_equal_lines_have_ids_of_their_own() -> None:
    assert len(set(ids([b"a"] * 5 + [b"b"]))) == 6


def test_what_stands_around_a_line_changes_nothing() -> None:
    assert ids([b"new", b"a", b"b"])[1:] == ids([b"a", b"b"])


def test_they_are_uuids_of_the_kind_that_is_made_of_something_else() -> None:
    parsed = [UUID(text) for text in ids(b"%d" % number for number in range(50))]
    assert {each.version for each in parsed} == {8}
    assert {each.variant for each in parsed} == {"specified in RFC 4122"}


def test_they_stay_the_same_over_releases() -> None:
    assert id_of(bytes(16), 1) == ID_OF_NOTHING


ID_OF_NOTHING = "553e6c44-223e-8742-b2d1-6b9ae8871367"
