import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.quota import DEAD_LETTER_BYTES, Quota
from intercomd_daemon.spool.sqlite.admission import FREE_SPACE_SECONDS, REPORT_SECONDS, Admission, is_disk_error
from intercomd_daemon.spool.sqlite.transaction import Transaction

MORE_THAN_ANY_DISK_HAS = 1 << 62


def admission_of(path: Path, free_bytes_min: int = 0) -> Admission:
    return Admission(str(path / "spool.db"), Quota(1_000, ("eu",)), free_bytes_min)


def disk_error() -> sqlite3.Error:
    """What SQLite itself raises when a database may not grow."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE t (x)")
    database.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as raised:
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.close()
    return raised.value


def test_append_beyond_the_quota_is_refused(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path)
    admission.admit(transaction.counters, {"eu": 1_000}, 1)
    transaction.counters.connection("eu").bytes = 600
    with pytest.raises(SpoolFull, match="quota") as refused:
        admission.admit(transaction.counters, {"eu": 401}, 1)
    assert refused.value.retry_seconds == 5.0
    assert "quota" in admission.reason


def test_reason_ends_when_the_refused_append_would_fit(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path)
    transaction.counters.connection("eu").bytes = 600
    with pytest.raises(SpoolFull):
        admission.admit(transaction.counters, {"eu": 401}, 1)
    admission.committed(transaction.counters, grown=False)
    assert admission.reason
    transaction.counters.connection("eu").bytes = 599
    admission.committed(transaction.counters, grown=False)
    assert admission.reason == ""


def test_too_little_free_space_refuses_appends_with_the_reason(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path, MORE_THAN_ANY_DISK_HAS)
    with pytest.raises(SpoolFull, match="free_bytes_min"):
        admission.admit(transaction.counters, {"eu": 1}, 1)
    admission.committed(transaction.counters, grown=False)
    assert "free_bytes_min" in admission.reason


def test_free_space_is_read_again_after_an_interval(tmp_path: Path, transaction: Transaction) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    admission = admission_of(folder)
    admission.begin(5.0)
    admission.admit(transaction.counters, {"eu": 1}, 1)
    folder.rmdir()
    admission.begin(5.0 + FREE_SPACE_SECONDS / 2)
    admission.admit(transaction.counters, {"eu": 1}, 1)
    admission.begin(5.0 + 2 * FREE_SPACE_SECONDS)
    with pytest.raises(SpoolFull):
        admission.admit(transaction.counters, {"eu": 1}, 1)
    folder.mkdir()
    admission.begin(5.0 + 2 * FREE_SPACE_SECONDS)
    admission.admit(transaction.counters, {"eu": 1}, 1)


def test_missing_folder_refuses_appends(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path / "gone")
    with pytest.raises(SpoolFull, match="No such file"):
        admission.admit(transaction.counters, {"eu": 1}, 1)


def test_disk_error_stays_the_reason_until_an_append_succeeds(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path)
    assert "database or disk is full" in str(admission.append_failed(disk_error()))
    admission.committed(transaction.counters, grown=False)
    assert admission.reason == "the disk refuses: database or disk is full"
    admission.committed(transaction.counters, grown=True)
    assert admission.reason == ""


def test_waiting_delivery_is_a_reason_until_the_disk_works(tmp_path: Path, transaction: Transaction) -> None:
    admission = admission_of(tmp_path)
    assert "database or disk is full" in str(admission.delivery_failed(disk_error()))
    assert admission.reason == "the disk refuses: database or disk is full"
    admission.disk_works()
    assert admission.reason == ""
    admission.delivery_failed(disk_error())
    admission.committed(transaction.counters, grown=False)
    assert admission.reason == ""


def test_refused_append_stays_the_reason_when_deliveries_resume(tmp_path: Path) -> None:
    admission = admission_of(tmp_path)
    admission.delivery_failed(disk_error())
    admission.append_failed(disk_error())
    admission.disk_works()
    assert admission.reason == "the disk refuses: database or disk is full"


def test_admission_reports_refusing_and_accepting_but_not_each_change(tmp_path: Path) -> None:
    reports: list[str] = []
    admission = Admission(str(tmp_path / "spool.db"), Quota(1_000, ("eu",)), 0, reports.append)
    for moment in range(20):
        admission.begin(5.0 + moment / 100)
        admission.delivery_failed(disk_error())
        admission.report_change()
        admission.disk_works()
        admission.report_change()
    assert reports == ["the disk refuses: database or disk is full", ""]
    admission.delivery_failed(disk_error())
    admission.report_change()
    assert len(reports) == 2
    admission.begin(5.0 + REPORT_SECONDS)
    assert len(reports) == 3


def test_disk_errors_are_distinguished_from_others() -> None:
    assert is_disk_error(disk_error())
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(sqlite3.OperationalError) as raised:
        database.execute("nonsense")
    assert not is_disk_error(raised.value)
    assert not is_disk_error(OSError(28, "No space left on device"))
    assert not is_disk_error(sqlite3.ProgrammingError("of the module, without a code"))


def test_answers_have_room_until_the_reserve_for_waiting_rows_is_needed(
    tmp_path: Path, transaction: Transaction
) -> None:
    admission = admission_of(tmp_path)
    admission.begin(5.0)
    assert admission.has_room(transaction.counters, 65_536)
    disk = os.statvfs(tmp_path)
    transaction.counters.connection("eu").normal = disk.f_blocks * disk.f_frsize // DEAD_LETTER_BYTES
    assert not admission.has_room(transaction.counters, 65_536)
    assert admission.reason == "", "appends are not refused by that"
    with pytest.raises(SpoolFull, match="settling and checkpoints need"):
        admission.admit(transaction.counters, {"eu": 1}, 1)


def test_answers_that_had_room_count_until_the_free_space_is_read_again(
    tmp_path: Path, transaction: Transaction
) -> None:
    admission = admission_of(tmp_path)
    admission.begin(5.0)
    disk = os.statvfs(tmp_path)
    size = disk.f_bavail * disk.f_frsize // 8
    assert admission.has_room(transaction.counters, size)
    assert not admission.has_room(transaction.counters, 2 * size)


def replace(file: Path) -> None:
    copy = file.with_suffix(".copy")
    shutil.copy(file, copy)
    copy.rename(file)


@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal"])
@pytest.mark.parametrize("move", [Path.unlink, lambda file: file.rename(file.with_suffix(".old")), replace])
def test_open_file_that_is_moved_refuses_appends(
    tmp_path: Path, transaction: Transaction, name: str, move: Callable[[Path], object]
) -> None:
    for each in ("spool.db", "spool.db-wal"):
        (tmp_path / each).touch()
    admission = admission_of(tmp_path)
    admission.opened()
    admission.begin(5.0)
    admission.admit(transaction.counters, {"eu": 1}, 1)
    move(tmp_path / name)
    admission.begin(5.0 + 2 * FREE_SPACE_SECONDS)
    with pytest.raises(SpoolFull, match=f"{name} was removed, renamed or replaced .*restart the daemon"):
        admission.admit(transaction.counters, {"eu": 1}, 1)
    admission.committed(transaction.counters, grown=False)
    assert "was removed, renamed or replaced" in admission.reason, "a commit of the deliverer changes nothing"
    (tmp_path / name).touch()
    admission.opened()
    admission.begin(6.0)
    admission.admit(transaction.counters, {"eu": 1}, 1)


def test_file_that_is_put_back_accepts_appends_again(tmp_path: Path, transaction: Transaction) -> None:
    file, aside = tmp_path / "spool.db", tmp_path / "aside"
    file.touch()
    admission = admission_of(tmp_path)
    admission.opened()
    file.rename(aside)
    admission.begin(5.0)
    with pytest.raises(SpoolFull, match="put it back"):
        admission.admit(transaction.counters, {"eu": 1}, 1)
    aside.rename(file)
    admission.begin(5.0 + 2 * FREE_SPACE_SECONDS)
    admission.admit(transaction.counters, {"eu": 1}, 1)


def test_answers_have_room_in_a_file_that_was_moved(tmp_path: Path, transaction: Transaction) -> None:
    """It may be put back, and its dead letters without Intercom's responses could not be explained then."""
    file = tmp_path / "spool.db"
    file.touch()
    admission, full = admission_of(tmp_path), admission_of(tmp_path, MORE_THAN_ANY_DISK_HAS)
    for each in (admission, full):
        each.opened()
    file.rename(tmp_path / "aside")
    admission.begin(5.0)
    with pytest.raises(SpoolFull, match="was removed, renamed or replaced"):
        admission.admit(transaction.counters, {"eu": 1}, 1)
    assert admission.has_room(transaction.counters, 1_000)
    full.begin(5.0)
    assert not full.has_room(transaction.counters, 1_000)
    with pytest.raises(SpoolFull, match="was removed, renamed or replaced"):
        full.admit(transaction.counters, {"eu": 1}, 1)


def test_log_that_is_created_after_the_opening_is_known_from_then_on(tmp_path: Path, transaction: Transaction) -> None:
    (tmp_path / "spool.db").touch()
    admission = admission_of(tmp_path)
    admission.opened()
    log = tmp_path / "spool.db-wal"
    log.touch()
    admission.begin(5.0)
    admission.admit(transaction.counters, {"eu": 1}, 1)
    log.unlink()
    admission.begin(5.0 + 2 * FREE_SPACE_SECONDS)
    with pytest.raises(SpoolFull, match=r"spool\.db-wal was removed"):
        admission.admit(transaction.counters, {"eu": 1}, 1)
