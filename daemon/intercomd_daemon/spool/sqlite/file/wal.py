"""The commits in a write-ahead log, by SQLite's published format, also behind a frame that rot has spoilt.

SQLite stops at the first frame whose checksum is wrong, as behind a torn write there is nothing. But each commit is
synced before the next begins, and holds the counters: a later one proves that those before it were whole once. What a
disk has refused may lie behind the last commit too, and proves nothing: it counts no further than that one.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from struct import Struct, iter_unpack
from typing import BinaryIO, NamedTuple

from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.file.cells import PAGE_BYTES, leaf_rows

COUNTERS_PAGE = 2
"""The counters are the first table that is made, and fill a page: the one behind the tables' descriptions."""
COUNTERS_REALS = (11, 12)
"""Which columns of the counters are floating numbers, that SQLite may write as integers."""
COUNTERS_CHECKSUM = 13
"""Which column is their seal; behind it stands what later minor versions have added."""
_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
# "The magic number is 0x377f0682 or 0x377f0683; the checksum words are little-endian by the first, big by the second."
_MAGIC = 0x377F0682
_HEADER = Struct(">I12s8sII")
_FRAME = Struct(">II8sII")
_SALT = slice(8, 16)
_FRAME_BYTES = _FRAME_HEADER_BYTES + PAGE_BYTES
_WORD = 0xFFFFFFFF

Sum = tuple[int, int]


class Frame(NamedTuple):
    """One frame."""

    page: int
    """The number of the page that it holds, from 1."""
    ends: bool
    """Whether it is the last of a commit."""
    offset: int
    """Where in the file the page's content begins."""
    sound: bool
    counted: int
    """How many commits the counters in it count; 0 if it does not hold them."""


class Commit(NamedTuple):
    """The frames of one commit."""

    frames: Sequence[Frame]
    sound: bool
    counted: int
    """By its counters; 0 if it holds none that are sound."""


def commits(file: BinaryIO, after: int = 0) -> list[Commit]:
    """What looks like commits behind the first `after` frames; single frames of them may be spoilt."""
    frames: list[Frame] = []
    for frame in _frames(file, after):
        frames.append(frame)
        if not any(each.sound for each in frames[-2:]) and len(frames) > 1:
            break
    ends = [0, *(place for place, frame in enumerate(frames, 1) if frame.ends)]
    groups = [frames[start:end] for start, end in pairwise(ends)]
    return [
        Commit(group, all(frame.sound for frame in group), max(frame.counted for frame in group)) for group in groups
    ]


def certain(found: Sequence[Commit], count: int) -> list[Commit]:
    """Those that were committed for certain, `count` being what the counters say before them.

    A spoilt one was if one behind it counts further than it would itself.
    """
    sure: list[Commit] = []
    for place, commit in enumerate(found):
        if not commit.sound:
            following = next((each.counted for each in found[place + 1 :] if each.counted or not each.sound), 0)
            if following < count + 2:
                break
            count += 1
        elif commit.counted:
            if commit.counted <= count:
                break
            count = commit.counted
        sure.append(commit)
    return sure


def merge(log_path: str, database_path: str) -> None:
    """Writes the pages of a log's commits to a database file, as SQLite would, those of spoilt frames included.

    Of a spoilt page most is as it was written, and what is not will show; without it, its neighbours would not fit.
    """
    with Path(log_path).open("rb") as log, Path(database_path).open("r+b") as database:
        frames = [frame for commit in certain(commits(log), 0) for frame in commit.frames]
        last = max((frame.page for frame in frames if frame.sound), default=0)
        for frame in frames:
            if 0 < frame.page <= last:
                log.seek(frame.offset)
                database.seek((frame.page - 1) * PAGE_BYTES)
                database.write(log.read(PAGE_BYTES))


def _frames(file: BinaryIO, after: int) -> Iterator[Frame]:
    file.seek(0)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return
    magic, _, salt, one, two = _HEADER.unpack(header)
    words = _words(magic)
    # What is spoilt is the header or its checksum, and not both: the frames hang together by one of the two.
    seeds = [(one, two), _sum(header[:-8], (0, 0), words)]
    if seeds[0] != seeds[1]:
        salt = file.read(_FRAME_HEADER_BYTES)[_SALT]
    start = _HEADER_BYTES + after * _FRAME_BYTES
    if after:
        file.seek(start - _FRAME_BYTES)
        seeds = [_FRAME.unpack(file.read(_FRAME_HEADER_BYTES))[3:]]
    file.seek(start)
    while len(content := file.read(_FRAME_BYTES)) == _FRAME_BYTES:
        page, commit, its_salt, one, two = _FRAME.unpack_from(content)
        sums = [_sum(content[_FRAME_HEADER_BYTES:], _sum(content[:8], seed, words), words) for seed in seeds]
        # A frame of another salt is left over from what has been copied back; or it is its salt that is spoilt.
        sound = its_salt == salt and (one, two) in sums
        counted = _counted(content[_FRAME_HEADER_BYTES:]) if sound and page == COUNTERS_PAGE else 0
        yield Frame(page, commit > 0, start + _FRAME_HEADER_BYTES, sound, counted)
        seeds = [(one, two)] if sound else [(one, two), *sums[:1]]
        start += _FRAME_BYTES


def _words(magic: int) -> str:
    if magic in {_MAGIC, _MAGIC + 1}:
        return "<II" if magic == _MAGIC else ">II"
    return "<II" if sys.byteorder == "little" else ">II"


def _sum(data: bytes, seed: Sum, words: str) -> Sum:
    """SQLite's checksum: two sums, each of which adds up the other."""
    one, two = seed
    for first, second in iter_unpack(words, data):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two


def _counted(page: bytes) -> int:
    """How many commits the counters on a page count; 0 if they are not what was written."""
    for key, columns in leaf_rows(page, COUNTERS_PAGE, lambda _: b""):
        row = [key, *columns[1 : COUNTERS_CHECKSUM + 1]]
        if len(row) <= COUNTERS_CHECKSUM:
            continue
        for real in COUNTERS_REALS:
            row[real] = float(value) if isinstance(value := row[real], int) else value
        if row[-1] == row_checksum(*row[:-1]) and isinstance(row[1], int):
            return row[1]
    return 0
