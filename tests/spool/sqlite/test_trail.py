"""The search of the logs slice by slice."""

from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Incoming
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.sqlite import log, trail
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
ANN = TrailFilter(customer_id="ann")


def append(transaction: Transaction, row: Make, names: dict[int, str]) -> None:
    """Appends rows at these positions."""
    for position, customer in names.items():
        transaction.counters.spool.position = position - 1
        log.append(transaction, [row(str(position), customer, connection="eu")], lambda _counters, _new: None)


def searched(transaction: Transaction, wanted: TrailFilter, limit: int = 100) -> list[list[int]]:
    """Returns the positions found in each slice of the normal log of `eu`."""
    place: trail.Place | None = trail.places(transaction, wanted, 0)[0]
    slices: list[list[int]] = []
    while place is not None:
        found = trail.search(transaction, wanted, place, limit)
        slices.append([key - log_start(1, Priority.NORMAL) for key in found.keys])
        place = found.rest
    return slices


def test_search_goes_down_slice_by_slice_and_jumps_over_gaps(transaction: Transaction, row: Make) -> None:
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
def test_bytes_that_look_like_an_email_are_no_identity(transaction: Transaction, row: Make, envelope_id: str) -> None:
    append(transaction, row, {1: "me", 2: "ann@example.com"})
    assert searched(transaction, TrailFilter(email="ann@example.com", envelope_id=envelope_id)) == [[]]
