"""Marks of the newest rows in memory: 32 bits each of a row's lane, email and id, by which the trail finds rows.

They cost an append less than a microsecond, and no page of the file. A mark that is found only names a candidate: the
row may have ended, its commit may have failed, or another text may have the same mark. Rows below `first` have no
marks: there are too many, or the last run was killed. A clean close saves the marks of a long backlog.
"""

import sqlite3
import struct
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple
from zlib import crc32

from intercomd_daemon.envelope import lane_of
from intercomd_daemon.spool.trail import TrailFilter

CHUNK_BITS = 12
CHUNK = 1 << CHUNK_BITS
"""Positions whose marks are kept and dropped together."""
CHUNKS_MAX = 512
"""2,097,152 positions: 24 MiB."""
FOUND_CHUNKS = 64
"""Chunks searched at once: some milliseconds."""
SAVED_ROWS_MIN = 10_000
"""Fewer waiting rows are searched in the file as fast."""


_COLUMN_BYTES = 4 * CHUNK
_COLUMN_STARTS = range(0, 3 * _COLUMN_BYTES, _COLUMN_BYTES)
_HEADER = struct.Struct("<qq")


class Candidates(NamedTuple):
    """Positions with a matching mark, newest first."""

    positions: list[int]
    next: int
    """The position to search on from, downwards; 0: no marks are left."""


class _Chunk:
    def __init__(self, data: bytes = bytes(3 * _COLUMN_BYTES)) -> None:
        self.columns = [array("I", data[start : start + _COLUMN_BYTES]) for start in _COLUMN_STARTS]
        self.lanes, self.emails, self.ids = self.columns


class Marks:
    """The marks of the positions from `first` on."""

    def __init__(self, first: int) -> None:
        """`first` is the next position of the spool."""
        self.first = first
        self.begun = False
        """Whether a chunk was begun since `forget`."""
        self._chunks: dict[int, _Chunk] = {}

    def mark(self, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """Marks rows: position, lane, email and envelope id. Positions may repeat after a failed commit."""
        begun = -1
        for position, lane, email, envelope_id in rows:
            if position >> CHUNK_BITS != begun:
                begun = position >> CHUNK_BITS
                chunk = self._chunks.get(begun) or self._begin(begun)
                lanes, emails, ids = chunk.lanes, chunk.emails, chunk.ids
            place = position & (CHUNK - 1)
            lanes[place] = crc32(lane.encode()) or 1
            emails[place] = crc32(email.encode()) or 1 if email else 0
            ids[place] = crc32(envelope_id.encode()) or 1

    def save(self, database: sqlite3.Connection, position: int) -> None:
        """Saves the marks, in a transaction; `position` is the last one of the spool."""
        saved = [(number, b"".join(map(bytes, chunk.columns))) for number, chunk in self._chunks.items()]
        clear(database)
        database.execute("INSERT INTO marks (number, data) VALUES (-1, ?)", (_HEADER.pack(self.first, position),))
        database.executemany("INSERT INTO marks (number, data) VALUES (?, ?)", saved)

    @classmethod
    def load(cls, database: sqlite3.Connection, position: int) -> "Marks":
        """Returns the saved marks; without any, if nothing was saved at this last position of the spool."""
        marks = cls(position + 1)
        with suppress(sqlite3.Error):  # They are no reason to repair a file that is sound otherwise.
            saved = dict(database.execute("SELECT number, data FROM marks").fetchall())
            header = saved.pop(-1, b"")
            if len(header) == _HEADER.size and _HEADER.unpack(header)[1] == position:
                marks.first = _HEADER.unpack(header)[0]
                marks._chunks = {number: _Chunk(data) for number, data in saved.items()}
        return marks

    def forget(self, position: int) -> None:
        """Drops the chunks below a position, below which no row waits."""
        self.begun = False
        for number in [number for number in self._chunks if number < position >> CHUNK_BITS]:
            self._drop(number)

    @property
    def size(self) -> int:
        """The bytes of all marks."""
        return len(self._chunks) * 3 * _COLUMN_BYTES

    def find(self, wanted: TrailFilter, top: int) -> Candidates:
        """Returns the candidates of the next chunks from the position `top` downwards."""
        numbers = sorted((number for number in self._chunks if number <= top >> CHUNK_BITS), reverse=True)
        positions = [
            position
            for number in numbers[:FOUND_CHUNKS]
            for position in self._positions(number, wanted)
            if position <= top
        ]
        rest = numbers[FOUND_CHUNKS:]
        return Candidates(positions, ((rest[0] + 1) << CHUNK_BITS) - 1 if rest else 0)

    def _positions(self, number: int, wanted: TrailFilter) -> list[int]:
        chunk = self._chunks[number]
        places: set[int] = set()
        if wanted.envelope_id:
            places |= _places(chunk.ids, _mark(wanted.envelope_id))
        else:
            if wanted.customer_id:
                places |= _places(chunk.lanes, _mark(lane_of(wanted.customer_id, "")))
            if wanted.email:
                places |= _places(chunk.emails, _mark(wanted.email))
        return [(number << CHUNK_BITS) + place for place in sorted(places, reverse=True)]

    def _begin(self, number: int) -> _Chunk:
        self.begun = True
        chunk = self._chunks[number] = _Chunk()
        if len(self._chunks) > CHUNKS_MAX:
            self._drop(min(self._chunks))
        return chunk

    def _drop(self, number: int) -> None:
        del self._chunks[number]
        self.first = max(self.first, (number + 1) << CHUNK_BITS)


def clear(database: sqlite3.Connection) -> None:
    """Deletes saved marks."""
    database.execute("DELETE FROM marks")


def _mark(text: str) -> int:
    """Returns the mark of a text; 0 means none."""
    return crc32(text.encode()) or 1


def _places(marks: Sequence[int], mark: int) -> set[int]:
    places: set[int] = set()
    place = -1
    try:
        while True:
            place = marks.index(mark, place + 1)
            places.add(place)
    except ValueError:
        return places
