"""How far the logs are read ahead."""

import pytest

from intercomd_daemon.deliver.window import BYTES_MAX, READ_ROWS, ROWS_MAX, Stretch, window
from intercomd_daemon.envelope import Priority


def filled(rows: int, size: int = 0) -> Stretch:
    stretch = Stretch()
    stretch.reading()
    stretch.read(rows, size, after=rows)
    return stretch


def test_each_priority_has_its_own_half() -> None:
    made = window()
    assert set(made) == set(Priority)
    full = filled(ROWS_MAX // 2)
    assert full.full
    assert not full.wants()
    assert made[Priority.NORMAL].wants()


def test_it_reads_on_until_a_read_does_not_move() -> None:
    stretch = Stretch()
    assert stretch.wants()
    stretch.reading()
    assert not stretch.wants()
    stretch.read(10, 100, after=10)
    assert (stretch.after, stretch.rows, stretch.wants()) == (10, 10, True)
    stretch.reading()
    stretch.read(0, 0, after=10)
    assert not stretch.wants()


def test_a_read_that_brings_nothing_but_moves_is_not_the_end() -> None:
    """Rows of parked lanes are passed over."""
    stretch = filled(10)
    stretch.reading()
    stretch.read(0, 0, after=500)
    assert stretch.wants()


def test_rows_appended_during_a_read_are_not_missed() -> None:
    stretch = filled(10)
    stretch.reading()
    stretch.appended()
    stretch.read(0, 0, after=10)
    assert stretch.wants()


@pytest.mark.fills("deliver.window.READ_ROWS")
def test_a_refill_waits_until_a_fair_number_of_rows_fits() -> None:
    stretch = filled(ROWS_MAX // 2)
    stretch.left(READ_ROWS - 1, 0)
    assert not stretch.wants()
    stretch.left(1, 0)
    assert stretch.wants()


@pytest.mark.fills("deliver.window.BYTES_MAX")
def test_large_rows_fill_it_by_their_bytes() -> None:
    stretch = filled(2, BYTES_MAX // 4)
    assert not stretch.wants()
    stretch.left(1, BYTES_MAX // 8)
    assert stretch.wants()
    assert stretch.rows == 1


def test_the_place_never_goes_back() -> None:
    stretch = filled(10)
    stretch.read(0, 0, after=0)
    assert stretch.after == 10
