import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.repair import tables
from intercomd_daemon.spool.sqlite.repair.tables import TABLES, Table, TableRow

Corrupt = Callable[..., None]
BY_NAME = {table.name: table for table in TABLES}


def rows(path: Path, table: Table) -> list[TableRow]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}").fetchall()  # noqa: S608 - ours


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_of_a_sound_spool_are_those_written(spool: Path, table: Table) -> None:
    found = rows(spool, table)
    if table is not tables.SECONDS:
        assert found
    assert [table.error(row) for row in found if table.error(row)] == []


def test_columns_are_in_table_order_after_the_row_number() -> None:
    """As a page holds them: without the row number, and floats possibly as integers."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.create(database, 0.0)
        for table in TABLES:
            described = database.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table.name,)).fetchall()
            assert tuple(name for name, _, _ in described) == table.columns
            assert [pk for _, _, pk in described] == [1] + [0] * (len(described) - 1)
            assert tuple(place for place, (_, kind, _) in enumerate(described) if kind == "REAL") == table.reals
            assert table.lane == (table.columns.index("lane") if "lane" in table.columns else -1)


CORRUPTED = [
    *[("log", f"{column} = {value}") for column, value in [("lane", "'c:eve'"), ("accept_time", "7.0"), ("data", "1")]],
    ("log", "key = key + (1 << 20)"),
    ("log", "envelope_id = x'00'"),
    ("log", "data = CAST(data || x'00' AS BLOB)"),
    ("log", "seal = NULL"),
    ("parked", "connection = 3 - connection"),
    ("parked", "lane = 'c:eve'"),
    ("parked", "data = zeroblob(30)"),
    ("progress", "key = key + 1"),
    ("progress", "data = CAST(data || x'00' AS BLOB)"),
    ("progress", "seal = 1"),
    ("journal", "sequence = sequence + 1000"),
    ("journal", "envelope_id = 'other'"),
    ("journal", "customer_id = 'eve'"),
    ("journal", "email = 'eve@example.com'"),
    ("journal", "type = 3"),
    ("journal", "data = 'text'"),
    ("dead_letters", "id = id + 1000"),
    ("dead_letters", "connection = 3 - connection"),
    ("dead_letters", "priority = 3 - priority"),
    ("dead_letters", "origin = origin + 1"),
    ("dead_letters", "reason = 'OTHER'"),
    ("dead_letters", "accept_time = 7.0"),
    ("dead_letters", "customer_id = 'eve'"),
    ("dead_letters", "data = CAST(data || x'00' AS BLOB)"),
    ("contacts", "contact_id = contact_id || 'x'"),
    ("contacts", "connection = 3 - connection"),
    ("contacts", "data = CAST(data || x'00' AS BLOB)"),
    ("contacts", "seal = 'text'"),
    ("counters", "position = position + 1"),
    ("counters", "turned_at = 0.0"),
    ("connections", "name = name || 'x'"),
    ("connections", "paused = 1"),
]


@pytest.mark.parametrize(("name", "change"), CORRUPTED, ids=[f"{name}: {change}" for name, change in CORRUPTED])
def test_no_column_can_change_unnoticed(spool: Path, corrupt: Corrupt, name: str, change: str) -> None:
    table = BY_NAME[name]
    before = rows(spool, table)
    key = before[-1][0]
    with closing(sqlite3.connect(spool)) as database:  # Without what makes SQLite itself refuse such a row.
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
        database.commit()
    corrupt(f"UPDATE {name} SET {change} WHERE {table.columns[0]} = ?", key)  # noqa: S608 - listed above
    changed = [row for row in rows(spool, table) if row not in before]
    assert [bool(table.error(row)) for row in changed] == [True]


def test_damage_names_key_and_lane_as_far_as_they_are_readable() -> None:
    assert tables.LOG.damage((7, "c:ann"), "x") == ("log", 7, "c:ann", "x")
    assert tables.LOG.damage((7, b"\xff"), "x") == ("log", 7, "", "x")
    assert tables.JOURNAL.damage((None, "c:ann"), "x") == ("journal", 0, "", "x")


def test_record_of_a_later_release_is_sound_but_not_decoded() -> None:
    later = record.pack(Outcome("a", "eu", "ann", "", 1, "", 0.0, 0.0, (), (), 0))
    assert tables.decode(later, DeadLetter) is None
    assert isinstance(tables.decode(later, Outcome), Outcome)
    assert tables.letter_error((1, 1, 1, 0, "", "", "", "", 0.0, later, tables.row_checksum(1, 1, 1))) == ""
    strange = record.pack(DeadLetter(1, *[None] * 3))
    assert tables.outcome_error((1, 1, "a", "ann", "", 1, strange)) == ""


@pytest.mark.parametrize("table", [tables.LOG, tables.PARKED], ids=lambda table: table.name)
def test_corrupt_row_identifies_its_envelope_if_the_row_checksum_matches(
    spool: Path, corrupt: Corrupt, table: Table
) -> None:
    corrupt(f"UPDATE {table.name} SET data = x'00' WHERE key = (SELECT max(key) FROM {table.name})")  # noqa: S608 - ours
    row = rows(spool, table)[-1]
    found = table.identify(row)
    assert found is not None
    assert (found.key, found.lane) == (row[0], row[table.lane])
    assert found.error == "1 bytes are too few for a record"
    assert table.identify((*row[:-1], 0)) is None
    assert tables.JOURNAL.identify(row) is None
