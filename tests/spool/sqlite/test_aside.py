import pytest

from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.sqlite import aside
from intercomd_daemon.spool.sqlite.transaction import Transaction


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (pack(Progress()), ""),
        (pack(Progress())[:-1], "the checksum does not match"),
        (b"", "0 bytes are too few for a record"),
        ("text", "not bytes any more"),
        (None, "not bytes any more"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_in_words(data: object, wrong: str) -> None:
    assert aside.what_is_wrong(data) == wrong


def test_a_record_stands_aside_with_its_bytes_and_is_told(transaction: Transaction) -> None:
    aside.set_apart(transaction, "journal", 7, b"rot", "the checksum does not match")
    found = transaction.database.execute("SELECT place, key, lane, reason, data FROM damaged").fetchall()
    assert found == [("journal", 7, "", "the checksum does not match", b"rot")]
    (told,) = transaction.damages
    assert "record 7 of journal is damaged" in told
    assert transaction.ledger.counters.damaged == 1


@pytest.mark.fills("spool.sqlite.aside.DAMAGED_MAX")
def test_damaged_rows_are_kept_up_to_a_bound(transaction: Transaction) -> None:
    transaction.database.executemany(
        "INSERT INTO damaged (place, key, lane, reason, data) VALUES ('log', ?, '', '', x'00')",
        [(number,) for number in range(aside.DAMAGED_MAX + 1)],
    )
    transaction.ledger.counters.damaged = aside.DAMAGED_MAX
    aside.count_damaged(transaction)
    assert transaction.ledger.counters.damaged == aside.DAMAGED_MAX
    assert transaction.database.execute("SELECT min(key), count(*) FROM damaged").fetchone() == (1, aside.DAMAGED_MAX)
