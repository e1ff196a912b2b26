import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.spool.sqlite.admission import is_disk_error
from intercomd_daemon.spool.sqlite.corruption import (
    CHECKED_BYTES_MAX,
    SpoolCorrupt,
    check_tables,
    check_wal,
    is_corruption,
    preserve_unread_wal,
)
from intercomd_daemon.spool.sqlite.database import connect, open_database
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
    notes.write_text("not a database, but some notes\n" * 100)
    assert is_corruption(SpoolCorrupt("a row is not what was written"))
    assert is_corruption(error_of(notes, "SELECT * FROM sqlite_schema"))
    assert not is_corruption(error_of(tmp_path / "new.db", "SELECT * FROM nowhere"))
    assert not is_corruption(ValueError("a fault of ours"))


def test_sqlite_error_with_invalid_text_is_corruption() -> None:
    assert is_corruption(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))


def test_failing_statement_at_the_opening_counts_as_corruption(tmp_path: Path) -> None:
    assert is_corruption(error_of(tmp_path / "new.db", "SELECT * FROM nowhere"), opening=True)


def put(files: Files, folder: Path, *, flipped: int | None = None) -> Path:
    log = bytearray(files[LOG])
    if flipped is not None:
        log[flipped] ^= 1
    return corruption.put({**files, LOG: bytes(log)}, folder)


def checked(path: Path) -> None:
    with closing(connect(str(path))) as database:
        check_wal(database, str(path))


def test_log_that_sqlite_reads_to_its_end_is_sound(specimen: Specimen, tmp_path: Path) -> None:
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


def test_torn_last_commit_is_ignored_and_not_damage(specimen: Specimen, tmp_path: Path) -> None:
    """It was not acknowledged: SQLite drops it, too."""
    path = put(specimen.left_open, tmp_path, flipped=len(specimen.left_open[LOG]) - 5)
    checked(path)
    assert not Path(f"{path}-wal.damaged").exists()


def test_log_beside_an_empty_file_is_kept(specimen: Specimen, tmp_path: Path) -> None:
    path = put({**specimen.left_open, NAME: b""}, tmp_path)
    preserve_unread_wal(str(path))
    assert Path(f"{path}-wal.damaged").read_bytes() == specimen.left_open[LOG]


@pytest.mark.parametrize("table", ["counters", "connections", "log", "parked", "lanes", "progress", "dead_letters"])
@pytest.mark.fills("spool.sqlite.corruption.CHECKED_BYTES_MAX")
def test_corrupt_table_is_found(specimen: Specimen, tmp_path: Path, table: str) -> None:
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


def raised_by(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - for the caller
        return error
    return None


@pytest.mark.parametrize("after", range(20))
@pytest.mark.parametrize("times", [2, 3, 4, 7, 1_000_000])
def test_failing_reads_are_a_disk_error_and_not_damage(tmp_path: Path, after: int, times: int) -> None:
    """However long they fail: for one check, for both, or for good. The rows have pages of their own."""
    path = tmp_path / "spool.db"
    with closing(open_database(str(path), 0.0)) as database:
        for key in range(3):
            database.execute("INSERT INTO log VALUES (?, 'c:ann', 'a', 0.0, zeroblob(20000), 0)", (key,))
    disk = Disk(tmp_path)
    with below_sqlite(disk), closing(connect(str(path))) as database:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        disk.fail(Fault(Kind.READ, after=after, times=times))
        error = raised_by(lambda: check_tables(database, 0))
        assert error is None or is_disk_error(error)
        assert disk.failed


@pytest.mark.parametrize("after", range(0, 40, 3))
def test_failed_read_is_not_damage(specimen: Specimen, tmp_path: Path, after: int) -> None:
    path = corruption.put(specimen.closed, tmp_path)
    disk = Disk(path.parent)
    with below_sqlite(disk), closing(connect(str(path))) as database:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        disk.fail(Fault(Kind.READ, after=after, times=1))
        check_tables(database, 0)
        assert disk.failed
