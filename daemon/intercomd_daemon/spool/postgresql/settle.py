"""Commits settlements: one statement for all of them, under the fences of the session and of the lease."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rows import Completion, Settlement, position_of

_SETTLE = (
    "SELECT place, sequence, bytes FROM settle_1"
    "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22)"
)


class Holder(NamedTuple):
    """The fence of a statement: of the session and of a lease; without a workspace, of the session alone."""

    incarnation: str
    session: int
    workspace: str = ""
    epoch: int = 0


async def settle(
    connection: asyncpg.Connection, holder: Holder, counters: Counters, settlements: Sequence[Settlement], now: float
) -> list[Outcome]:
    """Commits the settlements; returns the new outcomes with their sequence."""
    progress = [each for settlement in settlements for each in settlement.progress]
    completions = [each for settlement in settlements for each in settlement.completions]
    contacts = [(counters.number(each.connection), entry) for each in settlements for entry in each.contacts]
    letters = [_letter(each) for each in completions]
    rows = await connection.fetch(
        _SETTLE,
        *holder,
        [key for key, _ in progress],
        [data for _, data in progress],
        [each.key for each in completions],
        [counters.number(each.outcome.connection) for each in completions],
        [each.outcome.envelope_id.encode() for each in completions],
        [each.outcome.customer_id.encode() for each in completions],
        [each.outcome.email.encode() for each in completions],
        [int(each.outcome.type) for each in completions],
        [each.outcome.end_time for each in completions],
        [record.pack(replace(each.outcome, sequence=0)) for each in completions],
        letters,
        [each.outcome.reason for each in completions],
        [each.dead_letter.origin or position_of(each.key) if each.dead_letter else 0 for each in completions],
        [each.outcome.accept_time for each in completions],
        [number for number, _ in contacts],
        [entry.lane.encode() for _, entry in contacts],
        [entry.contact_id.encode() for _, entry in contacts],
        [entry.data for _, entry in contacts],
    )
    outcomes: list[Outcome] = []
    for row in rows:
        ended, letter = completions[row["place"] - 1], letters[row["place"] - 1]
        outcomes.append(completion.outcome_of(ended, row["sequence"]))
        number = connection_of(ended.key)
        counters.count(number, priority_of(ended.key), -1, -row["bytes"], now)
        if letter is not None:
            usage = counters.of(number)
            usage.dead_letters += 1
            usage.bytes += row_bytes(letter)
    return outcomes


def _letter(ended: Completion) -> bytes | None:
    """Returns the record of a completion's dead letter; its sequence is that of the row."""
    if ended.dead_letter is None:
        return None
    outcome = replace(ended.outcome, sequence=0)
    return record.pack(completion.dead_letter_of(ended.key, outcome, ended.dead_letter, ended.answer_body))
