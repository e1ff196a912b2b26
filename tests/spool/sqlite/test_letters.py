from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool import ending
from intercomd_daemon.spool.base import DeadLetterFilter, Ended
from intercomd_daemon.spool.sqlite import letters
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction

Bury = Callable[..., None]

EVERYTHING = DeadLetterFilter()


@pytest.fixture
def bury(transaction: Transaction, ended: Callable[..., Ended]) -> Bury:
    """Buries a letter of the given id, whose origin is that from 1,000 down unless another is given."""

    def make(name: int, origin: int = 0) -> None:
        end = ended(1, str(name), connection="eu", reason="BAD")
        buried = replace(end.buried, origin=origin or 1_000 - name)
        outcome = ending.concluded(end, name)
        letters.bury(transaction, ending.letter_of(1, outcome, buried, "no"), Priority.NORMAL)
        transaction.ledger.counters.sequence = name

    return make


def test_a_search_goes_on_chunk_by_chunk_to_the_end(transaction: Transaction, bury: Bury) -> None:
    for name in range(1, letters.CHUNK + 3):
        bury(name)
    wanted = DeadLetterFilter(dead_letter_ids=(5, letters.CHUNK + 2))
    found = letters.listed(transaction, wanted, 0, 10)
    assert ([letter.dead_letter_id for letter in found.letters], found.on) == ([5], letters.CHUNK)
    found = letters.listed(transaction, wanted, found.on, 10)
    assert ([letter.dead_letter_id for letter in found.letters], found.on) == ([letters.CHUNK + 2], 0)
    found = letters.listed(transaction, EVERYTHING, 0, 2)
    assert ([letter.dead_letter_id for letter in found.letters], found.on) == ([1, 2], 2)


def test_replays_follow_the_first_acceptance_not_the_burial(transaction: Transaction, bury: Bury) -> None:
    for name in (1, 2, 3):
        bury(name)
    assert letters.replay(transaction, EVERYTHING, 3).done == 3
    replayed = transaction.database.execute("SELECT envelope_id FROM log ORDER BY key").fetchall()
    assert replayed == [("3",), ("2",), ("1",)]
    account = transaction.ledger.account("eu")
    assert (account.dead_letters, account.normal) == (0, 3)


@pytest.mark.parametrize("operation", [letters.replay, letters.discard])
@pytest.mark.fills("spool.sqlite.letters.TAKEN_PER_COMMIT")
def test_a_large_operation_goes_bite_by_bite_and_takes_none_that_is_buried_meanwhile(
    transaction: Transaction, bury: Bury, operation: Callable[..., letters.Bite]
) -> None:
    many = letters.TAKEN_PER_COMMIT + 2
    for name in range(1, many + 1):
        bury(name)
    first = operation(transaction, EVERYTHING, many)
    assert first.done == letters.TAKEN_PER_COMMIT
    later = transaction.ledger.counters.sequence + 1
    bury(later, origin=2_000)  # As of a replay that is refused again, behind all that is still to be taken.
    assert first.on
    second = operation(transaction, EVERYTHING, many, first.on)
    assert (second.done, second.on) == (2, None)
    assert [letter.dead_letter_id for letter in letters.listed(transaction, EVERYTHING, 0, 10).letters] == [later]


def test_finding_the_next_letters_sorts_nothing(transaction: Transaction, bury: Bury) -> None:
    """They are read in the order of an index, so that a bite costs the same however many letters there are."""
    bury(1)
    plans: list[str] = []
    transaction.database.set_trace_callback(plans.append)
    letters.discard(transaction, DeadLetterFilter(reason="BAD"), 1)
    transaction.database.set_trace_callback(None)
    (reading,) = [statement for statement in plans if "ORDER BY origin" in statement]
    steps = [row[3] for row in transaction.database.execute(f"EXPLAIN QUERY PLAN {reading}")]
    assert len(steps) == 1
    assert "dead_letters_by_origin" in steps[0]


def test_a_rotten_letter_that_is_met_in_a_list_is_set_aside_with_its_bytes_and_told(
    transaction: Transaction, bury: Bury
) -> None:
    bury(1)
    bury(2)
    transaction.database.execute("UPDATE dead_letters SET data = x'0102' WHERE id = 1")
    assert [letter.dead_letter_id for letter in letters.listed(transaction, EVERYTHING, 0, 10).letters] == [2]
    assert letters.count(transaction, EVERYTHING) == transaction.ledger.account("eu").dead_letters == 1
    assert transaction.database.execute("SELECT place, key, data FROM damaged").fetchall() == [
        ("dead_letters", 1, b"\x01\x02")
    ]
    assert transaction.damages == [
        "record 1 of dead_letters is damaged and stands aside with its bytes: 2 bytes are too few for a record"
    ]


@pytest.mark.parametrize("rot", ["priority = 3", "priority = 2", "connection = 2", "connection = 77"])
def test_a_letter_of_which_nobody_knows_any_more_whose_it_is_is_not_replayed(
    transaction: Transaction, bury: Bury, rot: str
) -> None:
    bury(1)
    transaction.database.execute(f"UPDATE dead_letters SET {rot}")  # noqa: S608 - listed above
    with pytest.raises(Malformed, match="dead letter 1 is not what was written"):
        letters.replay(transaction, EVERYTHING, 1)


@pytest.mark.parametrize("operation", [letters.replay, letters.discard])
def test_a_rotten_letter_is_set_aside_instead(
    transaction: Transaction, bury: Bury, operation: Callable[[Transaction, DeadLetterFilter, int], letters.Bite]
) -> None:
    bury(1)
    bury(2)
    transaction.database.execute("UPDATE dead_letters SET data = data || x'00' WHERE id = 1")
    assert letters.count(transaction, EVERYTHING) == 2
    assert operation(transaction, EVERYTHING, 2).done == 1
    assert transaction.database.execute("SELECT place, key FROM damaged").fetchall() == [("dead_letters", 1)]
    assert letters.count(transaction, EVERYTHING) == 0
    assert transaction.ledger.account("eu").dead_letters == 0
