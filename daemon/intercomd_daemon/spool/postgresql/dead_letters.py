"""Replays and discards dead letters, page by page."""

from typing import NamedTuple

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.keys import priority_of
from intercomd_daemon.spool.postgresql.archive import Where, letter_of
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.postgresql.function_call import function_call
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES, row_bytes

TAKEN_PER_COMMIT = 500


class Stored(NamedTuple):
    """A letter as the table has it."""

    letter: DeadLetter
    priority: Priority
    bytes: int


async def count_and_newest(connection: asyncpg.Connection, where: Where) -> tuple[int, int]:
    """Returns the number of matching letters, and the highest id: letters that arrive later are left out."""
    statement = f"SELECT count(*), coalesce(max(id), 0) FROM dead_letters WHERE {where}"  # noqa: S608 - our own clauses
    (row,) = await connection.fetch(statement, *where.values)
    return row[0], row[1]


async def read_page(connection: asyncpg.Connection, where: Where, after: tuple[int, int], newest: int) -> list[Stored]:
    """Returns the next letters behind an (origin, id), up to the id `newest`."""
    first = len(where.values) + 1
    rows = await connection.fetch(
        f"SELECT id, data, bulk FROM dead_letters WHERE {where} AND (origin, id) > (${first}, ${first + 1})"  # noqa: S608
        f" AND id <= ${first + 2} ORDER BY origin, id LIMIT {TAKEN_PER_COMMIT}",
        *where.values,
        *after,
        newest,
    )
    return [Stored(letter_of(row), Priority.BULK if row["bulk"] else Priority.NORMAL, len(row["data"])) for row in rows]


async def replay(
    connection: asyncpg.Connection, incarnation: str, session: int, counters: Counters, page: list[Stored], now: float
) -> list[int]:
    """Appends the refused calls of letters in one commit; returns the keys, 0 for letters that are gone."""
    rows = [completion.replayed_row(each.letter, each.priority) for each in page]
    statement, values = function_call(
        "replay_1",
        the_incarnation=incarnation,
        the_session=session,
        now=now,
        ids=[each.letter.dead_letter_id for each in page],
        row_connections=[counters.number(row.connection) for row in rows],
        row_bulk=[row.priority is Priority.BULK for row in rows],
        row_lanes=[row.lane.encode() for row in rows],
        row_ids=[row.envelope_id.encode() for row in rows],
        lane_hashes=[fingerprint(row.lane) for row in rows],
        email_hashes=[fingerprint(row.email) for row in rows],
        id_hashes=[fingerprint(row.envelope_id) for row in rows],
        row_data=[row.data for row in rows],
    )
    keys: list[int] = await connection.fetchval(statement, *values)
    for each, row, key in zip(page, rows, keys, strict=True):
        if key:
            number = counters.number(row.connection)
            counters.count(number, priority_of(key), 1, row_bytes(row.data), now)
            _forget(counters, number, each)
    return keys


async def discard(
    connection: asyncpg.Connection, incarnation: str, session: int, counters: Counters, page: list[Stored], now: float
) -> list[Outcome]:
    """Drops letters in one commit; returns the outcomes that replace theirs."""
    outcomes = [completion.discarded_outcome(each.letter, 0, now) for each in page]
    statement, values = function_call(
        "discard_1",
        the_incarnation=incarnation,
        the_session=session,
        ids=[each.letter.dead_letter_id for each in page],
        row_ends=now,
        row_data=[record.pack(outcome) for outcome in outcomes],
        the_type=int(OutcomeType.DISCARDED),
    )
    rows = await connection.fetch(statement, *values)
    for row in rows:
        each = page[row["place"] - 1]
        _forget(counters, counters.number(each.letter.outcome.connection), each)
    return [completion.discarded_outcome(page[row["place"] - 1].letter, row["sequence"], now) for row in rows]


def _forget(counters: Counters, number: int, stored: Stored) -> None:
    usage = counters.of(number)
    usage.dead_letters -= 1
    usage.bytes -= stored.bytes + ROW_OVERHEAD_BYTES
