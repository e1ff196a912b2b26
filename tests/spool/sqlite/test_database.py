import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.database import CACHE_KIB, WAL_KEPT_BYTES, open_database, open_for_reading
from intercomd_daemon.spool.sqlite.file.header import APPLICATION_ID
from intercomd_daemon.spool.sqlite.schema import MAJOR, VERSION

NOON = 1_750_000_000.0


def version_set(path: Path, version: int) -> None:
    open_database(str(path), NOON).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")


def test_new_file_has_the_application_id_and_the_version(tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_new_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """It holds personal data, and so does the write-ahead log beside it."""
    path = tmp_path / "spool.db"
    database = open_database(str(path), 0.0)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    database.close()
    assert modes == {"spool.db": 0o600, "spool.db-wal": 0o600}


def test_commits_are_synced_through_a_write_ahead_log(tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("PRAGMA locking_mode").fetchone() == ("exclusive",)


def test_log_has_no_index_beside_its_key(tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        indexes = database.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'log'")
        assert indexes.fetchall() == []


@pytest.mark.parametrize("version", [VERSION, VERSION + 1, MAJOR * 1000 + 999])
def test_file_of_the_same_major_version_opens_and_keeps_its_version(tmp_path: Path, version: int) -> None:
    version_set(tmp_path / "spool.db", version)
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)


@pytest.mark.parametrize(
    ("version", "named"), [((MAJOR + 1) * 1000 + 2, "format 3.2"), (1_001, "format 1.1"), (1, "format 0.1")]
)
def test_file_of_another_major_version_is_refused_with_both_versions(tmp_path: Path, version: int, named: str) -> None:
    version_set(tmp_path / "spool.db", version)
    before = (tmp_path / "spool.db").read_bytes()
    for opened in (lambda path: open_database(path, NOON), open_for_reading):
        with pytest.raises(SpoolUnusable, match=rf"{named}, and this release reads 2\.x and 1\.0;"):
            opened(str(tmp_path / "spool.db"))
    assert (tmp_path / "spool.db").read_bytes() == before


def test_file_of_0_1_is_upgraded_by_opening_but_not_by_reading(tmp_path: Path) -> None:
    version_set(tmp_path / "spool.db", 1_000)
    with closing(sqlite3.connect(tmp_path / "spool.db")) as database:
        for table in ("workspaces", "refusals", "pacing", "forwarded", "states", "fingerprints"):
            database.execute(f"DROP TABLE {table}")
    with closing(open_for_reading(str(tmp_path / "spool.db"))) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1_000,)
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_file_that_is_not_a_database_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but some notes\n" * 100)
    before = path.read_bytes()
    with pytest.raises(SpoolUnusable, match="is another program's file"):
        open_database(str(path), NOON)
    assert path.read_bytes() == before


def test_database_of_another_program_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(SpoolUnusable, match="is another program's file"):
        open_database(str(path), NOON)
    assert path.read_bytes() == before


def test_path_that_cannot_be_opened_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match=r"missing/spool\.db cannot be used as a spool.*check the path"):
        open_database(str(tmp_path / "missing" / "spool.db"), NOON)


def test_empty_file_is_new(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    with closing(open_database(str(path), NOON)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_spool_with_differing_definitions_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with closing(open_database(str(path), NOON)) as database:
        database.execute("DROP INDEX lanes_by_due")
    with pytest.raises(SpoolCorrupt, match="not defined as they were created"):
        open_database(str(path), NOON)


def test_corrupt_header_is_found_before_sqlite_acts_on_it(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    open_database(str(path), NOON).close()
    content = bytearray(path.read_bytes())
    content[18] ^= 1  # "File format write version": as if the file had a rollback journal.
    path.write_bytes(content)
    with pytest.raises(SpoolCorrupt, match="header"):
        open_database(str(path), NOON)
    assert path.read_bytes() == content


def test_verify_does_not_create_a_missing_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    with pytest.raises(SpoolUnusable, match="is empty"):
        open_for_reading(str(path))
    assert path.read_bytes() == b""


def test_text_with_invalid_utf8_is_still_read(tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        assert database.execute("SELECT CAST(x'63ff64' AS TEXT)").fetchone() == ("c\ufffdd",)


@pytest.mark.fills("spool.sqlite.database.CACHE_KIB")
@pytest.mark.fills("spool.sqlite.database.WAL_KEPT_BYTES")
def test_log_of_a_long_transaction_shrinks_again(tmp_path: Path) -> None:
    wal = tmp_path / "spool.db-wal"
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        row = bytes(1 << 20)
        rows = (WAL_KEPT_BYTES >> 20) + 8
        database.execute("BEGIN")
        for number in range(rows):
            database.execute("INSERT INTO progress (key, data, seal) VALUES (?, ?, 0)", (number, row))
            # What the cache does not hold is in the file already, though nothing is committed.
            assert wal.stat().st_size >= (number << 20) - CACHE_KIB * 1024
        database.execute("COMMIT")
        assert wal.stat().st_size > WAL_KEPT_BYTES
        database.execute("DELETE FROM progress WHERE key = 0")
        assert wal.stat().st_size <= WAL_KEPT_BYTES


@pytest.mark.parametrize("opener", [lambda path: open_database(path, NOON), open_for_reading])
def test_file_in_use_by_another_program_names_that(tmp_path: Path, opener: Callable[[str], sqlite3.Connection]) -> None:
    path = tmp_path / "spool.db"
    open_database(str(path), NOON).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE t (x)")
        with pytest.raises(SpoolUnusable, match="is open in another program: database is locked; end that program"):
            opener(str(path))
