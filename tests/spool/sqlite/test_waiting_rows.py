from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import Incoming, OutcomeFilter, RowPage, Settlement
from intercomd_daemon.spool.sqlite import journal, log, waiting_rows
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.settle import settle
from intercomd_daemon.spool.sqlite.transaction import Transaction

Make = Callable[..., Incoming]


def append(transaction: Transaction, *incoming: Incoming) -> list[int]:
    return log.append(transaction, incoming, lambda _counters, _new, _rows: None)


def read(transaction: Transaction) -> RowPage:
    return log.read(transaction, "eu", Priority.NORMAL, 0, 100, 1 << 20)


@pytest.mark.parametrize("corruption", ["x'00' || data", "x''", "17", "'text'", "zeroblob(3)"])
def test_corrupt_record_is_quarantined_with_its_bytes(transaction: Transaction, row: Make, corruption: str) -> None:
    keys = append(transaction, row("1", connection="eu"), row("2", connection="eu"))
    transaction.database.execute(f"UPDATE log SET data = {corruption} WHERE key = ?", (keys[0],))  # noqa: S608 - listed above
    batch = read(transaction)
    assert [each.key for each in batch.rows] == [keys[1]]
    assert len(batch.corrupt) == 1
    assert batch.corrupt[0].startswith(f"row {keys[0]} of the log: ")
    kept = transaction.database.execute("SELECT place, key, lane FROM damaged").fetchall()
    assert kept == [("log", keys[0], "c:ann")]
    (outcome,) = batch.outcomes
    assert (outcome.envelope_id, outcome.customer_id, outcome.connection) == ("1", "ann", "eu")
    assert (outcome.type, outcome.reason, outcome.effects) == (OutcomeType.DEAD_LETTERED, "DAMAGED", ())
    assert journal.read_after(transaction, OutcomeFilter(), 0, 10).entries == [outcome]
    assert transaction.counters.connection("eu").normal == 1


def test_description_names_no_user(transaction: Transaction, row: Make) -> None:
    append(transaction, row("1", "ann@example.com", connection="eu", data=b"corrupt"))
    assert "ann" not in read(transaction).corrupt[0]


def test_corrupt_progress_is_deleted(transaction: Transaction, row: Make) -> None:
    keys = append(transaction, row("1", connection="eu"), row("2", connection="eu"))
    good = pack(row("progress"))
    settle(transaction, [Settlement("eu", progress=[(key, good) for key in keys])])
    transaction.database.execute("UPDATE progress SET data = substr(data, 2) WHERE key = ?", keys[:1])
    assert [each.progress for each in read(transaction).rows] == [b"", good]
    assert transaction.database.execute("SELECT key FROM progress").fetchall() == [(keys[1],)]


def test_progress_of_another_row_is_dropped(transaction: Transaction, row: Make) -> None:
    """What another row's calls came to would leave calls of this one out."""
    keys = append(transaction, row("1", connection="eu"), row("2", connection="eu"))
    settle(transaction, [Settlement("eu", progress=[(keys[0], pack(row("progress")))])])
    transaction.database.execute("UPDATE progress SET key = ?", keys[1:])
    assert [each.progress for each in read(transaction).rows] == [b"", b""]


@pytest.mark.parametrize(
    "corruption",
    [
        "lane = CAST(x'633aff' AS TEXT)",
        "lane = 'c:bob'",
        "lane = x'633a'",
        "envelope_id = 3",
        "accept_time = 1.5",
        "key = key + 1",
        "key = key + 4096",
        "key = key + (1 << 40)",
        "seal = seal + 1",
        "seal = x'00'",
    ],
)
def test_row_with_a_wrong_row_checksum_is_not_returned(transaction: Transaction, row: Make, corruption: str) -> None:
    append(transaction, row("1", connection="eu"))
    transaction.database.execute(f"UPDATE log SET {corruption}")  # noqa: S608 - listed above
    with pytest.raises(SpoolCorrupt, match="is not what was written"):
        read(transaction)


def test_rows_are_deleted_once_from_log_and_lanes(transaction: Transaction, row: Make) -> None:
    keys = append(transaction, row("1", connection="eu"), row("2", connection="eu", priority=Priority.BULK))
    assert waiting_rows.delete_rows(transaction, [*keys, 999]) == set(keys)
    assert waiting_rows.delete_rows(transaction, keys) == set()
    account = transaction.counters.connection("eu")
    assert (account.normal, account.bulk, account.bytes) == (0, 0, 0)
