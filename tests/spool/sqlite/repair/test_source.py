import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite.repair.source import SourceFile
from intercomd_daemon.spool.sqlite.repair.tables import COUNTED, DEAD_LETTERS, JOURNAL, LOG, PARKED, TABLES
from spool.corruption import PAGE, Specimen


def page_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]


def overwrite(path: Path, page: int, content: bytes = bytes(PAGE)) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(content)


def test_readable_tables_are_returned_row_by_row(spool: Path, specimen: Specimen) -> None:
    with SourceFile(str(spool)) as source:
        waiting = [row for table in (LOG, PARKED) for row, wrong in source.rows(table) if not wrong]
        letters = [row[0] for row, wrong in source.rows(DEAD_LETTERS) if not wrong]
        assert source.names() == {1: "eu", 2: "us"}
        assert source.integrity_errors() == []
        assert (source.broken, source.needs_page_scan) == ({}, False)
    assert {row[0] for row in waiting} == set(specimen.filled.rows)
    assert set(letters) == specimen.filled.letters


def test_rows_of_an_unreadable_table_are_found_in_their_pages(spool: Path, specimen: Specimen) -> None:
    overwrite(spool, page_of(spool, "log"))
    with SourceFile(str(spool)) as source:
        assert list(source.rows(LOG)) == []
        assert "malformed" in source.broken["log"]
        assert source.needs_page_scan
        rows = {row[0]: row for row in (row for table, row in source.scan_pages() if table in {LOG, PARKED})}
    assert set(specimen.filled.rows) <= set(rows)
    assert all(rows[key][-2] == sent.data for key, sent in specimen.filled.rows.items())


def test_table_with_a_differing_definition_is_broken(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as database:
        database.execute("ALTER TABLE journal ADD COLUMN more")
    with SourceFile(str(spool)) as source:
        assert list(source.broken) == ["journal"]
        assert source.needs_page_scan


@pytest.mark.parametrize("content", [b"", b"no database", bytes(PAGE * 3)])
def test_source_of_a_file_that_is_not_a_database_is_empty_and_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.db"
    path.write_bytes(content)
    with SourceFile(str(path)) as source:
        assert [list(source.rows(table)) for table in TABLES] == [[]] * len(TABLES)
        assert {"log", "counters"} <= set(source.broken)
        assert source.needs_page_scan
        assert list(source.scan_pages()) == []
        assert list(source.quarantined()) == []


def test_counters_are_found_in_their_pages_with_their_types(spool: Path) -> None:
    with SourceFile(str(spool)) as source:
        sound = [(table, row) for table in COUNTED for row, _ in source.rows(table)]
        paged = [(table, tuple(row)) for table, row in source.scan_pages() if table in COUNTED]
    assert sorted(paged, key=repr) == sorted(sound, key=repr)


def test_freed_page_is_not_searched(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM journal")
        database.commit()
    with SourceFile(str(spool)) as source:
        assert [row for table, row in source.scan_pages() if table is JOURNAL] == []


def test_quarantined_records_are_listed_as_far_as_they_are_readable(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as database:
        database.execute("INSERT INTO damaged VALUES (1, 'log', 7, 'c:ann', 'flipped', x'00')")
        database.execute("INSERT INTO damaged VALUES (2, x'ff', 'seven', x'07', 'flipped', x'00')")
        database.commit()
    with SourceFile(str(spool)) as source:
        assert list(source.quarantined()) == [
            ("log", 7, "c:ann", "quarantined: flipped"),
            ("?", 0, "?", "quarantined: flipped"),
        ]
