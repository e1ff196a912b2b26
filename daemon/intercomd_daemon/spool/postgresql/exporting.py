"""Exports the waiting envelopes and the dead letters in the order of acceptance."""

from collections.abc import Callable, Iterator
from heapq import merge

import asyncpg

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import log_end, log_start
from intercomd_daemon.spool.maintenance import Damage, DamageReport, Exported
from intercomd_daemon.spool.rows import position_of

Rows = Callable[..., Iterator[asyncpg.Record]]
"""Yields the rows of a statement with values."""
Found = tuple[int, Exported | Damage]
"""A position, and what was found there."""


def export(rows: Rows, findings: DamageReport, *, dead_letters: bool) -> Iterator[Exported]:
    """Returns what waits, and with `dead_letters` those too, in the order of acceptance; adds damage to `findings`."""
    names = {row["number"]: row["name"] for row in rows("SELECT number, name FROM connections")}
    streams = [
        _waiting(rows, table, log_start(number, priority), log_end(number, priority), name)
        for table in ("log", "parked")
        for number, name in names.items()
        for priority in Priority
    ]
    if dead_letters:
        streams.append(_letters(rows, names))
    for _, found in merge(*streams, key=lambda each: each[0]):
        if isinstance(found, Damage):
            findings.add(found)
        else:
            yield found


def _waiting(rows: Rows, table: str, start: int, end: int, name: str) -> Iterator[Found]:
    statement = f"SELECT key, lane, data FROM {table} WHERE key > $1 AND key < $2 ORDER BY key"  # noqa: S608 - one of two
    for row in rows(statement, start, end):
        position = position_of(row["key"])
        try:
            yield position, Exported(name, record.unpack(row["data"], AcceptedEnvelope))
        except record.RecordDamaged as error:
            yield position, Damage(table, row["key"], row["lane"].decode(errors="replace"), str(error))


def _letters(rows: Rows, names: dict[int, str]) -> Iterator[Found]:
    """Returns the dead letters in the order of their first acceptance."""
    for row in rows("SELECT id, connection, origin, data FROM dead_letters ORDER BY origin, id"):
        try:
            letter = record.unpack(row["data"], DeadLetter)
            yield row["origin"], Exported(names.get(row["connection"], letter.outcome.connection), letter.envelope)
        except record.RecordDamaged as error:
            yield row["origin"], Damage("dead_letters", row["id"], "", str(error))
