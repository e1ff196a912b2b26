import pytest

from intercomd_daemon.spool.sqlite.transaction import Transaction, placeholders


@pytest.fixture
def things(transaction: Transaction) -> Transaction:
    """A transaction with a table of numbers and texts."""
    transaction.database.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, name TEXT)")
    return transaction


def inserting(rows: int) -> str:
    return f"INSERT INTO things VALUES {placeholders(2, rows)}"  # noqa: S608 - placeholders


def ignoring(rows: int) -> str:
    return f"INSERT OR IGNORE INTO things VALUES {placeholders(2, rows)}"  # noqa: S608 - placeholders


def test_transactions_do_not_share_their_grown_logs(transaction: Transaction) -> None:
    other = Transaction(transaction.database, transaction.counters.copy(), 0.0, 0.0)
    assert transaction.grown == other.grown == set()
    assert transaction.grown is not other.grown


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 127, 200])
def test_insert_inserts_all_rows(things: Transaction, count: int) -> None:
    rows = [(number, f"thing {number}") for number in range(count)]
    assert things.insert(inserting, rows) == count
    assert things.database.execute("SELECT * FROM things ORDER BY number").fetchall() == rows


def test_insert_counts_only_rows_that_the_statement_inserts(things: Transaction) -> None:
    rows = [(number % 5, "first" if number < 5 else "again") for number in range(13)]
    assert things.insert(ignoring, rows) == 5
    assert {name for (name,) in things.database.execute("SELECT name FROM things")} == {"first"}


def test_insert_needs_few_statements_for_a_thousand_rows(things: Transaction) -> None:
    statements: list[str] = []
    things.database.set_trace_callback(statements.append)
    things.insert(inserting, [(number, "") for number in range(1_000)])
    things.database.set_trace_callback(None)
    assert len(statements) < 25
