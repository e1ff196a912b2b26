import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.file import header

NOON = 1_750_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool.db"
    open_database(str(path), NOON).close()
    return path


def flipped(path: Path, places: range) -> Iterator[tuple[int, int]]:
    """The file with each bit of a range flipped in turn."""
    content = path.read_bytes()
    for place in places:
        for bit in range(8):
            corrupted = bytearray(content)
            corrupted[place] ^= 1 << bit
            path.write_bytes(corrupted)
            yield place, bit


def test_spool_is_ours_and_sound(spool: Path) -> None:
    assert header.is_ours(str(spool))
    assert header.is_sound(str(spool))


def test_new_spool_whose_tables_are_only_in_the_log_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with closing(open_database(str(path), NOON)):
        assert (tmp_path / "spool.db-wal").stat().st_size
        assert header.is_sound(str(path))


@pytest.mark.parametrize("places", [range(18), range(18, 24), range(44, 60), range(64, 68), range(68, 92)], ids=str)
def test_header_bit_that_changes_how_sqlite_reads_the_file_is_detected(spool: Path, places: range) -> None:
    content = spool.read_bytes()
    unnoticed = [place for place in flipped(spool, places) if header.is_sound(str(spool))]
    # "Suggested cache size", and the mark, by which the opening sees that it is corrupted.
    assert {place for place, _ in unnoticed} <= {*range(68, 72)}
    spool.write_bytes(content)


def test_spool_with_any_header_bit_flipped_is_still_ours(spool: Path) -> None:
    assert all(header.is_ours(str(spool)) for _ in flipped(spool, range(100)))


@pytest.mark.parametrize("size", [1, 15, 16, 99])
def test_truncated_spool_is_ours_and_not_sound(spool: Path, size: int) -> None:
    spool.write_bytes(spool.read_bytes()[:size])
    for _ in range(2):
        assert header.is_ours(str(spool))
        assert not header.is_sound(str(spool))
        Path(f"{spool}-wal").touch()  # Of which SQLite would say that it belongs to nothing.


@pytest.mark.parametrize("content", [b"some notes\n" * 20, b"x"])
def test_other_files_are_not_ours_and_count_as_sound(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert not header.is_ours(str(path))
    assert header.is_sound(str(path))


def test_database_of_another_program_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    assert not header.is_ours(str(path))


def test_empty_file_may_become_a_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    assert header.is_sound(str(path))


def test_version_is_that_of_the_header(spool: Path, tmp_path: Path) -> None:
    assert header.version(str(spool)) == schema.VERSION
    other = tmp_path / "new.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert header.version(str(other)) == 0


@pytest.mark.parametrize("statements", [["PRAGMA journal_mode = WAL"], []])
def test_database_without_tables_is_not_foreign(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
    assert header.foreign(str(path)) == ""


@pytest.mark.parametrize("statements", [["PRAGMA application_id = 7"], ["CREATE TABLE theirs (x)"]])
def test_database_of_another_program_is_foreign(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
    assert header.foreign(str(path)) == header.foreign_message(str(path))


def test_spool_and_empty_file_are_not_foreign(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert header.foreign(str(spool)) == header.foreign(str(tmp_path / "empty.db")) == ""
