import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.keys import CONNECTIONS_MAX
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.counters import POSITION_LEAP, SEQUENCE_LEAP, open_counters, store_counters
from intercomd_daemon.spool.sqlite.transaction import Transaction


def test_stored_counters_are_loaded(transaction: Transaction) -> None:
    counters = transaction.counters.copy()
    counters.spool.position = 77
    counters.connection("us").count(Priority.BULK, 3, 1_000)
    counters.connection("new").paused = 1
    store_counters(transaction.database, counters, transaction.counters)
    transaction.database.execute("COMMIT")
    loaded = open_counters(transaction.database, ())
    assert not loaded.differs(counters)
    assert loaded.used() == {"eu": 0, "us": 1_000, "new": 0}


@pytest.mark.parametrize(
    "corruption",
    [
        "UPDATE counters SET position = position + 1",
        "UPDATE counters SET turned_at = 'x'",
        "DELETE FROM counters",
        "UPDATE connections SET bytes = 1 << 40 WHERE number = 1",
        "UPDATE connections SET name = 'et' WHERE number = 1",
    ],
)
def test_corrupt_counters_are_refused(transaction: Transaction, corruption: str) -> None:
    transaction.database.execute(corruption)
    transaction.database.execute("COMMIT")
    with pytest.raises(SpoolCorrupt):
        open_counters(transaction.database, ())


def test_copy_changes_independently(transaction: Transaction) -> None:
    copy = transaction.counters.copy()
    assert not copy.differs(transaction.counters)
    copy.connection("eu").count(Priority.NORMAL, 1, 10)
    copy.connection("new")
    assert transaction.counters.connection("eu").normal == 0
    assert transaction.counters.number("new") == 0
    assert copy.differs(transaction.counters)


def test_connections_keep_their_number_for_ever(transaction: Transaction) -> None:
    transaction.database.execute("COMMIT")
    counters = open_counters(transaction.database, ("asia", "us", "eu"))
    assert [counters.number(name) for name in ("eu", "us", "asia")] == [1, 2, 3]


def test_spool_has_a_limit_of_connections(transaction: Transaction) -> None:
    for number in range(3, CONNECTIONS_MAX + 1):
        assert transaction.counters.connection(f"c{number}").number == number
    with pytest.raises(SpoolUnusable, match="no room for one-too-many"):
        transaction.counters.connection("one-too-many")


def test_columns_that_a_later_minor_version_added_are_left_alone(transaction: Transaction) -> None:
    transaction.database.execute("ALTER TABLE counters ADD COLUMN later INTEGER NOT NULL DEFAULT 5")
    transaction.database.execute("ALTER TABLE connections ADD COLUMN later INTEGER NOT NULL DEFAULT 6")
    transaction.database.execute("UPDATE connections SET later = 7")
    counters = transaction.counters.copy()
    counters.spool.sequence = 1
    counters.connection("eu").bytes = 1
    store_counters(transaction.database, counters, transaction.counters)
    assert transaction.database.execute("SELECT later FROM counters").fetchall() == [(5,)]
    assert transaction.database.execute("SELECT later FROM connections").fetchall() == [(7,), (7,)]
    transaction.database.execute("COMMIT")
    assert not open_counters(transaction.database, ()).differs(counters)


def test_numbers_are_skipped_where_some_may_be_lost(transaction: Transaction) -> None:
    transaction.database.execute("COMMIT")
    before = open_counters(transaction.database, ()).spool
    after = open_counters(transaction.database, (), leap=True).spool
    assert after.position - before.position == POSITION_LEAP
    assert after.sequence - before.sequence == SEQUENCE_LEAP
    assert open_counters(transaction.database, ()).spool == after
