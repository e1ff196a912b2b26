from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rows import Incoming, position_of
from intercomd_daemon.spool.sqlite import log, parked_lanes
from intercomd_daemon.spool.sqlite.claimed_seconds import load, unpack_pairs
from intercomd_daemon.spool.sqlite.counters import Counters
from intercomd_daemon.spool.sqlite.transaction import Transaction

Make = Callable[..., Incoming]


def admit_all(_counters: Counters, _new: dict[str, int], _rows: int) -> None:
    """There is room."""


def refuse(_counters: Counters, _new: dict[str, int], _rows: int) -> None:
    """Refuses every append."""
    raise SpoolFull("full", 5.0)


def test_append_counts_rows_and_reports_grown_logs(transaction: Transaction, row: Make) -> None:
    rows = [row("1", connection="eu"), row("2", connection="us", priority=Priority.BULK), row("3", connection="eu")]
    keys = log.append(transaction, rows, admit_all)
    assert [(connection_of(key), priority_of(key), position_of(key)) for key in keys] == [
        (1, Priority.NORMAL, 1),
        (2, Priority.BULK, 2),
        (1, Priority.NORMAL, 3),
    ]
    eu, us = transaction.counters.connection("eu"), transaction.counters.connection("us")
    assert (eu.normal, eu.bulk, eu.bytes) == (2, 0, row_bytes(rows[0].data) + row_bytes(rows[2].data))
    assert (us.normal, us.bulk) == (0, 1)
    assert transaction.grown == {("eu", Priority.NORMAL), ("us", Priority.BULK)}


def test_duplicates_alone_grow_no_log_and_count_nothing(transaction: Transaction, row: Make) -> None:
    log.append(transaction, [row("1", connection="eu")], admit_all)
    before = transaction.counters.used()
    transaction.grown.clear()
    assert log.append(transaction, [row("1", connection="eu")], admit_all) == [0]
    assert transaction.grown == set()
    assert transaction.counters.used() == before


def test_seconds_of_new_rows_are_stored(transaction: Transaction, row: Make) -> None:
    log.append(transaction, [row("1", connection="eu", seconds=((1, 10), (2, 10)))], admit_all)
    again = [row("1", connection="eu", seconds=((3, 10),)), row("2", connection="eu", seconds=((4, 11),))]
    log.append(transaction, again, admit_all)
    assert unpack_pairs(load(transaction.database)) == [(1, 10), (2, 10), (4, 11)]


def test_refused_append_writes_nothing(transaction: Transaction, row: Make) -> None:
    changes = transaction.database.total_changes
    before = transaction.counters.copy()
    with pytest.raises(SpoolFull):
        log.append(transaction, [row("1", connection="eu")], refuse)
    assert transaction.database.total_changes == changes
    assert not transaction.counters.differs(before)


def test_requests_appended_together_get_their_own_keys_and_duplicates(transaction: Transaction, row: Make) -> None:
    requests = [["1", "2"], ["2", "3"], ["4"]]
    appends = [log.Append([row(name, connection="eu") for name in names], admit_all) for names in requests]
    answers = log.append_together(transaction, appends)
    assert [[bool(key) for key in keys] for keys in answers] == [[True, True], [False, True], [True]]
    assert transaction.counters.connection("eu").normal == 4


def test_requests_are_admitted_one_by_one_where_not_all_fit(transaction: Transaction, row: Make) -> None:
    def admit(counters: Counters, new: dict[str, int], _rows: int) -> None:
        if counters.used()["eu"] + new["eu"] > 3 * row_bytes(row("1").data):
            raise SpoolFull("full", 5.0)

    requests = [["1"], ["2", "3", "4"], ["5", "6"]]
    appends = [log.Append([row(name, connection="eu") for name in names], admit) for names in requests]
    first, second, third = log.append_together(transaction, appends)
    assert isinstance(second, SpoolFull)
    assert [len(first), len(third)] == [1, 2]
    assert transaction.counters.connection("eu").normal == 3


@pytest.mark.fills("spool.sqlite.log.MOVED_MAX")
def test_read_skips_a_bounded_number_of_rows_of_parked_lanes(transaction: Transaction, row: Make) -> None:
    his = [row(f"h{number}", "he", connection="eu") for number in range(log.MOVED_MAX + 100)]
    keys = log.append(transaction, [*his, row("o", "other", connection="eu")], admit_all)
    parked_lanes.park(transaction, "eu", "c:he", [], 0.0, 0)
    first = log.read(transaction, "eu", Priority.NORMAL, 0, 100, 1_000_000)
    assert first.rows == []
    assert keys[log.MOVED_MAX - 1] <= first.after < keys[log.MOVED_MAX + 99]
    second = log.read(transaction, "eu", Priority.NORMAL, first.after, 100, 1_000_000)
    assert [each.lane for each in second.rows] == ["c:other"]
    assert parked_lanes.read(transaction, "eu", "c:he", 0, 5, 1_000_000).rows[0].key == keys[0]


def test_accepting_neither_scans_nor_sorts(transaction: Transaction, row: Make) -> None:
    """Every statement of an append finds its place by a key, whatever the backlog."""
    statements: list[str] = []
    transaction.database.set_trace_callback(statements.append)
    log.append(transaction, [row("1", connection="eu", seconds=((1, 1),)), row("1", connection="eu")], admit_all)
    transaction.database.set_trace_callback(None)
    assert len(statements) >= 5
    for statement in set(statements):
        plan = transaction.database.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
        # Constant rows, and subqueries of them, are those of the statement itself.
        scans = [step[3] for step in plan if "SCAN" in step[3]]
        assert [scan for scan in scans if "CONSTANT ROW" not in scan and "(subquery" not in scan] == []
        assert [step for step in plan if "TEMP B-TREE" in step[3]] == []


def test_reading_neither_scans_nor_sorts(transaction: Transaction, row: Make) -> None:
    """A page is found by its key, its lanes and progress by theirs. Only the list of lanes is scanned."""
    log.append(transaction, [row("1", connection="eu")], admit_all)
    statements: list[str] = []
    transaction.database.set_trace_callback(statements.append)
    log.read(transaction, "eu", Priority.NORMAL, 0, 10, 1_000_000)
    transaction.database.set_trace_callback(None)
    for statement in set(statements):
        plan = transaction.database.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
        steps = [step[3] for step in plan if step[3] != "SCAN json_each VIRTUAL TABLE INDEX 1:"]
        assert [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step] == []
