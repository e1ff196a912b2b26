import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.spool.sqlite.corruption import (
    CHECKED_BYTES_MAX,
    SpoolCorrupt,
    check_tables,
    check_wal,
    is_corruption,
    preserve_unread_wal,
)
from intercomd_daemon.spool.sqlite.database import connect
from spool import corruption
from spool.corruption import LOG, NAME, PAGE, Files, Specimen


def error_of(path: Path, statement: str) -> sqlite3.Error:
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.Error) as raised:
        database.execute(statement)
    database.close()
    return raised.value


def test_corruption_is_distinguished_from_errors_of_disk_and_program(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no database, but somebody's notes\n" * 100)
    assert is_corruption(SpoolCorrupt("a row is not what was written"))
    assert is_corruption(error_of(notes, "SELECT * FROM sqlite_schema"))
    assert not is_corruption(error_of(tmp_path / "new.db", "SELECT * FROM nowhere"))
    assert not is_corruption(ValueError("a fault of ours"))


def test_what_sqlite_quotes_of_a_file_may_be_no_text() -> None:
    assert is_corruption(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))


def test_at_the_opening_a_statement_that_does_not_fit_the_file_is_the_files_fault(tmp_path: Path) -> None:
    assert is_corruption(error_of(tmp_path / "new.db", "SELECT * FROM nowhere"), opening=True)


def put(files: Files, folder: Path, *, flipped: int | None = None) -> Path:
    log = bytearray(files[LOG])
    if flipped is not None:
        log[flipped] ^= 1
    return corruption.put({**files, LOG: bytes(log)}, folder)


def checked(path: Path) -> None:
    with closing(connect(str(path))) as database:
        check_wal(database, str(path))


def test_a_log_that_sqlite_reads_to_its_end_is_sound(specimen: Specimen, tmp_path: Path) -> None:
    checked(put(specimen.left_open, tmp_path))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_log_with_commits_behind_a_corrupt_frame_is_preserved(specimen: Specimen, tmp_path: Path, part: float) -> None:
    path = put(specimen.left_open, tmp_path, flipped=int(part * len(specimen.left_open[LOG])))
    before = Path(f"{path}-wal").read_bytes()
    with pytest.raises(SpoolCorrupt, match="write-ahead log"):
        checked(path)
    assert Path(f"{path}-wal.damaged").read_bytes() == before
    with pytest.raises(SpoolCorrupt):  # And so at every opening until the spool has been rebuilt.
        checked(path)


def test_a_last_commit_that_was_torn_is_none_and_no_damage(specimen: Specimen, tmp_path: Path) -> None:
    """It was not acknowledged: SQLite drops it, too."""
    path = put(specimen.left_open, tmp_path, flipped=len(specimen.left_open[LOG]) - 5)
    checked(path)
    assert not Path(f"{path}-wal.damaged").exists()


def test_a_log_beside_an_empty_file_is_kept(specimen: Specimen, tmp_path: Path) -> None:
    path = put({**specimen.left_open, NAME: b""}, tmp_path)
    preserve_unread_wal(str(path))
    assert Path(f"{path}-wal.damaged").read_bytes() == specimen.left_open[LOG]


@pytest.mark.parametrize("table", ["counters", "connections", "log", "parked", "lanes", "progress", "dead_letters"])
@pytest.mark.fills("spool.sqlite.corruption.CHECKED_BYTES_MAX")
def test_a_table_that_is_not_sound_is_found(specimen: Specimen, tmp_path: Path, table: str) -> None:
    path = corruption.put(specimen.closed, tmp_path)
    with closing(connect(str(path))) as database:
        check_tables(database, 0)
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    content = path.read_bytes()
    path.write_bytes(content[: (page - 1) * PAGE] + bytes(PAGE) + content[page * PAGE :])
    with closing(connect(str(path))) as database:
        with pytest.raises((SpoolCorrupt, sqlite3.DatabaseError)) as raised:
            check_tables(database, 0)
        assert is_corruption(raised.value)
        if table not in {"counters", "connections"}:
            check_tables(database, CHECKED_BYTES_MAX + 1)  # A large backlog is looked at where it is read.


@pytest.mark.parametrize("after", range(0, 40, 3))
def test_what_a_disk_fails_to_read_once_is_no_damage(specimen: Specimen, tmp_path: Path, after: int) -> None:
    path = corruption.put(specimen.closed, tmp_path)
    disk = Disk(path.parent)
    with below_sqlite(disk), closing(connect(str(path))) as database:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        disk.fail(Fault(Kind.READ, after=after, times=1))
        check_tables(database, 0)
        assert disk.failed
