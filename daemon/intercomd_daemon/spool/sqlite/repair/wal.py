"""The frames of a write-ahead log, by SQLite's published format, also behind one that rot has spoilt.

SQLite stops at the first frame whose checksum is wrong, as behind a torn write there is nothing. Each commit is synced
before the next begins: a sound frame of a later commit proves that the commit before it was whole once.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from struct import Struct, iter_unpack
from typing import BinaryIO, NamedTuple

PAGE_BYTES = 4096
HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
# "The magic number is 0x377f0682 or 0x377f0683; the checksum words are little-endian by the first, big by the second."
_MAGIC = 0x377F0682
_HEADER = Struct(">I12s8sII")
_FRAME = Struct(">II8sII")
_SALT = slice(8, 16)
_FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
_WORD = 0xFFFFFFFF

Sum = tuple[int, int]


class Frame(NamedTuple):
    """One frame."""

    page: int
    """The number of the page that it holds, from 1."""
    commits: bool
    """Whether it is the last of a commit."""
    offset: int
    """Where in the file the page's content begins."""
    sound: bool


def chain(file: BinaryIO, after: int = 0) -> list[Frame]:
    """The frames behind the first `after` ones, as far as their checksums hang together but for single spoilt ones."""
    frames: list[Frame] = []
    unsound = 0
    for frame in _frames(file, after):
        frames.append(frame)
        unsound = 0 if frame.sound else unsound + 1
        if unsound == 2:
            break
    while frames and not frames[-1].sound:
        frames.pop()
    return frames


def lost(file: BinaryIO, recovered: int) -> bool:
    """Whether commits stand behind the frames that SQLite has recovered, which were whole once."""
    frames = chain(file, recovered)
    ends = [place for place, frame in enumerate(frames) if frame.commits]
    if not ends:
        return False
    first = frames[: ends[0] + 1]
    return all(frame.sound for frame in first) or any(frame.sound for frame in frames[ends[0] + 1 :])


def merge(log_path: str, database_path: str) -> None:
    """Writes the pages of a log's commits to a database file, as SQLite would, those of spoilt frames included.

    Of a spoilt page most is as it was written, and what is not will show; without it, its neighbours would not fit.
    """
    with Path(log_path).open("rb") as log, Path(database_path).open("r+b") as database:
        frames = chain(log)
        while frames and not frames[-1].commits:
            frames.pop()
        last = max((frame.page for frame in frames if frame.sound), default=0)
        for frame in frames:
            if not 0 < frame.page <= last:
                continue
            log.seek(frame.offset)
            database.seek((frame.page - 1) * PAGE_BYTES)
            database.write(log.read(PAGE_BYTES))


def _frames(file: BinaryIO, after: int) -> Iterator[Frame]:
    file.seek(0)
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return
    magic, _, salt, one, two = _HEADER.unpack(header)
    words = _words(magic)
    # What is spoilt is the header or its checksum, and not both: the frames hang together by one of the two.
    seeds = [(one, two), _sum(header[:-8], (0, 0), words)]
    if seeds[0] != seeds[1]:
        salt = file.read(FRAME_HEADER_BYTES)[_SALT]
    start = HEADER_BYTES + after * _FRAME_BYTES
    if after:
        file.seek(start - _FRAME_BYTES)
        seeds = [_FRAME.unpack(file.read(FRAME_HEADER_BYTES))[3:]]
    file.seek(start)
    while len(content := file.read(_FRAME_BYTES)) == _FRAME_BYTES:
        page, commit, its_salt, one, two = _FRAME.unpack_from(content)
        sums = [_sum(content[FRAME_HEADER_BYTES:], _sum(content[:8], seed, words), words) for seed in seeds]
        # A frame of another salt is left over from what has been copied back; or it is its salt that is spoilt.
        sound = its_salt == salt and (one, two) in sums
        yield Frame(page, commit > 0, start + FRAME_HEADER_BYTES, sound)
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
