import sqlite3
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.sqlite.gate import FREE_SECONDS, TOLD_SECONDS, Gate, is_of_the_disk
from intercomd_daemon.spool.sqlite.transaction import Transaction

MORE_THAN_ANY_DISK_HAS = 1 << 62


def gate_of(path: Path, free_bytes_min: int = 0) -> Gate:
    return Gate(str(path / "spool.db"), Quota(1_000, ("eu",)), free_bytes_min)


def disk_error() -> sqlite3.Error:
    """What SQLite itself raises when a database may not grow."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE t (x)")
    database.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as raised:
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.close()
    return raised.value


def test_the_quota_is_asked_with_what_is_counted(tmp_path: Path, transaction: Transaction) -> None:
    gate = gate_of(tmp_path)
    gate.admit(transaction.ledger, {"eu": 1_000})
    transaction.ledger.account("eu").bytes = 600
    with pytest.raises(SpoolFull, match="quota") as refused:
        gate.admit(transaction.ledger, {"eu": 401})
    assert refused.value.retry_seconds == 5.0
    assert "quota" in gate.reason


def test_the_reason_goes_when_what_was_refused_would_be_let_in(tmp_path: Path, transaction: Transaction) -> None:
    gate = gate_of(tmp_path)
    transaction.ledger.account("eu").bytes = 600
    with pytest.raises(SpoolFull):
        gate.admit(transaction.ledger, {"eu": 401})
    gate.committed(transaction.ledger, grown=False)
    assert gate.reason
    transaction.ledger.account("eu").bytes = 599
    gate.committed(transaction.ledger, grown=False)
    assert gate.reason == ""


def test_too_little_free_space_refuses_and_says_so(tmp_path: Path, transaction: Transaction) -> None:
    gate = gate_of(tmp_path, MORE_THAN_ANY_DISK_HAS)
    with pytest.raises(SpoolFull, match="free_bytes_min"):
        gate.admit(transaction.ledger, {"eu": 1})
    gate.committed(transaction.ledger, grown=False)
    assert "free_bytes_min" in gate.reason


def test_the_free_space_is_asked_for_again_a_little_later(tmp_path: Path, transaction: Transaction) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    gate = gate_of(folder)
    gate.begin(5.0)
    gate.admit(transaction.ledger, {"eu": 1})
    folder.rmdir()
    gate.begin(5.0 + FREE_SECONDS / 2)
    gate.admit(transaction.ledger, {"eu": 1})
    gate.begin(5.0 + 2 * FREE_SECONDS)
    with pytest.raises(SpoolFull):
        gate.admit(transaction.ledger, {"eu": 1})
    folder.mkdir()
    gate.begin(5.0 + 2 * FREE_SECONDS)
    gate.admit(transaction.ledger, {"eu": 1})


def test_a_folder_that_is_gone_refuses(tmp_path: Path, transaction: Transaction) -> None:
    gate = gate_of(tmp_path / "gone")
    with pytest.raises(SpoolFull, match="No such file"):
        gate.admit(transaction.ledger, {"eu": 1})


def test_an_error_of_the_disk_stays_the_reason_until_an_append_succeeds(
    tmp_path: Path, transaction: Transaction
) -> None:
    gate = gate_of(tmp_path)
    assert "database or disk is full" in str(gate.failed(disk_error()))
    gate.committed(transaction.ledger, grown=False)
    assert gate.reason == "the disk refuses: database or disk is full"
    gate.committed(transaction.ledger, grown=True)
    assert gate.reason == ""


def test_what_waits_for_the_disk_is_a_reason_until_the_disk_goes_on(tmp_path: Path, transaction: Transaction) -> None:
    gate = gate_of(tmp_path)
    assert "database or disk is full" in str(gate.stuck(disk_error()))
    assert gate.reason == "the disk refuses: database or disk is full"
    gate.went_on()
    assert gate.reason == ""
    gate.stuck(disk_error())
    gate.committed(transaction.ledger, grown=False)
    assert gate.reason == ""


def test_an_append_that_was_refused_is_a_reason_though_what_waited_goes_on(tmp_path: Path) -> None:
    gate = gate_of(tmp_path)
    gate.stuck(disk_error())
    gate.failed(disk_error())
    gate.went_on()
    assert gate.reason == "the disk refuses: database or disk is full"


def test_it_is_told_when_no_more_is_taken_and_when_more_is_and_not_at_each_change(tmp_path: Path) -> None:
    told: list[str] = []
    gate = Gate(str(tmp_path / "spool.db"), Quota(1_000, ("eu",)), 0, told.append)
    for moment in range(20):
        gate.begin(5.0 + moment / 100)
        gate.stuck(disk_error())
        gate.tell()
        gate.went_on()
        gate.tell()
    assert told == ["the disk refuses: database or disk is full", ""]
    gate.stuck(disk_error())
    gate.tell()
    assert len(told) == 2
    gate.begin(5.0 + TOLD_SECONDS)
    assert len(told) == 3


def test_errors_of_the_disk_are_told_from_others() -> None:
    assert is_of_the_disk(disk_error())
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect(":memory:").execute("nonsense")
    assert not is_of_the_disk(raised.value)
    assert not is_of_the_disk(OSError(28, "No space left on device"))
    assert not is_of_the_disk(sqlite3.ProgrammingError("of the module, without a code"))
