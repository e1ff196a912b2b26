import pytest

from intercomd_daemon.spool.sqlite.claimed_seconds import PAIRS_MAX, PAIRS_PER_TRIM, load, remember, unpack_pairs
from intercomd_daemon.spool.sqlite.transaction import Transaction


def test_pairs_come_back_in_order(transaction: Transaction) -> None:
    pairs = [(1, 2), ((1 << 64) - 1, 1 << 63), (0, 0)]
    remember(transaction, pairs[:2])
    remember(transaction, [])
    remember(transaction, pairs[2:])
    assert unpack_pairs(load(transaction.database)) == pairs


@pytest.mark.fills("spool.sqlite.claimed_seconds.PAIRS_MAX")
def test_only_the_newest_seconds_are_kept(transaction: Transaction) -> None:
    for start in range(0, PAIRS_MAX + 3_000, 1_000):
        remember(transaction, [(number, 7) for number in range(start, start + 1_000)])
    written = transaction.counters.spool.seconds
    pairs = unpack_pairs(load(transaction.database))
    assert len(pairs) == PAIRS_MAX
    assert pairs == [(number, 7) for number in range(written - PAIRS_MAX, written)]
    rows = transaction.database.execute("SELECT count(*) FROM seconds").fetchone()[0]
    assert PAIRS_MAX // 1_000 < rows <= (PAIRS_MAX + PAIRS_PER_TRIM) // 1_000 + 1


def test_values_of_a_changed_type_are_left_out(transaction: Transaction) -> None:
    remember(transaction, [(1, 2)])
    for place, changed in enumerate((7, "text", b"no whole pair", None), start=10):
        transaction.database.execute("INSERT INTO seconds (last, pairs) VALUES (?, coalesce(?, ''))", (place, changed))
    assert unpack_pairs(load(transaction.database)) == [(1, 2)]
