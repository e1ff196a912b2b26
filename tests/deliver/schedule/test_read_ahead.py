"""How far the logs are read ahead."""

import pytest

from intercomd_daemon.deliver.schedule.read_ahead import BYTES_MAX, READ_ROWS, ROWS_MAX, LogWindow, ReadAhead
from intercomd_daemon.envelope import Priority


def filled(rows: int, size: int = 0) -> LogWindow:
    window = LogWindow()
    window.start_read()
    window.end_read(rows, size, after=rows)
    return window


def test_log_is_read_on_until_a_read_gets_no_further() -> None:
    window = LogWindow()
    assert window.readable
    window.start_read()
    assert not window.readable
    window.end_read(10, 100, after=10)
    assert (window.after, window.rows, window.readable) == (10, 10, True)
    window.start_read()
    window.end_read(0, 0, after=10)
    assert not window.readable


def test_read_without_rows_that_gets_further_is_not_the_end() -> None:
    """Rows of parked lanes are passed over."""
    window = filled(10)
    window.start_read()
    window.end_read(0, 0, after=500)
    assert window.readable


def test_rows_appended_during_a_read_are_not_missed() -> None:
    window = filled(10)
    window.start_read()
    window.mark_appended()
    window.end_read(0, 0, after=10)
    assert window.readable


@pytest.mark.fills("deliver.schedule.read_ahead.READ_ROWS")
def test_full_window_is_read_on_when_the_rows_of_a_read_fit() -> None:
    window = filled(ROWS_MAX // 2)
    for _ in range(READ_ROWS - 1):
        window.remove(0)
    assert not window.readable
    window.remove(0)
    assert window.readable


@pytest.mark.fills("deliver.schedule.read_ahead.BYTES_MAX")
def test_large_rows_fill_the_window_by_their_bytes() -> None:
    window = filled(2, BYTES_MAX // 4)
    assert not window.readable
    window.remove(BYTES_MAX // 8)
    assert window.readable
    assert window.rows == 1


def test_key_to_read_after_never_decreases() -> None:
    window = filled(10)
    window.end_read(0, 0, after=0)
    assert window.after == 10


def test_each_priority_has_half_of_the_window() -> None:
    read_ahead = ReadAhead()
    assert read_ahead.start_read() == (Priority.NORMAL, 0)
    read_ahead.end_read(Priority.NORMAL, ((key, 1) for key in range(1, ROWS_MAX // 2 + 1)), ROWS_MAX // 2)
    assert (read_ahead.rows, read_ahead.full) == (ROWS_MAX // 2, True)
    assert read_ahead.start_read() == (Priority.BULK, 0)


def test_one_read_at_a_time_is_in_progress() -> None:
    read_ahead = ReadAhead()
    assert read_ahead.start_read() == (Priority.NORMAL, 0)
    assert (read_ahead.reading, read_ahead.start_read()) == (True, None)
    read_ahead.end_read(Priority.NORMAL, [], 0)
    assert not read_ahead.reading
    assert read_ahead.start_read() == (Priority.BULK, 0)
    read_ahead.end_read(Priority.BULK, [], 0)
    assert read_ahead.start_read() is None
    read_ahead.mark_appended(Priority.BULK)
    assert read_ahead.start_read() == (Priority.BULK, 0)


def test_removed_rows_make_room_once() -> None:
    """Rows that are not in the window, such as those of parked lanes, count for nothing."""
    read_ahead = ReadAhead()
    read_ahead.start_read()
    read_ahead.end_read(Priority.NORMAL, [(1, BYTES_MAX // 8), (2, BYTES_MAX // 8)], 2)
    assert read_ahead.full
    read_ahead.remove([3, 4])
    assert read_ahead.full
    read_ahead.remove([2, 2])
    assert (read_ahead.rows, read_ahead.full) == (1, False)
    read_ahead.start_read()
    read_ahead.end_read(Priority.NORMAL, [(5, BYTES_MAX // 8)], 5)
    assert read_ahead.full
