"""Which entries the table of fingerprints has, and which of them match."""

from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import fingerprints, log, parked_lanes, waiting_rows
from intercomd_daemon.spool.sqlite.fingerprints import SEARCHED_PER_COMMIT
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
ANN = TrailFilter(customer_id="ann")
EU, US_BULK = log_start(1, Priority.NORMAL), log_start(2, Priority.BULK)
ROWS = (
    (EU + 1, "c:ann", "", "1"),
    (US_BULK + 2, "c:ann", "ann@example.com", "2"),
    (EU + 3, "e:ann@example.com", "ann@example.com", "3"),
    (US_BULK + 4, "c:bob", "", "4"),
)


def stored(transaction: Transaction) -> list[tuple[int, ...]]:
    return transaction.database.execute("SELECT * FROM fingerprints ORDER BY position").fetchall()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (TrailFilter(), [4, 3, 2, 1]),
        (TrailFilter(connection="us"), [4, 2]),
        (TrailFilter(allowed=("eu",)), [3, 1]),
        (TrailFilter(connection="nowhere"), []),
        (ANN, [2, 1]),
        (TrailFilter(email="ann@example.com"), [3, 2]),
        (TrailFilter(customer_id="bob", email="ann@example.com"), [4, 3, 2]),
        (TrailFilter(envelope_id="3"), [3]),
        (TrailFilter(envelope_id="3", customer_id="ann"), []),
        (TrailFilter(envelope_id="3", customer_id="ann", email="ann@example.com"), [3]),
    ],
)
def test_entries_match_by_lane_email_and_id(transaction: Transaction, wanted: TrailFilter, found: list[int]) -> None:
    fingerprints.add(transaction, ROWS)
    keys = [key for key, *_ in ROWS]
    assert fingerprints.find(transaction, wanted, 0, 9) == ([keys[place - 1] for place in found], 0)
    below = [keys[place - 1] for place in found if place < 3]
    assert fingerprints.find(transaction, wanted, 3, 9) == (below, 0)


@pytest.mark.fills("spool.sqlite.fingerprints.SEARCHED_PER_COMMIT")
def test_search_takes_one_step_at_a_time(transaction: Transaction) -> None:
    last = 2 * SEARCHED_PER_COMMIT
    fingerprints.add(transaction, [(EU + place, "c:ann", "", "") for place in (1, last)])
    others = range(2, last)
    fingerprints.add(transaction, [(EU + place, "c:bob", "", "") for place in others])
    first = fingerprints.find(transaction, ANN, 0, 9)
    assert first == ([EU + last], SEARCHED_PER_COMMIT + 1)
    second = fingerprints.find(transaction, ANN, first.next, 9)
    assert second == ([EU + 1], 1)
    assert fingerprints.find(transaction, ANN, second.next, 9) == ([], 0)


def test_entry_stays_exactly_as_long_as_its_row_waits(transaction: Transaction, row: Make) -> None:
    rows = [row(str(place), connection="eu") for place in range(1, 5)]
    keys = log.append(transaction, [*rows, rows[0]], lambda _counters, _new, _rows: None)
    entries = stored(transaction)
    assert [entry[0] for entry in entries] == [1, 2, 3, 4]  # The fifth is a duplicate.
    parked_lanes.park(transaction, "eu", "c:ann", keys[:2], 0.0, 1)
    assert stored(transaction) == entries
    waiting_rows.delete_rows(transaction, [keys[0], keys[3]])
    assert stored(transaction) == entries[1:3]
    waiting_rows.delete_rows(transaction, [keys[0]])
    assert stored(transaction) == entries[1:3]


def test_entries_of_all_readable_rows_are_filled_in(transaction: Transaction, row: Make) -> None:
    rows = [row(str(place), connection="eu") for place in range(1, 4)]
    keys = log.append(
        transaction, [*rows, row("4", connection="eu", data=b"corrupt")], lambda _counters, _new, _rows: None
    )
    parked_lanes.park(transaction, "eu", "c:ann", keys[:2], 0.0, 1)
    entries = stored(transaction)
    transaction.database.execute("DELETE FROM fingerprints")
    fingerprints.fill(transaction.database)
    assert stored(transaction) == entries[:3]
