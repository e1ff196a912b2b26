"""How parked lanes lie in the file; what they do is in `tests/spool/test_contract_lanes.py`."""

from collections.abc import Callable

import pytest

from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import log, parked_lanes
from intercomd_daemon.spool.sqlite.transaction import DatabaseOperation, Transaction

Make = Callable[..., Incoming]


@pytest.fixture
def keys(transaction: Transaction, row: Make) -> list[int]:
    return log.append(
        transaction, [row(str(n), connection="eu") for n in range(3)], lambda _counters, _new, _rows: None
    )


@pytest.mark.parametrize(
    "operation",
    [
        lambda transaction: parked_lanes.park(transaction, "eu", "c:ann", [1 << 49 | 1, 1 << 49 | 2], 5.0, 1),
        lambda transaction: parked_lanes.due(transaction, "eu", 9.0, 10),
        lambda transaction: parked_lanes.read(transaction, "eu", "c:ann", 0, 10, 1_000),
    ],
    ids=["park", "due", "parked"],
)
def test_statements_neither_scan_the_log_nor_sort(
    transaction: Transaction, keys: list[int], operation: DatabaseOperation[None]
) -> None:
    """Rows are found by key or lane, due lanes by their index, whatever the backlog."""
    assert keys
    statements: list[str] = []
    transaction.database.set_trace_callback(statements.append)
    operation(transaction)
    transaction.database.set_trace_callback(None)
    for statement in set(statements):
        plan = transaction.database.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
        assert [step[3] for step in plan if step[3].startswith(("SCAN log", "SCAN parked", "SCAN lanes"))] == []
        assert [step[3] for step in plan if "ORDER BY" in step[3] and "LAST TERM" not in step[3]] == []


def test_age_of_a_lane_is_that_of_its_first_row(transaction: Transaction, row: Make, keys: list[int]) -> None:
    accepted = transaction.now
    transaction.now += 500.0
    log.append(transaction, [row("later", connection="eu")], lambda _counters, _new, _rows: None)
    parked_lanes.park(transaction, "eu", "c:ann", keys, 5.0, 1)
    parked_lanes.park(transaction, "eu", "c:other", [], 5.0, 1)
    found = transaction.database.execute("SELECT lane, oldest FROM lanes ORDER BY lane").fetchall()
    assert found == [("c:ann", accepted), ("c:other", accepted + 500.0)]


def test_moved_rows_are_in_one_table_only_and_still_count(transaction: Transaction, keys: list[int]) -> None:
    before = transaction.counters.used()
    parked_lanes.move(transaction, 1, keys[:2])
    parked_lanes.move(transaction, 1, keys[:2])
    parked_lanes.move(transaction, 1, [])
    assert transaction.database.execute("SELECT key FROM log").fetchall() == [(keys[2],)]
    assert transaction.database.execute("SELECT key, connection FROM parked").fetchall() == [(keys[0], 1), (keys[1], 1)]
    assert transaction.counters.used() == before
