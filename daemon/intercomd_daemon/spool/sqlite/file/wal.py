"""Reads the commits of a write-ahead log by SQLite's published format, including those behind a corrupt frame.

SQLite stops at the first frame whose checksum is wrong, as nothing follows a torn write. But each commit is synced
before the next begins, and contains the counters: a later commit proves that those before it were complete once. Frames
that the disk refused may follow the last commit; they count no further than it, and prove nothing.
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
"""The counters are the first table created and fill one page, the one behind the schema."""
COUNTERS_REALS = (11, 12)
"""The counters' columns of floating-point numbers, which SQLite may write as integers."""
COUNTERS_CHECKSUM = 13
"""The column of their row checksum; later minor versions add columns behind it."""
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
    """The number of its page, from 1."""
    ends: bool
    """Whether it is the last frame of a commit."""
    offset: int
    """The offset of the page's content in the file."""
    sound: bool
    counted: int
    """The number of commits by the counters on this page; 0: it holds no sound counters."""


class Commit(NamedTuple):
    """The frames of one commit."""

    frames: Sequence[Frame]
    sound: bool
    counted: int
    """By the counters that it contains; 0: none are sound."""


def commits(file: BinaryIO, after: int = 0) -> list[Commit]:
    """Returns the commits behind the first `after` frames, some of whose frames may be corrupt."""
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
    """Returns those that were certainly committed; `count` is the number of commits by the counters before them.

    A corrupt commit is certain if a later one counts further than the corrupt one itself would.
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
    """Writes the pages of a log's commits to a database file, as SQLite would, those of corrupt frames included.

    Most of a corrupt page is intact, and its rows' checks find the rest. Without it, its neighbours would not fit.
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
    # Either the header or its checksum is corrupt, hardly both: the frames continue one of the two.
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
        # A frame with another salt is left from before the last checkpoint; or its salt is corrupt.
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
    """Returns SQLite's checksum: two sums, each of which adds the other."""
    one, two = seed
    for first, second in iter_unpack(words, data):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two


def _counted(page: bytes) -> int:
    """Returns the number of commits by the counters on a page; 0 if they are corrupt."""
    for key, columns in leaf_rows(page, COUNTERS_PAGE, lambda _: b""):
        row = [key, *columns[1 : COUNTERS_CHECKSUM + 1]]
        if len(row) <= COUNTERS_CHECKSUM:
            continue
        for real in COUNTERS_REALS:
            row[real] = float(value) if isinstance(value := row[real], int) else value
        if row[-1] == row_checksum(*row[:-1]) and isinstance(row[1], int):
            return row[1]
    return 0
