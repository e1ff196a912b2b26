"""Fills a spool with something of everything, and reads it again.

The rows of four users in two connections and both priorities are waiting, parked, in progress, ended or dead letters.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import (
    CachedContact,
    ContactEntry,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    Row,
    RowPage,
    Settlement,
)
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from spool.model import NOON, Held, end_of, made

CONNECTIONS = ("eu", "us")
USERS = ("ann", "bob", "cid", "dan")
Place = tuple[str, str]


@dataclass
class Filled:
    """What was written."""

    sent: dict[int, Incoming] = field(default_factory=dict)
    rows: dict[int, Incoming] = field(default_factory=dict)
    """Those of them that wait."""
    ended: set[int] = field(default_factory=set)
    progress: dict[int, list[bytes]] = field(default_factory=dict)
    """All that was ever written of a row, the newest last; and so for the lanes' contacts."""
    known: dict[Place, list[ContactEntry]] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    letters: set[int] = field(default_factory=set)


@dataclass
class Seen:
    """What is read."""

    rows: dict[int, Row] = field(default_factory=dict)
    connections: dict[int, str] = field(default_factory=dict)
    known: dict[Place, ContactEntry] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    """What was said of damage."""
    outcomes: list[Outcome] = field(default_factory=list)
    letters: list[int] = field(default_factory=list)


async def opened(path: Path, reports: list[str] | None = None) -> SqliteSpool:
    settings = SqliteSettings(str(path), free_bytes_min=0, connections=CONNECTIONS, lock_wait_seconds=0.0)
    on_damage: Callable[[str], None] = [].append if reports is None else reports.append
    return await open_spool(settings, wall=lambda: NOON, on_damage=on_damage)


async def fill(spool: SqliteSpool, rows: int = 160, seed: int = 1) -> Filled:
    """Writes in many commits, of all kinds."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guess
    filled = Filled()
    for number in range(0, rows, 8):
        sent = [_row(chance, number + place) for place in range(8)]
        filled.sent |= dict(zip(await spool.append(sent), sent, strict=True))
        filled.rows = {key: row for key, row in filled.sent.items() if key not in filled.ended}
        await _settle(spool, filled, chance)
    for connection in CONNECTIONS:
        for user in USERS[:2]:
            lane = f"c:{user}"
            keys = [key for key, row in filled.rows.items() if (row.connection, row.lane) == (connection, lane)]
            await spool.park(connection, lane, keys[::2], 5.0, 2)
    return filled


def _row(chance: random.Random, number: int) -> Incoming:
    size = chance.choice([0, 100, 300, 900, 3_000, 9_000])
    connection, priority = chance.choice(CONNECTIONS), chance.choice(list(Priority))
    name = f"0197a8e0-0000-7000-8000-{number:012x}" if number % 2 else f"envelope {number}"
    return made(connection, priority, chance.choice(USERS), name, size, recognised=True)


async def _settle(spool: SqliteSpool, filled: Filled, chance: random.Random) -> None:
    for connection in CONNECTIONS:
        own = [key for key, row in filled.rows.items() if row.connection == connection]
        if len(own) < 4:
            continue
        ended = [
            end_of(key, Held(filled.rows[key]), chance.choice(["", "", "REFUSED"])) for key in chance.sample(own, 3)
        ]
        ahead = (next(key for key in own if key not in {each.key for each in ended}), record.pack(filled.rows[own[0]]))
        lane, data = f"c:{chance.choice(USERS)}", record.pack(filled.rows[own[-1]])
        entry = CachedContact(lane, f"{connection}-{lane}", data)
        outcomes = await spool.settle([Settlement(connection, ended, [ahead], [entry])])
        filled.outcomes |= {outcome.sequence: outcome for outcome in outcomes}
        filled.letters |= {outcome.sequence for outcome in outcomes if outcome.reason}
        filled.progress.setdefault(ahead[0], []).append(ahead[1])
        filled.known.setdefault((connection, lane), []).append(ContactEntry(entry.contact_id, data))
        for each in ended:
            filled.ended.add(each.key)
            del filled.rows[each.key]


async def see(spool: SqliteSpool, reports: list[str], rows_max: int = 7) -> Seen:
    """Reads everything, as the deliverer and an operator would."""
    seen = Seen(reports=reports)
    for connection in CONNECTIONS:
        for priority in Priority:
            await _page(
                seen, connection, partial(spool.read, connection, priority, rows_max=rows_max, bytes_max=1 << 20)
            )
        await _see_parked(spool, seen, connection, rows_max)
    seen.outcomes = (await spool.outcomes_after(OutcomeFilter(), 0, 10_000))[0]
    seen.letters = [letter.dead_letter_id for letter in await spool.dead_letters(DeadLetterFilter(), 0, 10_000)]
    return seen


async def _see_parked(spool: SqliteSpool, seen: Seen, connection: str, rows_max: int) -> None:
    lanes, _ = await spool.due(connection, NOON, 1_000)
    for lane in lanes:
        await _page(seen, connection, partial(spool.parked, connection, lane, rows_max=rows_max, bytes_max=1 << 20))


async def _page(seen: Seen, connection: str, read: Callable[[int], Awaitable[RowPage]]) -> None:
    after = -1
    while True:
        page = await read(max(after, 0))
        _take(seen, connection, page)
        if page.after <= after or not page.after:
            break
        after = page.after


def _take(seen: Seen, connection: str, page: RowPage) -> None:
    seen.reports += page.corrupt
    seen.rows |= {row.key: row for row in page.rows}
    seen.connections |= {row.key: connection for row in page.rows}
    seen.known |= {(connection, lane): known for lane, known in page.contacts.items()}
