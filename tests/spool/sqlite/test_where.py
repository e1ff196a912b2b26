"""Conditions of queries, on a table with one row for each case."""

import sqlite3
from collections.abc import Iterator

import pytest

from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.where import Where


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(":memory:") as opened:
        opened.execute("CREATE TABLE found (name TEXT, connection INTEGER, customer_id TEXT, email TEXT)")
        opened.executemany(
            "INSERT INTO found VALUES (?, ?, ?, ?)",
            [("ann in 1", 1, "ann", "a@x.org"), ("ann in 2", 2, "ann", ""), ("bob in 1", 1, "bob", "a@x.org")],
        )
        yield opened
    opened.close()


def names(database: sqlite3.Connection, where: Where) -> list[str]:
    statement = f"SELECT name FROM found WHERE 1{where} ORDER BY name"  # noqa: S608 - of this test
    return [row[0] for row in database.execute(statement, where.values)]


def test_condition_without_clauses_matches_all(database: sqlite3.Connection, transaction: Transaction) -> None:
    where = Where()
    where.equals("customer_id", "")
    where.equals_any({})
    where.connections(transaction.counters, "", None)
    assert (str(where), where.values) == ("", [])
    assert names(database, where) == ["ann in 1", "ann in 2", "bob in 1"]


def test_all_clauses_must_hold(database: sqlite3.Connection) -> None:
    where = Where()
    where.equals("customer_id", "ann")
    where.add("email <> ? AND connection < ?", "", 9)
    assert names(database, where) == ["ann in 1"]


def test_one_of_several_columns_suffices(database: sqlite3.Connection) -> None:
    where = Where()
    where.equals_any({"customer_id": "bob", "email": ""})
    assert names(database, where) == ["ann in 2", "bob in 1"]


@pytest.mark.parametrize(
    ("connection", "allowed", "expected"),
    [
        ("eu", None, ["ann in 1", "bob in 1"]),
        ("", ("us",), ["ann in 2"]),
        ("eu", ("us",), []),
        ("", (), []),
        ("unknown", None, []),
    ],
)
def test_connections_are_the_wanted_one_and_the_allowed_ones(
    database: sqlite3.Connection,
    transaction: Transaction,
    connection: str,
    allowed: tuple[str, ...] | None,
    expected: list[str],
) -> None:
    where = Where()
    where.connections(transaction.counters, connection, allowed)
    assert names(database, where) == expected
