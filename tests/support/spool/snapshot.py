"""A snapshot of everything that a spool holds, through its public methods."""

from typing import NamedTuple

from msgspec.structs import replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.rows import ContactEntry, DeadLetterFilter, LogUsage, OutcomeFilter, Row, RowPage

ALL = (1_000_000, 1 << 40)


class Seen(NamedTuple):
    """What a spool holds."""

    logs: dict[tuple[str, Priority], list[Row]]
    lanes: dict[str, list[str]]
    """The parked ones of each connection, in the order of their times."""
    parked: dict[tuple[str, str], tuple[int, list[Row]]]
    """Of each parked lane: how often it was tried, and its rows."""
    known: dict[tuple[str, str], ContactEntry]
    outcomes: list[Outcome]
    letters: list[DeadLetter]
    paused: frozenset[str]
    usage: dict[str, LogUsage]
    """But for the ages."""

    @property
    def rows(self) -> list[Row]:
        """All that wait."""
        return [row for rows in (*self.logs.values(), *(rows for _, rows in self.parked.values())) for row in rows]


async def see(spool: Spool) -> Seen:
    """Reads everything; nothing of it may be damaged. What it meets of parked lanes it moves there, as any reader."""
    usage = {name: replace(each, oldest_accept_time=0.0) for name, each in spool.usage().connections.items()}
    seen = Seen({}, {}, {}, {}, [], [], await spool.paused(), usage)
    for connection in usage:
        for priority in Priority:
            seen.logs[connection, priority] = _taken(seen, connection, await spool.read(connection, priority, 0, *ALL))
        seen.lanes[connection], _ = await spool.due(connection, float("inf"), ALL[0])
        for lane in seen.lanes[connection]:
            page = await spool.parked(connection, lane, 0, *ALL)
            seen.parked[connection, lane] = page.attempts, _taken(seen, connection, page)
    seen.outcomes.extend((await spool.outcomes_after(OutcomeFilter(), 0, ALL[0]))[0])
    seen.letters.extend(await spool.dead_letters(DeadLetterFilter(), 0, ALL[0]))
    return seen


def _taken(seen: Seen, connection: str, page: RowPage) -> list[Row]:
    assert page.corrupt == ()
    seen.known.update({(connection, lane): known for lane, known in page.contacts.items()})
    return page.rows
