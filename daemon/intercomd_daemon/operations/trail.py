"""Lists the trail of a user or an envelope: waiting envelopes, outcomes and refusals, merged by time, newest first.

Each of the three is read in chunks from a place of its own, so a page of large entries is never in memory as a whole.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon.envelope import Refusal
from intercomd_daemon.operations.page import ANSWER_BYTES_MAX
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.rows import WaitingRow, position_of
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

SOURCES = 3
OUTCOMES_CHUNK_MAX = 64
"""Outcomes and refusals in one read: usually 1 KB each, rarely 100 KB."""
WAITING_CHUNK_MAX = 16
"""Waiting envelopes in one read: up to 1 MB each."""


class Entry(NamedTuple):
    """An entry that may become part of the page."""

    time: float
    """Unix seconds."""
    place: int
    """Its place in its source, which falls from entry to entry."""
    message: TrailEntry


Read = Callable[[int], Awaitable[Sequence[Entry]]]
"""Reads the next entries of a source below a place (0: from the newest); none at its end."""


class TrailSource:
    """One of the merged lists."""

    def __init__(self, read: Read, place: int) -> None:
        """Starts below `place`; 0: with the newest."""
        self.place = place
        """Of the last entry that was taken."""
        self._read = read
        self._entries: list[Entry] = []
        self._ended = False

    async def head(self) -> Entry | None:
        """Returns the next entry; None at the end."""
        if not self._entries and not self._ended:
            self._entries = list(await self._read(self.place))[::-1]
            self._ended = not self._entries
        return self._entries[-1] if self._entries else None

    def take(self) -> None:
        """Takes the next entry."""
        self.place = self._entries.pop().place


async def fill_trail(sources: Sequence[TrailSource], page_size: int) -> tuple[list[TrailEntry], tuple[int, ...]]:
    """Fills a page with the newest entries of the sources, up to `page_size` and ANSWER_BYTES_MAX, but at least one.

    Returns the entries and the places at which the next page starts; zeros at the end of the list.
    """
    page: list[TrailEntry] = []
    page_bytes = 0
    while True:
        heads = [(head, source) for source in sources if (head := await source.head())]
        if not heads:
            return page, (0,) * len(sources)
        head, source = max(heads, key=lambda each: each[0].time)
        page_bytes += head.message.ByteSize()
        if len(page) == page_size or (page and page_bytes > ANSWER_BYTES_MAX):
            return page, tuple(each.place for each in sources)
        page.append(head.message)
        source.take()


def read_waiting(archive: Archive, keys: Sequence[int], encode: Callable[[WaitingRow], TrailEntry]) -> Read:
    """Returns what reads the waiting envelopes of these keys, newest first; those that have ended are left out."""

    async def read(place: int) -> list[Entry]:
        rest = [key for key in keys if not place or position_of(key) < place]
        while rest:
            chunk, rest = rest[:WAITING_CHUNK_MAX], rest[WAITING_CHUNK_MAX:]
            if found := await archive.waiting_rows(chunk):
                messages = [(each, encode(each)) for each in found]
                return [Entry(_time(message), position_of(each.row.key), message) for each, message in messages]
        return []

    return read


def read_outcomes(archive: Archive, wanted: TrailFilter, encode: Callable[[KeptOutcome], TrailEntry]) -> Read:
    """Returns what reads the outcomes."""

    async def read(place: int) -> list[Entry]:
        found = await archive.trail_outcomes(wanted, place, OUTCOMES_CHUNK_MAX)
        return [Entry(each.outcome.end_time, each.outcome.sequence, encode(each)) for each in found]

    return read


def read_refusals(archive: Archive, wanted: TrailFilter, encode: Callable[[Refusal], TrailEntry]) -> Read:
    """Returns what reads the refusals."""

    async def read(place: int) -> list[Entry]:
        found = await archive.refusals(wanted, place, OUTCOMES_CHUNK_MAX)
        return [Entry(each.time, each.number, encode(each)) for each in found]

    return read


def _time(message: TrailEntry) -> float:
    return message.time.seconds + message.time.nanos / 1e9
