"""Rows are found by marks in memory."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from intercomd_daemon.spool.sqlite.marks import CHUNK, CHUNKS_MAX, FOUND_CHUNKS, Marks, clear
from intercomd_daemon.spool.trail import TrailFilter

ANN = TrailFilter(customer_id="ann")


def marked(rows: dict[int, str], first: int = 1) -> Marks:
    """Marks of customers at positions."""
    marks = Marks(first)
    marks.mark((place, f"c:{name}", f"{name}@example.com", f"id-{place}") for place, name in rows.items())
    return marks


def found(marks: Marks, wanted: TrailFilter, top: int) -> list[Sequence[int]]:
    """The positions that each step finds."""
    steps: list[Sequence[int]] = []
    while top:
        positions, top = marks.find(wanted, top)
        steps.append(positions)
    return steps


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (ANN, [9, 5, 1]),
        (TrailFilter(email="ann@example.com"), [9, 5, 1]),
        (TrailFilter(customer_id="bob", email="ann@example.com"), [9, 7, 5, 1]),
        (TrailFilter(envelope_id="id-7"), [7]),
        (TrailFilter(envelope_id="id-7", customer_id="ann"), [7]),
        (TrailFilter(customer_id="dan"), []),
    ],
)
def test_candidates_are_found_newest_first(wanted: TrailFilter, positions: list[int]) -> None:
    marks = marked({1: "ann", 5: "ann", 7: "bob", 9: "ann"})
    assert found(marks, wanted, 9) == [positions]
    assert found(marks, wanted, 6) == [[position for position in positions if position <= 6]]


def test_row_without_an_email_has_no_mark_of_it() -> None:
    marks = Marks(1)
    marks.mark([(1, "c:ann", "", "a")])
    assert found(marks, TrailFilter(email="ann@example.com"), 1) == [[]]


def test_search_goes_down_some_chunks_at_a_time() -> None:
    rows = {CHUNK * number + 1: "ann" for number in range(FOUND_CHUNKS + 2)}
    steps = found(marked(rows), ANN, CHUNK * (FOUND_CHUNKS + 2))
    assert [len(step) for step in steps] == [FOUND_CHUNKS, 2]
    assert [position for step in steps for position in step] == sorted(rows, reverse=True)


@pytest.mark.fills("spool.sqlite.marks.CHUNKS_MAX")
def test_oldest_chunks_are_dropped_beyond_the_limit() -> None:
    marks = marked({CHUNK * number: "ann" for number in range(CHUNKS_MAX + 2)}, first=0)
    assert marks.first == 2 * CHUNK
    assert sum(map(len, found(marks, ANN, CHUNK * CHUNKS_MAX * 2))) == CHUNKS_MAX


def test_chunks_of_rows_that_have_ended_are_forgotten() -> None:
    marks = marked({1: "ann", CHUNK: "ann", 2 * CHUNK + 5: "ann"})
    assert marks.begun
    marks.forget(2 * CHUNK + 7)
    assert not marks.begun
    assert (marks.first, found(marks, ANN, 3 * CHUNK)) == (2 * CHUNK, [[2 * CHUNK + 5]])
    marks.mark([(2 * CHUNK + 6, "c:ann", "", "")])
    assert not marks.begun


def test_saved_marks_are_loaded_at_the_same_position_only() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE marks (number INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        assert Marks.load(database, 9).first == 10
        marked({1: "ann", 5: "bob", CHUNK + 1: "ann"}).save(database, CHUNK + 1)
        assert Marks.load(database, CHUNK + 2).first == CHUNK + 3
        loaded = Marks.load(database, CHUNK + 1)
        assert loaded.first == 1
        assert found(loaded, ANN, 2 * CHUNK) == [[CHUNK + 1, 1]]
        assert found(loaded, TrailFilter(email="bob@example.com"), CHUNK) == [[5]]
        loaded.mark([(CHUNK + 2, "c:ann", "", "")])
        loaded.save(database, CHUNK + 2)
        assert found(Marks.load(database, CHUNK + 2), ANN, 2 * CHUNK) == [[CHUNK + 2, CHUNK + 1, 1]]
        clear(database)
        assert Marks.load(database, CHUNK + 2).first == CHUNK + 3


def test_marks_that_cannot_be_read_are_none() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        assert Marks.load(database, 4).first == 5
