import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.maintenance import FILE
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.repair.verify import verify
from spool import corruption
from spool.corruption import PAGE, Specimen

Corrupt = Callable[..., None]


def test_verify_finds_no_damage_in_a_sound_spool_and_counts_it(spool: Path, specimen: Specimen) -> None:
    findings = verify(str(spool))
    filled = specimen.filled
    assert (findings.damages, findings.count) == ([], 0)
    assert findings.contents == (len(filled.rows), 0, len(filled.letters), len(filled.outcomes))


def test_verify_changes_nothing(spool: Path, specimen: Specimen) -> None:
    verify(str(spool))
    assert spool.read_bytes() == specimen.closed[spool.name]


def test_source_of_a_killed_spool_includes_its_log(specimen: Specimen, tmp_path: Path) -> None:
    findings = verify(str(corruption.put(specimen.left_open, tmp_path)))
    assert (findings.count, findings.contents.waiting) == (0, len(specimen.filled.rows))


CASES = [
    (
        "log",
        "UPDATE log SET data = zeroblob(9) WHERE key = (SELECT max(key) FROM log)",
        "record version 0 is not 2 or 1",
    ),
    ("log", "UPDATE log SET lane = 'c:eve' WHERE key = (SELECT max(key) FROM log)", "the row checksum does not match"),
    ("parked", "UPDATE parked SET data = x'' WHERE key = (SELECT max(key) FROM parked)", "0 bytes are too few"),
    ("parked", "DELETE FROM lanes WHERE lane = (SELECT lane FROM lanes LIMIT 1)", "not among the parked ones"),
    ("progress", "UPDATE progress SET seal = 1 WHERE key = (SELECT max(key) FROM progress)", "the row checksum"),
    ("journal", "UPDATE journal SET type = 6 WHERE sequence = 1", "the columns are not the record's"),
    (
        "dead_letters",
        "UPDATE dead_letters SET connection = 9 WHERE id = (SELECT max(id) FROM dead_letters)",
        "row checksum",
    ),
    ("contacts", "UPDATE contacts SET contact_id = 'x' WHERE number = 1", ""),
    (
        "identities",
        "UPDATE identities SET seal = 1 WHERE connection = 1 AND lane = 'c:ann'",
        "the row checksum does not match",
    ),
    ("seconds", "INSERT INTO seconds VALUES (1, x'0102')", "not pairs of numbers"),
    ("counters", "UPDATE counters SET position = 1", "the row checksum does not match"),
    ("connections", "UPDATE connections SET paused = 1 WHERE number = 1", "the row checksum does not match"),
    ("connections", "DELETE FROM log WHERE key = (SELECT max(key) FROM log)", "wait by the counters, but"),
    ("damaged", "INSERT INTO damaged VALUES (1, 'damaged', 7, 'c:ann', 'flipped', x'00')", "quarantined: flipped"),
]


@pytest.mark.parametrize(("table", "statement", "reason"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES])
def test_damage_is_listed_with_table_and_reason(
    spool: Path, corrupt: Corrupt, table: str, statement: str, reason: str
) -> None:
    corrupt(statement)
    findings = verify(str(spool))
    assert table in {damage.table for damage in findings.damages}
    assert any(reason in damage.reason for damage in findings.damages if damage.table == table)
    assert findings.count == len(findings.damages)


def test_damaged_and_missing_rows_count_as_lost(spool: Path, corrupt: Corrupt, specimen: Specimen) -> None:
    corrupt("UPDATE log SET data = x'00' WHERE key = (SELECT max(key) FROM log)")
    corrupt("DELETE FROM log WHERE key = (SELECT min(key) FROM log)")
    contents = verify(str(spool)).contents
    assert (contents.waiting, contents.lost) == (len(specimen.filled.rows) - 2, 2)


def test_verify_reports_an_unreadable_page_for_file_and_table(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'journal'").fetchone()[0]
    content = spool.read_bytes()
    spool.write_bytes(content[: (page - 1) * PAGE] + bytes(PAGE) + content[page * PAGE :])
    findings = verify(str(spool))
    assert any(damage.table == FILE for damage in findings.damages)
    assert ("journal", 0, "", "not readable to its end: database disk image is malformed") in findings.damages
    assert findings.contents.outcomes == 0


def test_log_that_sqlite_would_not_read_to_its_end_is_damage_and_preserved(specimen: Specimen, tmp_path: Path) -> None:
    log = bytearray(specimen.left_open[corruption.LOG])
    log[len(log) // 2] ^= 1
    path = corruption.put({**specimen.left_open, corruption.LOG: bytes(log)}, tmp_path)
    for _ in range(2):
        findings = verify(str(path))
        assert any("write-ahead log" in damage.reason for damage in findings.damages)
        assert Path(f"{path}-wal.damaged").read_bytes() == log


def test_verify_preserves_the_log_of_a_file_with_a_corrupt_header(specimen: Specimen, tmp_path: Path) -> None:
    corrupted = bytearray(specimen.closed[corruption.NAME])
    corrupted[16] ^= 1
    path = corruption.put({**specimen.left_open, corruption.NAME: bytes(corrupted)}, tmp_path)
    assert verify(str(path)).count
    assert Path(f"{path}-wal.damaged").read_bytes() == specimen.left_open[corruption.LOG]


def test_spool_of_another_major_version_is_refused_and_unchanged(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as database:
        database.execute(f"PRAGMA user_version = {(schema.MAJOR + 1) * 1000}")
    before = spool.read_bytes()
    with pytest.raises(SpoolUnusable, match=r"has the format 3\.0, and this release reads 2\.x and 1\.0"):
        verify(str(spool))
    assert spool.read_bytes() == before
