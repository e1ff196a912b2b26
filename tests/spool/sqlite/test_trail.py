"""The steps of a search of waiting rows."""

from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import log, parked_lanes, trail, waiting_rows
from intercomd_daemon.spool.sqlite.fingerprints import CANDIDATES_MAX
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
ANN = TrailFilter(customer_id="ann")
START = log_start(1, Priority.NORMAL)


def append(transaction: Transaction, rows: list[Incoming]) -> list[int]:
    return log.append(transaction, rows, lambda _counters, _new, _rows: None)


def searched(transaction: Transaction, wanted: TrailFilter, limit: int = 1_000) -> list[list[int]]:
    """Returns the positions that each step found."""
    steps = [trail.search(transaction, wanted, 0, limit)]
    while steps[-1].next:
        steps.append(trail.search(transaction, wanted, steps[-1].next, limit))
    return [[key - START for key in step.entries] for step in steps]


def test_search_finds_rows_wherever_they_wait(transaction: Transaction, row: Make) -> None:
    keys = append(transaction, [row(str(place), connection="eu") for place in range(1, 6)])
    parked_lanes.park(transaction, "eu", "c:ann", [keys[0], keys[3]], 0.0, 1)
    waiting_rows.delete_rows(transaction, [keys[1], keys[3]])
    assert searched(transaction, ANN) == [[5, 3, 1]]
    assert searched(transaction, TrailFilter(connection="us", customer_id="ann")) == [[]]


def test_search_returns_some_at_a_time(transaction: Transaction, row: Make) -> None:
    append(transaction, [row(str(place), connection="eu") for place in range(1, 4)])
    assert searched(transaction, ANN, limit=2) == [[3, 2], [1]]


@pytest.mark.fills("spool.sqlite.fingerprints.CANDIDATES_MAX")
def test_search_reads_few_rows_in_one_step(transaction: Transaction, row: Make) -> None:
    count = CANDIDATES_MAX + 1
    append(transaction, [row(str(place), connection="eu") for place in range(1, count + 1)])
    assert searched(transaction, ANN) == [[*range(count, 1, -1)], [1]]


@pytest.mark.parametrize(
    ("wanted", "record_of"),
    [(TrailFilter(customer_id="bob"), "ann"), (TrailFilter(envelope_id="1", customer_id="bob"), "ann"), (ANN, "bob")],
)
def test_row_with_the_fingerprint_of_another_user_is_not_found(
    transaction: Transaction, row: Make, wanted: TrailFilter, record_of: str
) -> None:
    """Its record decides; here the lane of the fingerprint is not the record's."""
    of_other = row("1", wanted.customer_id).lane
    append(transaction, [row("1", record_of, connection="eu", lane=of_other)])
    assert searched(transaction, wanted) == [[]]


@pytest.mark.parametrize("data", [b"", b"\x02corrupt", b"\x09 of a later release"])
def test_row_that_cannot_be_read_is_not_found(transaction: Transaction, row: Make, data: bytes) -> None:
    append(transaction, [row("1", connection="eu", data=data), row("2", connection="eu")])
    assert searched(transaction, ANN) == [[2]]


def test_duplicate_window_knows_the_row_of_an_id_while_it_waits(transaction: Transaction, row: Make) -> None:
    first, second, third = append(transaction, [row(name, name, connection="eu") for name in ("1", "2", "3")])
    parked_lanes.park(transaction, "eu", "c:2", [second], 0.0, 1)
    waiting_rows.delete_rows(transaction, [third])
    assert [trail.known_key(transaction, "eu", name) for name in ("1", "2", "3", "4")] == [first, second, 0, 0]
    assert trail.known_key(transaction, "us", "1") == 0
