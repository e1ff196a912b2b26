"""How far the logs are read ahead."""

import pytest

from intercomd_daemon.deliver.schedule.read_ahead import BYTES_MAX, READ_ROWS, ROWS_MAX, ReadAheadWindow, window
from intercomd_daemon.envelope import Priority


def filled(rows: int, size: int = 0) -> ReadAheadWindow:
    read_ahead = ReadAheadWindow()
    read_ahead.reading()
    read_ahead.read(rows, size, after=rows)
    return read_ahead


def test_each_priority_has_its_own_half() -> None:
    made = window()
    assert set(made) == set(Priority)
    full = filled(ROWS_MAX // 2)
    assert full.full
    assert not full.wants()
    assert made[Priority.NORMAL].wants()


def test_it_reads_on_until_a_read_does_not_move() -> None:
    read_ahead = ReadAheadWindow()
    assert read_ahead.wants()
    read_ahead.reading()
    assert not read_ahead.wants()
    read_ahead.read(10, 100, after=10)
    assert (read_ahead.after, read_ahead.rows, read_ahead.wants()) == (10, 10, True)
    read_ahead.reading()
    read_ahead.read(0, 0, after=10)
    assert not read_ahead.wants()


def test_a_read_that_brings_nothing_but_moves_is_not_the_end() -> None:
    """Rows of parked lanes are passed over."""
    read_ahead = filled(10)
    read_ahead.reading()
    read_ahead.read(0, 0, after=500)
    assert read_ahead.wants()


def test_rows_appended_during_a_read_are_not_missed() -> None:
    read_ahead = filled(10)
    read_ahead.reading()
    read_ahead.appended()
    read_ahead.read(0, 0, after=10)
    assert read_ahead.wants()


@pytest.mark.fills("deliver.schedule.read_ahead.READ_ROWS")
def test_a_refill_waits_until_a_fair_number_of_rows_fits() -> None:
    read_ahead = filled(ROWS_MAX // 2)
    read_ahead.left(READ_ROWS - 1, 0)
    assert not read_ahead.wants()
    read_ahead.left(1, 0)
    assert read_ahead.wants()


@pytest.mark.fills("deliver.schedule.read_ahead.BYTES_MAX")
def test_large_rows_fill_it_by_their_bytes() -> None:
    read_ahead = filled(2, BYTES_MAX // 4)
    assert not read_ahead.wants()
    read_ahead.left(1, BYTES_MAX // 8)
    assert read_ahead.wants()
    assert read_ahead.rows == 1


def test_the_place_never_goes_back() -> None:
    read_ahead = filled(10)
    read_ahead.read(0, 0, after=0)
    assert read_ahead.after == 10
