"""Settling: what judged calls change, each settlement whole: rows go, outcomes and dead letters come, the book learns.

A row that is gone has had its outcome: settling it again makes no second one.
"""

from collections.abc import Sequence

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import ending
from intercomd_daemon.spool.base import Ended, Settlement
from intercomd_daemon.spool.keys import priority_of
from intercomd_daemon.spool.sqlite import book, journal, letters
from intercomd_daemon.spool.sqlite.rows import seal_of_progress, take_out
from intercomd_daemon.spool.sqlite.transaction import Transaction


def settle(transaction: Transaction, settlements: Sequence[Settlement]) -> list[Outcome]:
    """Commits the settlements; returns the outcomes that are new, with their sequence."""
    _write_progress(transaction, [pair for settlement in settlements for pair in settlement.progress])
    outcomes = _end(transaction, [ended for settlement in settlements for ended in settlement.ended])
    for settlement in settlements:
        if settlement.book:
            number = transaction.ledger.account(settlement.connection).number
            for entry in settlement.book:
                book.write(transaction, number, entry)
    return outcomes


def _write_progress(transaction: Transaction, progress: Sequence[tuple[int, bytes]]) -> None:
    if progress:
        transaction.database.executemany(
            "INSERT OR REPLACE INTO progress (key, data, seal) SELECT ?1, ?2, ?3"
            " WHERE EXISTS (SELECT 1 FROM log WHERE key = ?1) OR EXISTS (SELECT 1 FROM parked WHERE key = ?1)",
            [(key, data, seal_of_progress(key, data)) for key, data in progress],
        )


def _end(transaction: Transaction, ended: Sequence[Ended]) -> list[Outcome]:
    if not ended:
        return []
    counters = transaction.ledger.counters
    waiting = take_out(transaction, [each.key for each in ended])
    outcomes: list[Outcome] = []
    for each in ended:
        if each.key not in waiting:
            continue
        waiting.remove(each.key)
        counters.sequence += 1
        outcome = ending.concluded(each, counters.sequence)
        outcomes.append(outcome)
        if each.buried is not None:
            letter = ending.letter_of(each.key, outcome, each.buried, each.answer_body)
            letters.bury(transaction, letter, priority_of(each.key))
    journal.add(transaction, outcomes)
    return outcomes
