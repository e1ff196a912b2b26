import pytest

from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.sqlite import quarantine
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
def test_check_describes_what_is_wrong_with_a_record(data: object, wrong: str) -> None:
    assert quarantine.record_error(data) == wrong


def test_quarantined_record_keeps_its_bytes_and_is_reported(transaction: Transaction) -> None:
    quarantine.quarantine_record(transaction, "journal", 7, b"flipped", "the checksum does not match")
    found = transaction.database.execute("SELECT place, key, lane, reason, data FROM damaged").fetchall()
    assert found == [("journal", 7, "", "the checksum does not match", b"flipped")]
    (report,) = transaction.damages
    assert "record 7 of journal is corrupt" in report
    assert transaction.counters.spool.damaged == 1


@pytest.mark.fills("spool.sqlite.quarantine.QUARANTINED_MAX")
def test_damaged_rows_are_kept_up_to_a_bound(transaction: Transaction) -> None:
    transaction.database.executemany(
        "INSERT INTO damaged (place, key, lane, reason, data) VALUES ('log', ?, '', '', x'00')",
        [(number,) for number in range(quarantine.QUARANTINED_MAX + 1)],
    )
    transaction.counters.spool.damaged = quarantine.QUARANTINED_MAX
    quarantine.count_quarantined(transaction)
    assert transaction.counters.spool.damaged == quarantine.QUARANTINED_MAX
    kept = transaction.database.execute("SELECT min(key), count(*) FROM damaged").fetchone()
    assert kept == (
        1,
        quarantine.QUARANTINED_MAX,
    )
