import sqlite3
from collections.abc import Iterator

import pytest

from intercomd_daemon.spool.sqlite import bulk


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """A table of numbers and texts."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, name TEXT)")
    yield made
    made.close()


def inserting(rows: int) -> str:
    return f"INSERT INTO things VALUES {bulk.places(2, rows)}"  # noqa: S608 - places


def ignoring(rows: int) -> str:
    return f"INSERT OR IGNORE INTO things VALUES {bulk.places(2, rows)}"  # noqa: S608 - places


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 127, 200])
def test_all_rows_are_inserted_however_many(database: sqlite3.Connection, count: int) -> None:
    rows = [(number, f"thing {number}") for number in range(count)]
    assert bulk.insert(database, inserting, rows) == count
    assert database.execute("SELECT * FROM things ORDER BY number").fetchall() == rows


def test_rows_that_the_statement_leaves_out_are_not_counted(database: sqlite3.Connection) -> None:
    rows = [(number % 5, "first" if number < 5 else "again") for number in range(13)]
    assert bulk.insert(database, ignoring, rows) == 5
    assert {name for (name,) in database.execute("SELECT name FROM things")} == {"first"}


def test_a_thousand_rows_take_few_statements(database: sqlite3.Connection) -> None:
    statements: list[str] = []
    database.set_trace_callback(statements.append)
    bulk.insert(database, inserting, [(number, "") for number in range(1_000)])
    assert len(statements) < 25
