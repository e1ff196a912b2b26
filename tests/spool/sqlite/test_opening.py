import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.sqlite import SqliteSettings
from intercomd_daemon.spool.sqlite.counters import POSITION_LEAP, SEQUENCE_LEAP, Counters
from intercomd_daemon.spool.sqlite.opening import describe_lost_content, open_file, repair_and_open
from spool import corruption
from spool.corruption import PAGE, Specimen

NOON = 1_750_000_000.0


def opened(path: Path, *, left_open: bool = False) -> tuple[Counters, list[str]]:
    """The counters of a spool once it has been opened, and what was reports."""
    reports: list[str] = []
    settings = SqliteSettings(str(path), free_bytes_min=0, connections=("eu", "us"))
    made = open_file(settings, NOON, reports.append, left_open=left_open)
    made.database.close()
    return made.counters, reports


def waiting(counters: Counters) -> int:
    return sum(account.normal + account.bulk for account in counters.connections.values())


@pytest.fixture
def path(specimen: Specimen, tmp_path: Path) -> Path:
    return corruption.put(specimen.closed, tmp_path)


def corrupt(path: Path, table: str) -> bytes:
    """Overwrites the page on which a table rests; returns the file."""
    with closing(sqlite3.connect(path)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    content = path.read_bytes()
    path.write_bytes(content[: (page - 1) * PAGE] + bytes(PAGE) + content[page * PAGE :])
    return path.read_bytes()


def test_sound_spool_opens_without_a_report(path: Path, specimen: Specimen) -> None:
    counters, reports = opened(path)
    assert (waiting(counters), reports) == (len(specimen.filled.rows), [])


def test_new_spool_is_created_without_a_report(tmp_path: Path) -> None:
    counters, reports = opened(tmp_path / "spool.db")
    assert ({account.name for account in counters.connections.values()}, reports) == ({"eu", "us"}, [])


def test_damaged_spool_is_rebuilt_kept_and_reported(path: Path, specimen: Specimen) -> None:
    before = corrupt(path, "log")
    counters, (reports,) = opened(path)
    assert waiting(counters) == len(specimen.filled.rows)
    kept = f"{path}.damaged-20250615T150640Z"
    assert Path(kept).read_bytes() == before
    assert f"{path} was damaged (" in reports
    assert f"{len(specimen.filled.rows)} envelopes wait, 0 that waited are lost; for details run" in reports
    assert f"`intercomd spool verify {kept}`" in reports
    assert opened(path)[1] == []


def test_reports_of_damage_name_no_user(path: Path) -> None:
    corrupt(path, "log")
    (reports,) = opened(path)[1]
    assert "ann" not in reports


def test_interrupted_replacement_is_completed_before_the_opening(path: Path, specimen: Specimen) -> None:
    path.rename(f"{path}.rebuilt-20250615T150640Z")
    path.write_bytes(b"the damaged one")
    assert waiting(opened(path)[0]) == len(specimen.filled.rows)
    assert Path(f"{path}.damaged-20250615T150640Z").read_bytes() == b"the damaged one"


@pytest.mark.parametrize("left_open", [False, True])
def test_emptied_file_starts_with_unused_numbers(path: Path, left_open: bool) -> None:
    path.write_bytes(b"")
    counters, reports = opened(path, left_open=left_open)
    assert reports == [f"{path} is an empty file: what a daemon stored in it is lost"]
    assert (counters.spool.position, counters.spool.sequence) == (POSITION_LEAP, SEQUENCE_LEAP)
    assert opened(path)[1] == []


def test_missing_log_is_reported_and_numbers_are_skipped(path: Path, specimen: Specimen) -> None:
    assert describe_lost_content(str(path), left_open=False) == ""
    counters, (reports,) = opened(path, left_open=True)
    assert f"{path}-wal is missing" in reports
    assert "the envelopes that it accepted last may be lost" in reports
    assert waiting(counters) == len(specimen.filled.rows)
    assert POSITION_LEAP < counters.spool.position < 2 * POSITION_LEAP


def test_missing_file_and_log_start_a_new_spool(tmp_path: Path) -> None:
    assert describe_lost_content(str(tmp_path / "spool.db"), left_open=True) == ""


@pytest.mark.parametrize("size", [0, 1, 99, 100, 511, 512, 4095])
def test_truncated_new_file_is_restored_from_its_log(specimen: Specimen, tmp_path: Path, size: int) -> None:
    """Of less than a header SQLite would delete the log unread; with one it finds the rest there itself."""
    head = specimen.left_open[corruption.NAME][:size]
    path = corruption.put({**specimen.left_open, corruption.NAME: head}, tmp_path)
    counters, reports = opened(path, left_open=True)
    assert waiting(counters) == len(specimen.filled.rows)
    assert ["was damaged" in each for each in reports] == [True] * (size < 100)


def test_repair_without_room_keeps_the_spool_and_names_the_remedy(path: Path) -> None:
    before = corrupt(path, "log")
    Path(str(path) + ".rebuilding").mkdir()  # Prevents the repair, as a full disk would.
    with pytest.raises(SpoolUnusable, match=r"is damaged \(.*\) and could not be repaired: .*free space on the disk"):
        opened(path)
    assert path.read_bytes() == before


def test_file_damaged_right_after_its_repair_is_unusable(path: Path) -> None:
    """As by a program or a disk that corrupts it meanwhile: here, the callback does."""
    settings = SqliteSettings(str(path), free_bytes_min=0, connections=("eu", "us"))
    with pytest.raises(SpoolUnusable, match=r"is damaged again right after its repair: .*; check the disk"):
        repair_and_open(settings, "for a test", NOON, lambda _: corrupt(path, "log") and None)


def test_path_that_is_not_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(SpoolUnusable, match=r"cannot be used as a spool: .*; check the path and its permissions"):
        opened(path)
    assert list(path.iterdir()) == []
