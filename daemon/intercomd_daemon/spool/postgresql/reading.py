"""Reads pages of logs and parked lanes. Corrupt rows are returned apart, with the outcomes that end them."""

from typing import NamedTuple

import asyncpg

from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.keys import priority_of
from intercomd_daemon.spool.rows import Completion, ContactEntry, Row

_COLUMNS = "r.key, r.lane, r.envelope_id, r.accept_time, r.data, p.data AS progress"
_LOG = f"""
SELECT {_COLUMNS}, l.due IS NOT NULL AS is_parked FROM log r LEFT JOIN progress p ON p.key = r.key
LEFT JOIN lanes l ON l.connection = $1 AND l.lane = r.lane
WHERE r.key > $2 AND r.key < $3 ORDER BY r.key LIMIT $4
"""  # noqa: S608 - our own columns
_PARKED = f"""
SELECT {_COLUMNS}, false AS is_parked FROM parked r LEFT JOIN progress p ON p.key = r.key
WHERE r.connection = $1 AND r.lane = $2 AND r.key > $3 ORDER BY r.key LIMIT $4
"""  # noqa: S608 - our own columns


class Page(NamedTuple):
    """The rows of one read."""

    rows: list[Row]
    parked: list[int]
    """The keys of rows whose lane is parked."""
    after: int
    corrupt: list[str]
    completions: list[Completion]
    """Of the corrupt rows."""
    parked_lanes: frozenset[str]


async def read_log(
    connection: asyncpg.Connection,
    number: int,
    name: str,
    after: int,
    end: int,
    rows_max: int,
    bytes_max: int,
    now: float,
) -> Page:
    """Reads the rows of a log between the keys `after` and `end`, within both limits, but at least one."""
    rows = await connection.fetch(_LOG, number, after, end, rows_max)
    return _page(rows, name, after, bytes_max, now)


async def read_parked(
    connection: asyncpg.Connection,
    number: int,
    name: str,
    lane: str,
    after: int,
    rows_max: int,
    bytes_max: int,
    now: float,
) -> Page:
    """Reads the rows of a parked lane above the key `after`, within both limits, but at least one."""
    rows = await connection.fetch(_PARKED, number, lane.encode(), after, rows_max)
    return _page(rows, name, after, bytes_max, now)


def _page(found: list[asyncpg.Record], name: str, after: int, bytes_max: int, now: float) -> Page:
    rows: list[Row] = []
    parked: list[int] = []
    lanes: set[str] = set()
    corrupt: list[str] = []
    completions: list[Completion] = []
    size = 0
    for place, row in enumerate(found):
        size += len(row["data"])
        if place and size > bytes_max:
            break
        after, lane = row["key"], row["lane"].decode()
        if row["is_parked"]:
            parked.append(after)
            lanes.add(lane)
        elif error := record.check(row["data"]):
            corrupt.append(f"row {after}: {error}")
            envelope_id = row["envelope_id"].decode()
            outcome = completion.damaged_outcome(name, lane, envelope_id, row["accept_time"], 0, now)
            completions.append(Completion(after, outcome))
        else:
            progress = row["progress"] or b""
            rows.append(Row(after, priority_of(after), lane, row["data"], b"" if record.check(progress) else progress))
    return Page(rows, parked, after, corrupt, completions, frozenset(lanes))


async def read_contacts(connection: asyncpg.Connection, number: int, lanes: set[str]) -> dict[str, ContactEntry]:
    """Returns the cached contact of each lane."""
    found = {}
    if lanes:
        rows = await connection.fetch(
            "SELECT i.lane, c.contact_id, c.data FROM identities i JOIN contacts c ON c.number = i.contact"
            " WHERE i.connection = $1 AND i.lane = ANY ($2)",
            number,
            [lane.encode() for lane in lanes],
        )
        found = {row["lane"].decode(): ContactEntry(row["contact_id"].decode(), row["data"]) for row in rows}
    return {lane: found.get(lane, ContactEntry("", b"")) for lane in lanes}
