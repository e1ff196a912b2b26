"""Settles what the deliverer decided: rows leave, outcomes and dead letters are stored, progress and contacts updated.

Settling is idempotent: a row that is gone has had its outcome, and settling it again makes no second one.
"""

from collections.abc import Callable, Sequence

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.keys import priority_of
from intercomd_daemon.spool.quota import RESERVED_EFFECTS
from intercomd_daemon.spool.rows import Completion, Settlement
from intercomd_daemon.spool.sqlite import contact_cache, dead_letters, journal
from intercomd_daemon.spool.sqlite.counters import Counters
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.waiting_rows import delete_rows, progress_checksum

HasRoom = Callable[[Counters, int], bool]
"""Returns whether the disk has room for that many bytes, and if so counts them."""


def settle(
    transaction: Transaction, settlements: Sequence[Settlement], has_room: HasRoom = lambda _, __: True
) -> list[Outcome]:
    """Commits the settlements; returns the new outcomes with their sequence.

    Intercom's response and the details of large outcomes are left out where `has_room` has none for them: settling must
    work on a disk that is almost full.
    """
    # Progress before completions: a settlement may hold progress of a row that another settlement completes, and the
    # completion deletes it.
    _write_progress(
        transaction,
        [
            (key, data if has_room(transaction.counters, len(data)) else completion.without_answer(data))
            for settlement in settlements
            for key, data in settlement.progress
        ],
    )
    completions = [each for settlement in settlements for each in settlement.completions]
    outcomes = _complete(transaction, completions, has_room)
    for settlement in settlements:
        if settlement.contacts:
            number = transaction.counters.connection(settlement.connection).number
            for entry in settlement.contacts:
                contact_cache.write(transaction, number, entry)
    return outcomes


def _write_progress(transaction: Transaction, progress: Sequence[tuple[int, bytes]]) -> None:
    if progress:
        transaction.database.executemany(
            "INSERT OR REPLACE INTO progress (key, data, seal) SELECT ?1, ?2, ?3"
            " WHERE EXISTS (SELECT 1 FROM log WHERE key = ?1) OR EXISTS (SELECT 1 FROM parked WHERE key = ?1)",
            [(key, data, progress_checksum(key, data)) for key, data in progress],
        )


def _complete(transaction: Transaction, completions: Sequence[Completion], has_room: HasRoom) -> list[Outcome]:
    if not completions:
        return []
    spool = transaction.counters.spool
    waited = delete_rows(transaction, [each.key for each in completions])
    outcomes: list[Outcome] = []
    stored: list[Outcome] = []
    for each in completions:
        if each.key not in waited:
            continue
        waited.remove(each.key)
        spool.sequence += 1
        outcome = completion.outcome_of(each, spool.sequence)
        outcomes.append(outcome)
        stored.append(_fitting(transaction, outcome, has_room))
        if each.dead_letter is not None:
            kept = each.answer_body and has_room(transaction.counters, len(each.answer_body))
            answer_body = each.answer_body if kept else ""
            letter = completion.dead_letter_of(each.key, stored[-1], each.dead_letter, answer_body)
            dead_letters.add(transaction, letter, priority_of(each.key))
    journal.add(transaction, stored)
    return outcomes


def _fitting(transaction: Transaction, outcome: Outcome, has_room: HasRoom) -> Outcome:
    """Returns the outcome as it is stored: shortened if it is large and the disk has no room for it."""
    if len(outcome.effects) <= RESERVED_EFFECTS and not outcome.adjustments:
        return outcome
    # It is stored twice: with the dead letter and in the journal.
    return outcome if has_room(transaction.counters, 2 * len(record.pack(outcome))) else completion.shortened(outcome)
