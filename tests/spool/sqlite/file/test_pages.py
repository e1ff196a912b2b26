import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite.file.cells import PAGE_BYTES
from intercomd_daemon.spool.sqlite.file.pages import Pages


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of which most pages have been freed, enough for several trunks of the list of them."""
    path = tmp_path / "file.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("CREATE TABLE kept (x)")
        database.execute("CREATE TABLE dropped (x)")
        database.execute("INSERT INTO dropped VALUES (zeroblob(?))", (2_500 * PAGE_BYTES,))
        database.execute("INSERT INTO kept VALUES (zeroblob(?))", (20 * PAGE_BYTES,))
        database.execute("DROP TABLE dropped")
    return path


def test_pages_are_counted_and_read_by_their_numbers(path: Path) -> None:
    content = path.read_bytes()
    with Pages(str(path)) as pages:
        assert pages.count == len(content) // PAGE_BYTES
        assert pages.read(1) == content[:PAGE_BYTES]
        assert pages.read(pages.count) == content[-PAGE_BYTES:]
        assert pages.read(0) == pages.read(pages.count + 1) == b""


def test_free_pages_are_those_that_sqlite_counts(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
    with Pages(str(path)) as pages:
        assert len(pages.free()) == free > 2_000
        assert 1 not in pages.free()


def test_truncated_page_is_filled_with_zeros(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: PAGE_BYTES + 100])
    with Pages(str(path)) as pages:
        assert pages.count == 2
        assert pages.read(2) == path.read_bytes()[PAGE_BYTES:].ljust(PAGE_BYTES, b"\0")
        assert len(pages.free()) <= 1


@pytest.mark.parametrize("trunk", [b"\0\0\0\1", b"\xff\xff\xff\xff"])
def test_corrupt_free_list_is_read_to_its_damage(path: Path, trunk: bytes) -> None:
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[32:36], "big")
    content[(first - 1) * PAGE_BYTES : (first - 1) * PAGE_BYTES + 4] = first.to_bytes(4, "big")
    content[(first - 1) * PAGE_BYTES + 4 : (first - 1) * PAGE_BYTES + 8] = trunk
    path.write_bytes(content)
    with Pages(str(path)) as pages:
        assert first in pages.free()
