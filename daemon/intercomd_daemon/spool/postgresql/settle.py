"""Commits settlements: one statement for all of them, under the fences of the session and of the lease."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.keys import connection_of, priority_of
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.function_call import function_call
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rows import Completion, Settlement, position_of


class Holder(NamedTuple):
    """The fence of a statement: of the session and of a lease; without a workspace, of the session alone."""

    incarnation: str
    session: int
    workspace: str = ""
    epoch: int = 0

    def arguments(self) -> dict[str, object]:
        """Returns the fence as arguments of the functions in `schema.sql`."""
        return {
            "the_incarnation": self.incarnation,
            "the_session": self.session,
            "the_workspace": self.workspace,
            "the_epoch": self.epoch,
        }


async def settle(
    connection: asyncpg.Connection, holder: Holder, counters: Counters, settlements: Sequence[Settlement], now: float
) -> list[Outcome]:
    """Commits the settlements; returns the new outcomes with their sequence."""
    progress = [each for settlement in settlements for each in settlement.progress]
    completions = [each for settlement in settlements for each in settlement.completions]
    contacts = [(counters.number(each.connection), entry) for each in settlements for entry in each.contacts]
    letters = [_letter(each) for each in completions]
    statement, values = function_call(
        "settle_1",
        **holder.arguments(),
        progress_keys=[key for key, _ in progress],
        progress_data=[data for _, data in progress],
        row_keys=[each.key for each in completions],
        row_connections=[counters.number(each.outcome.connection) for each in completions],
        row_ids=[each.outcome.envelope_id.encode() for each in completions],
        row_customers=[each.outcome.customer_id.encode() for each in completions],
        row_emails=[each.outcome.email.encode() for each in completions],
        row_types=[int(each.outcome.type) for each in completions],
        row_ends=[each.outcome.end_time for each in completions],
        row_data=[record.pack(replace(each.outcome, sequence=0)) for each in completions],
        letter_data=letters,
        letter_reasons=[each.outcome.reason for each in completions],
        letter_origins=[
            each.dead_letter.origin or position_of(each.key) if each.dead_letter else 0 for each in completions
        ],
        letter_accept_times=[each.outcome.accept_time for each in completions],
        c_connections=[number for number, _ in contacts],
        c_lanes=[entry.lane.encode() for _, entry in contacts],
        c_contacts=[entry.contact_id.encode() for _, entry in contacts],
        c_data=[entry.data for _, entry in contacts],
    )
    outcomes: list[Outcome] = []
    for row in await connection.fetch(statement, *values):
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
