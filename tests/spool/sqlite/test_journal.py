from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.rows import Completion, OutcomeFilter
from intercomd_daemon.spool.sqlite import journal
from intercomd_daemon.spool.sqlite.transaction import Transaction

Add = Callable[..., list[Outcome]]

ANYTHING = OutcomeFilter()


@pytest.fixture
def add(transaction: Transaction, ended: Callable[..., Completion]) -> Add:
    """Enters outcomes with the given sequences."""

    def enter(sequences: Sequence[int], **changes: object) -> list[Outcome]:
        outcome = ended(1, connection="eu").outcome
        outcomes = [replace(outcome, sequence=sequence, **changes) for sequence in sequences]
        journal.add(transaction, outcomes)
        transaction.counters.spool.sequence = max(sequences)
        return outcomes

    return enter


def sequences_of(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.sequence for outcome in outcomes]


def test_search_continues_chunk_by_chunk_to_the_end(transaction: Transaction, add: Add) -> None:
    last = 2 * journal.CHUNK + 50
    add([1, 2, journal.CHUNK + 1, last])
    found = journal.read_after(transaction, ANYTHING, 0, 10)
    assert (sequences_of(found.entries), found.next) == ([1, 2], journal.CHUNK)
    found = journal.read_after(transaction, ANYTHING, found.next, 10)
    assert (sequences_of(found.entries), found.next) == ([journal.CHUNK + 1], 2 * journal.CHUNK)
    found = journal.read_after(transaction, ANYTHING, found.next, 10)
    assert (sequences_of(found.entries), found.next) == ([last], 0)
    found = journal.read_before(transaction, ANYTHING, 0, 10)
    assert (sequences_of(found.entries), found.next) == ([last], last + 1 - journal.CHUNK)
    found = journal.read_before(transaction, ANYTHING, found.next, 10)
    assert (sequences_of(found.entries), found.next) == ([journal.CHUNK + 1], last + 1 - 2 * journal.CHUNK)
    found = journal.read_before(transaction, ANYTHING, found.next, 10)
    assert (sequences_of(found.entries), found.next) == ([2, 1], 0)


def test_next_page_starts_after_the_last_outcome(transaction: Transaction, add: Add) -> None:
    add(range(1, 6))
    found = journal.read_after(transaction, ANYTHING, 1, 2)
    assert (sequences_of(found.entries), found.next) == ([2, 3], 3)
    found = journal.read_before(transaction, ANYTHING, 5, 2)
    assert (sequences_of(found.entries), found.next) == ([4, 3], 3)


def test_corrupt_outcome_is_quarantined_and_hides_no_other(transaction: Transaction, add: Add) -> None:
    add(range(1, 5))
    transaction.database.execute("UPDATE journal SET data = x'00' WHERE sequence IN (2, 3)")
    first = journal.read_after(transaction, ANYTHING, 0, 2)
    second = journal.read_after(transaction, ANYTHING, first.next, 2)
    assert sequences_of([*first.entries, *second.entries]) == [1, 4]
    assert transaction.database.execute("SELECT place, key FROM damaged").fetchall() == [("journal", 2), ("journal", 3)]
    assert len(transaction.damages) == 2
    assert transaction.counters.spool.outcomes == 2


def test_only_matching_outcomes_are_decoded(transaction: Transaction, add: Add) -> None:
    uuid = "0197a8e0-0000-7000-8000-000000000001"
    add([1], envelope_id=uuid)
    add([2], envelope_id="x", type=OutcomeType.UNCHANGED, email="ann@example.com")
    for wanted, sequence in (
        (OutcomeFilter(envelope_id=uuid), 1),
        (OutcomeFilter(email="ann@example.com"), 2),
        (OutcomeFilter(types=(OutcomeType.UNCHANGED, OutcomeType.SKIPPED)), 2),
    ):
        assert sequences_of(journal.read_after(transaction, wanted, 0, 10).entries) == [sequence]


@pytest.mark.fills("spool.sqlite.journal.TRIMMED_PER_COMMIT")
def test_oldest_outcomes_are_trimmed_a_few_at_a_time(transaction: Transaction, add: Add) -> None:
    add(range(1, journal.TRIMMED_PER_COMMIT + 101))
    journal.trim(transaction, 50)
    assert journal.oldest(transaction) == journal.TRIMMED_PER_COMMIT + 1
    journal.trim(transaction, 50)
    assert journal.oldest(transaction) == journal.TRIMMED_PER_COMMIT + 51
    assert transaction.counters.spool.outcomes == 50
    journal.trim(transaction, 50)
    assert transaction.counters.spool.outcomes == 50


@pytest.mark.parametrize("first_kept", [1, 2, 100, journal.TRIMMED_PER_COMMIT + 60, journal.TRIMMED_PER_COMMIT + 101])
def test_expired_outcomes_are_deleted_a_few_at_a_time(transaction: Transaction, add: Add, first_kept: int) -> None:
    last = journal.TRIMMED_PER_COMMIT + 100
    add(range(1, first_kept), end_time=100.0) if first_kept > 1 else None
    add(range(first_kept, last + 1), end_time=200.0) if first_kept <= last else None
    transaction.outcomes_from = 150.0
    left = last - first_kept + 1
    assert journal.oldest(transaction) == first_kept
    if first_kept > journal.TRIMMED_PER_COMMIT:
        assert journal.expire(transaction) == 100.0
        assert transaction.counters.spool.outcomes == 100
    assert journal.expire(transaction) == (200.0 if left else 0.0)
    assert transaction.counters.spool.outcomes == left
    assert journal.oldest(transaction) == first_kept


def test_expiry_is_requested_only_if_the_oldest_outcome_has_expired(transaction: Transaction, add: Add) -> None:
    transaction.outcomes_from = 150.0
    assert not journal.request_expiry(transaction)
    add([1], end_time=100.0)
    add([2], end_time=200.0)
    assert journal.request_expiry(transaction)
    assert transaction.trims
    journal.expire(transaction)
    assert not journal.request_expiry(transaction)
    assert not transaction.trims


def test_corrupt_outcomes_do_not_keep_others_from_expiring(transaction: Transaction, add: Add) -> None:
    add(range(1, 9), end_time=100.0)
    add(range(9, 12), end_time=200.0)
    transaction.database.execute("UPDATE journal SET data = x'00' WHERE sequence IN (1, 6, 11)")
    transaction.outcomes_from = 150.0
    assert journal.oldest(transaction) == 9
    assert journal.expire(transaction) == 200.0
    assert sequences_of(journal.read_after(transaction, ANYTHING, 0, 10).entries) == [9, 10]


def test_deletion_counts_only_existing_letters(transaction: Transaction, add: Add) -> None:
    add([1, 2, 3])
    journal.remove(transaction, [2, 9])
    assert transaction.counters.spool.outcomes == 2
    assert sequences_of(journal.read_after(transaction, ANYTHING, 0, 10).entries) == [1, 3]
