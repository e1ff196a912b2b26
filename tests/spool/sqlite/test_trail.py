"""The search of the logs slice by slice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Incoming, position_of
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.sqlite import SqliteSettings, log, open_spool, parked_lanes, trail, waiting_rows
from intercomd_daemon.spool.sqlite.marks import CHUNK, SAVED_ROWS_MIN
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
ANN = TrailFilter(customer_id="ann")


def append(transaction: Transaction, row: Make, names: dict[int, str]) -> None:
    """Appends rows at these positions."""
    for position, customer in names.items():
        transaction.counters.spool.position = position - 1
        log.append(transaction, [row(str(position), customer, connection="eu")], lambda _counters, _new, _rows: None)


def searched(transaction: Transaction, wanted: TrailFilter, limit: int = 100) -> list[list[int]]:
    """Returns the positions found in each slice of the normal log of `eu`."""
    place: trail.Place | None = trail.places(transaction, wanted, 0)[0]
    slices: list[list[int]] = []
    while place is not None:
        found = trail.search(transaction, wanted, place, limit)
        slices.append([key - log_start(1, Priority.NORMAL) for key in found.keys])
        place = found.rest
    return slices


def test_search_descends_in_slices_and_skips_gaps(transaction: Transaction, row: Make) -> None:
    far = 1 << 40
    append(transaction, row, {1: "ann", 2: "bob", 50_000: "ann", 60_001: "ann", far: "bob", far + 1: "ann"})
    assert searched(transaction, ANN) == [[far + 1], [60_001], [50_000], [1]]
    assert searched(transaction, TrailFilter(customer_id="dan")) == [[], [], [], []]


def test_search_ends_at_its_limit(transaction: Transaction, row: Make) -> None:
    append(transaction, row, {1: "ann", 2: "ann", 3: "ann"})
    assert searched(transaction, ANN, limit=2) == [[3, 2]]


def test_places_are_those_of_the_named_connection(transaction: Transaction) -> None:
    assert len(trail.places(transaction, TrailFilter(), 0)) == 8
    places = trail.places(transaction, TrailFilter(connection="us"), 7)
    assert [(each.table, each.top - each.bottom) for each in places] == 2 * [("log", 6), ("parked", 6)]


@pytest.mark.parametrize("envelope_id", ["1", "2"])
def test_bytes_that_look_like_an_email_are_not_an_identity(
    transaction: Transaction, row: Make, envelope_id: str
) -> None:
    append(transaction, row, {1: "me", 2: "ann@example.com"})
    assert searched(transaction, TrailFilter(email="ann@example.com", envelope_id=envelope_id)) == [[]]


def test_marked_rows_are_found_whatever_became_of_their_neighbours(transaction: Transaction, row: Make) -> None:
    append(transaction, row, {1: "ann", 2: "bob", 3: "ann", 9_000: "ann"})
    keys = [log_start(1, Priority.NORMAL) + position for position in (1, 3, 9_000)]
    parked_lanes.park(transaction, "eu", "c:ann", keys[:1], 0.0, 1)
    transaction.marks.mark([(5, "c:ann", "", "not committed")])
    found = trail.search_marked(transaction, ANN, 0, 100)
    assert (found.keys, found.next, found.first) == ([keys[2], keys[1], keys[0]], 0, 0)
    first = trail.search_marked(transaction, ANN, 0, 1)
    assert first.keys == [keys[2]]
    assert trail.search_marked(transaction, ANN, first.next, 100).keys == [keys[1], keys[0]]
    assert trail.search_marked(transaction, TrailFilter(customer_id="ann", connection="us"), 0, 100).keys == []


def test_marks_of_rows_that_have_ended_are_dropped(transaction: Transaction, row: Make) -> None:
    append(transaction, row, {1: "ann", CHUNK: "ann", 2 * CHUNK: "ann"})
    assert transaction.marks.first == 0
    waiting_rows.delete_rows(transaction, [log_start(1, Priority.NORMAL) + 1])
    append(transaction, row, {3 * CHUNK: "ann"})
    assert transaction.marks.first == CHUNK


@pytest.mark.parametrize("others", [0, SAVED_ROWS_MIN])
async def test_rows_of_an_earlier_run_are_found_with_those_of_this_one(tmp_path: Path, row: Make, others: int) -> None:
    """By the file, and by saved marks."""
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    for run in ("1", "2"):
        spool = await open_spool(settings)
        await spool.append([row(f"{run}-{number}", "ann") for number in range(3)])
        await spool.append([row(f"{run}-bob-{number}", "bob") for number in range(1 + others)])
        await spool.close()
    spool = await open_spool(settings)
    await spool.append([row("3-0", "ann"), row("3-1", "ann")])
    pages: list[int] = []
    before = 0
    while keys := await spool.find_waiting(ANN, before, 3):
        pages += keys
        before = position_of(keys[-1])
    second, third = 4 + others, 8 + 2 * others
    positions = [1, 2, 3, second + 1, second + 2, second + 3, third + 1, third + 2]
    assert [position_of(key) for key in pages] == positions[::-1]
    assert await spool.find_waiting(ANN, 1, 3) == []
    await spool.close()


def test_duplicate_window_knows_the_row_of_an_id_while_it_waits(transaction: Transaction, row: Make) -> None:
    append(transaction, row, {1: "ann", 2: "bob", 3: "cid"})
    first, second, third = (log_start(1, Priority.NORMAL) + position for position in (1, 2, 3))
    parked_lanes.park(transaction, "eu", "c:bob", [second], 0.0, 1)
    waiting_rows.delete_rows(transaction, [third])
    assert [trail.known_key(transaction, "eu", name) for name in ("1", "2", "3", "4")] == [first, second, 0, 0]
    assert trail.known_key(transaction, "us", "1") == 0
