import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite.file.cells import PAGE_BYTES, Record, leaf_rows

VALUES = [
    *(None, 0, 1, -1, 127, -128, 1 << 14, -(1 << 22), 1 << 30, 1 << 46, (1 << 63) - 1, -(1 << 63)),
    *(0.5, -1e300, "", "text", "\u00e4\U0001f600", b"", b"\x00\xff"),
    *("x" * 60, b"y" * 4_061, "z" * 4_062, b"o" * 20_000),
]
"""One for each way in which SQLite writes a value, and sizes around what a cell holds by itself."""


def pages_of(path: Path, rows: list[tuple[int, object]]) -> Callable[[int], bytes]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("CREATE TABLE things (key INTEGER PRIMARY KEY, value, again)")
        database.executemany("INSERT INTO things VALUES (?1, ?2, ?2)", rows)
    content = path.read_bytes()
    return lambda number: content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]


def rows_in(page: bytes, read: Callable[[int], bytes]) -> list[Record]:
    return list(leaf_rows(page, 2, read))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_row_is_read_as_it_was_written(tmp_path: Path, value: object) -> None:
    read = pages_of(tmp_path / "file.db", [(1 << 40, value), (-5, value)])
    found = [row for number in range(2, 40) for row in rows_in(read(number), read)]
    assert sorted(found, key=lambda row: row[0]) == [(-5, [None, value, value]), (1 << 40, [None, value, value])]


def test_first_page_starts_with_the_file_header(tmp_path: Path) -> None:
    read = pages_of(tmp_path / "file.db", [])
    ((number, columns),) = leaf_rows(read(1), 1, read)
    assert (number, columns[:4]) == (1, ["table", "things", "things", 2])


@pytest.mark.parametrize("page", [b"", bytes(PAGE_BYTES), b"\x05" + bytes(PAGE_BYTES - 1), b"\x0d"])
def test_page_that_is_not_a_table_leaf_has_no_rows(page: bytes) -> None:
    assert rows_in(page, lambda _: b"") == []


def test_page_with_any_bit_flipped_is_read_as_far_as_possible(tmp_path: Path) -> None:
    read = pages_of(tmp_path / "file.db", [(key, "v" * (key * 40)) for key in range(1, 20)])
    whole = rows_in(read(2), read)
    kept = 0
    for place in range(0, PAGE_BYTES, 3):
        page = bytearray(read(2))
        page[place] ^= 1 << place % 8
        kept += len([row for row in rows_in(bytes(page), read) if row in whole]) >= len(whole) - 1
    assert kept > 0.95 * PAGE_BYTES / 3


def test_row_with_missing_or_circular_overflow_pages_is_skipped(tmp_path: Path) -> None:
    read = pages_of(tmp_path / "file.db", [(1, "small"), (2, "large" * 4_000)])
    circle = (2).to_bytes(4, "big") + bytes(PAGE_BYTES - 4)
    leaf = read(2)
    assert [key for key, _ in rows_in(leaf, lambda _: b"")] == [1]
    assert [key for key, _ in rows_in(leaf, lambda _: circle)] in ([1], [1, 2]), "its end is its size"
