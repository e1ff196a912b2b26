import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool, schema
from intercomd_daemon.spool.sqlite.counters import open_counters
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.file.wal import COUNTERS_CHECKSUM, COUNTERS_PAGE, COUNTERS_REALS

NOON = 1_750_000_000.0
ADDED = (
    ("CREATE TABLE companies (number INTEGER PRIMARY KEY)", "ALTER TABLE log ADD COLUMN company INTEGER"),
    ("ALTER TABLE counters ADD COLUMN companies INTEGER DEFAULT 0",),
)
"""What two later minor versions might add."""


def memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def tables(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_new_spool_has_the_newest_version_and_definitions() -> None:
    with closing(memory()) as database:
        schema.create(database, NOON, ADDED)
        assert schema.version_of(database) == schema.MAJOR * 1000 + 2
        assert schema.differing_definitions(database, ADDED) == set()
        assert schema.differing_definitions(database, ADDED[:1]) == set(), "a newer minor version is not compared"


def test_first_counters_have_a_checksum_on_the_page_that_logs_rely_on(tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "spool.db"), NOON)) as database:
        counters = open_counters(database, ()).spool
        assert (counters.commits, counters.generation, counters.turned_at) == (1, 2, NOON)
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'counters'").fetchone()
        columns = database.execute("SELECT name, type FROM pragma_table_info('counters')").fetchall()
    assert page == (COUNTERS_PAGE,)
    assert columns[COUNTERS_CHECKSUM] == ("seal", "INTEGER")
    assert tuple(place for place, (_, kind) in enumerate(columns) if kind == "REAL") == COUNTERS_REALS


def test_older_file_is_upgraded_once() -> None:
    with closing(memory()) as database:
        schema.create(database, NOON, ADDED[:1])
        for _ in range(2):
            schema.upgrade(database, ADDED)
            assert schema.version_of(database) == schema.MAJOR * 1000 + 2
            assert schema.differing_definitions(database, ADDED) == set()


def test_failed_upgrade_changes_nothing() -> None:
    with closing(memory()) as database:
        schema.create(database, NOON)
        before = tables(database)
        with pytest.raises(sqlite3.OperationalError):
            schema.upgrade(database, (*ADDED, ("no statement",)))
        database.execute("ROLLBACK")
        assert (tables(database), schema.version_of(database)) == (before, schema.VERSION)


def test_differing_definitions_are_named() -> None:
    with closing(memory()) as database:
        schema.create(database, NOON)
        database.execute("DROP INDEX lanes_by_due")
        database.execute("ALTER TABLE progress ADD COLUMN more")
        assert schema.differing_definitions(database) == {"lanes_by_due", "progress"}


async def test_neighbouring_minor_versions_use_one_file_in_turn(tmp_path: Path, row: Callable[..., Incoming]) -> None:
    """What the successor adds is kept by its predecessor, which reads and writes on as if nothing were there."""
    path = str(tmp_path / "spool.db")

    async def use(name: str) -> list[int]:
        reports: list[str] = []
        settings = SqliteSettings(path, free_bytes_min=0, lock_wait_seconds=0.0, connections=("default",))
        spool = await open_spool(settings, on_damage=reports.append)
        await spool.append([row(name)])
        batch = await spool.read("default", Priority.NORMAL, 0, 100, 1 << 20)
        await spool.close()
        assert reports == []
        return [each.key for each in batch.rows]

    def upgraded() -> None:
        with closing(open_database(path, NOON, ADDED)) as database:
            assert schema.version_of(database) == schema.MAJOR * 1000 + 2
            database.execute("INSERT OR IGNORE INTO companies VALUES (7)")
            database.execute("UPDATE log SET company = 7 WHERE company IS NULL AND key IN (SELECT min(key) FROM log)")

    first = await use("written by the one")
    await asyncio.to_thread(upgraded)
    second = await use("written by the one on the other's file")
    await asyncio.to_thread(upgraded)
    third = await use("and once more")
    assert (third[:2], third[:1], len(third)) == (second, first, 3)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT company FROM log ORDER BY key").fetchall() == [(7,), (None,), (None,)]
        assert database.execute("SELECT number FROM companies").fetchall() == [(7,)]
