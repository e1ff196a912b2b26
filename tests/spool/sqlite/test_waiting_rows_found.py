from collections.abc import Callable

from intercomd_daemon.spool.base import Incoming
from intercomd_daemon.spool.sqlite import log, parked_lanes, waiting_rows
from intercomd_daemon.spool.sqlite.transaction import Transaction

Make = Callable[..., Incoming]


def append(transaction: Transaction, *rows: Incoming) -> list[int]:
    return log.append(transaction, rows, lambda _counters, _new, _rows: None)


def test_window_finds_rows_in_log_and_lanes(transaction: Transaction, row: Make) -> None:
    keys = append(transaction, row("1", "ann", connection="eu"), row("2", "bob", connection="eu"))
    parked_lanes.park(transaction, "eu", "c:bob", [keys[1]], 0.0, 1)
    found = [waiting_rows.find(transaction, "eu", name) for name in ("1", "2", "3")]
    assert [each.customer_id if each else None for each in found] == ["ann", "bob", None]
    assert waiting_rows.find(transaction, "us", "1") is None


def test_search_without_the_window_reads_rows_in_chunks(transaction: Transaction, row: Make) -> None:
    append(transaction, *(row("same", connection="eu", recognised=False) for _ in range(waiting_rows.SEARCHED_ROWS)))
    append(transaction, row("last", "zoe", connection="eu", recognised=False), row("last", connection="us"))
    first = waiting_rows.search(transaction, "log", "eu", "last", 0)
    assert first.envelope is None
    second = waiting_rows.search(transaction, "log", "eu", "last", first.next)
    assert second.envelope is not None
    assert (second.envelope.customer_id, second.next) == ("zoe", 0)
    assert waiting_rows.search(transaction, "parked", "eu", "last", 0) == waiting_rows.Found(None, 0)


def test_corrupt_row_is_not_found(transaction: Transaction, row: Make) -> None:
    append(transaction, row("1", connection="eu", data=b"corrupt"))
    assert waiting_rows.find(transaction, "eu", "1") is None
    assert waiting_rows.search(transaction, "log", "eu", "1", 0) == waiting_rows.Found(None, 0)
