from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool import completion
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter
from intercomd_daemon.spool.sqlite import dead_letters
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.transaction import Transaction

Add = Callable[..., None]

EVERYTHING = DeadLetterFilter()


@pytest.fixture
def add(transaction: Transaction, ended: Callable[..., Completion]) -> Add:
    """Buries a letter of the given id, whose origin is that from 1,000 down unless another is given."""

    def make(name: int, origin: int = 0) -> None:
        end = ended(1, str(name), connection="eu", reason="BAD")
        dead_letter = replace(end.dead_letter, origin=origin or 1_000 - name)
        outcome = completion.outcome_of(end, name)
        dead_letters.add(transaction, completion.dead_letter_of(1, outcome, dead_letter, "no"), Priority.NORMAL)
        transaction.counters.spool.sequence = name

    return make


def test_search_continues_chunk_by_chunk_to_the_end(transaction: Transaction, add: Add) -> None:
    for name in range(1, dead_letters.CHUNK + 3):
        add(name)
    wanted = DeadLetterFilter(dead_letter_ids=(5, dead_letters.CHUNK + 2))
    found = dead_letters.read_after(transaction, wanted, 0, 10)
    assert ([letter.dead_letter_id for letter in found.entries], found.next) == ([5], dead_letters.CHUNK)
    found = dead_letters.read_after(transaction, wanted, found.next, 10)
    assert ([letter.dead_letter_id for letter in found.entries], found.next) == ([dead_letters.CHUNK + 2], 0)
    found = dead_letters.read_after(transaction, EVERYTHING, 0, 2)
    assert ([letter.dead_letter_id for letter in found.entries], found.next) == ([1, 2], 2)


def test_replays_follow_the_order_of_first_acceptance(transaction: Transaction, add: Add) -> None:
    for name in (1, 2, 3):
        add(name)
    assert dead_letters.replay(transaction, EVERYTHING, 3).letters == 3
    replayed = transaction.database.execute("SELECT envelope_id FROM log ORDER BY key").fetchall()
    assert replayed == [("3",), ("2",), ("1",)]
    account = transaction.counters.connection("eu")
    assert (account.dead_letters, account.normal) == (0, 3)


@pytest.mark.parametrize("operation", [dead_letters.replay, dead_letters.discard])
@pytest.mark.fills("spool.sqlite.dead_letters.TAKEN_PER_COMMIT")
def test_large_operation_takes_chunks_and_leaves_out_later_letters(
    transaction: Transaction, add: Add, operation: Callable[..., dead_letters.Taken]
) -> None:
    many = dead_letters.TAKEN_PER_COMMIT + 2
    for name in range(1, many + 1):
        add(name)
    first = operation(transaction, EVERYTHING, many)
    assert first.letters == dead_letters.TAKEN_PER_COMMIT
    later = transaction.counters.spool.sequence + 1
    add(later, origin=2_000)  # As of a replay that is refused again, behind all that is still to be taken.
    assert first.next
    second = operation(transaction, EVERYTHING, many, first.next)
    assert (second.letters, second.next) == (2, None)
    assert [letter.dead_letter_id for letter in dead_letters.read_after(transaction, EVERYTHING, 0, 10).entries] == [
        later
    ]


def test_finding_the_next_letters_sorts_nothing(transaction: Transaction, add: Add) -> None:
    """They are read in the order of an index, so that a chunk costs the same however many letters there are."""
    add(1)
    plans: list[str] = []
    transaction.database.set_trace_callback(plans.append)
    dead_letters.discard(transaction, DeadLetterFilter(reason="BAD"), 1)
    transaction.database.set_trace_callback(None)
    (reading,) = [statement for statement in plans if "ORDER BY origin" in statement]
    steps = [row[3] for row in transaction.database.execute(f"EXPLAIN QUERY PLAN {reading}")]
    assert len(steps) == 1
    assert "dead_letters_by_origin" in steps[0]


def test_corrupt_letter_in_a_list_is_quarantined_and_reported(transaction: Transaction, add: Add) -> None:
    add(1)
    add(2)
    transaction.database.execute("UPDATE dead_letters SET data = x'0102' WHERE id = 1")
    assert [letter.dead_letter_id for letter in dead_letters.read_after(transaction, EVERYTHING, 0, 10).entries] == [2]
    assert dead_letters.count(transaction, EVERYTHING) == transaction.counters.connection("eu").dead_letters == 1
    assert transaction.database.execute("SELECT place, key, data FROM damaged").fetchall() == [
        ("dead_letters", 1, b"\x01\x02")
    ]
    assert transaction.damages == [
        "record 1 of dead_letters is corrupt and was quarantined with its bytes: 2 bytes are too few for a record"
    ]


@pytest.mark.parametrize("corruption", ["priority = 3", "priority = 2", "connection = 2", "connection = 77"])
def test_letter_with_a_wrong_row_checksum_is_not_replayed(transaction: Transaction, add: Add, corruption: str) -> None:
    add(1)
    transaction.database.execute(f"UPDATE dead_letters SET {corruption}")  # noqa: S608 - listed above
    with pytest.raises(SpoolCorrupt, match="dead letter 1 is not what was written"):
        dead_letters.replay(transaction, EVERYTHING, 1)


@pytest.mark.parametrize("operation", [dead_letters.replay, dead_letters.discard])
def test_corrupt_letter_is_quarantined_instead_of_taken(
    transaction: Transaction, add: Add, operation: Callable[[Transaction, DeadLetterFilter, int], dead_letters.Taken]
) -> None:
    add(1)
    add(2)
    transaction.database.execute("UPDATE dead_letters SET data = data || x'00' WHERE id = 1")
    assert dead_letters.count(transaction, EVERYTHING) == 2
    assert operation(transaction, EVERYTHING, 2).letters == 1
    assert transaction.database.execute("SELECT place, key FROM damaged").fetchall() == [("dead_letters", 1)]
    assert dead_letters.count(transaction, EVERYTHING) == 0
    assert transaction.counters.connection("eu").dead_letters == 0
