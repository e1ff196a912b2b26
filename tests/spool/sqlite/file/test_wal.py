import sqlite3
from contextlib import closing
from pathlib import Path
from struct import iter_unpack, pack
from typing import NamedTuple

import pytest

from intercomd_daemon.spool.sqlite.counters import load_counters, store_counters
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.file import wal
from intercomd_daemon.spool.sqlite.file.cells import PAGE_BYTES
from intercomd_daemon.spool.sqlite.file.wal import Commit, Frame

NOON = 1_750_000_000.0
HEADER = 32
FRAME = 24 + PAGE_BYTES
COMMITS = 6


class Left(NamedTuple):
    """What a kill leaves: the file and its log."""

    path: Path
    log: Path

    def found(self, after: int = 0) -> list[Commit]:
        with self.log.open("rb") as file:
            return wal.commits(file, after)

    def flip(self, place: int) -> None:
        content = bytearray(self.log.read_bytes())
        content[place] ^= 4
        self.log.write_bytes(content)

    def merged(self) -> list[int]:
        """What the file holds with the log's commits written to it."""
        wal.merge(str(self.log), str(self.path))
        self.log.unlink()
        with closing(sqlite3.connect(self.path)) as database:
            return [number for (number,) in database.execute("SELECT key FROM progress ORDER BY key")]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """A spool, made in one commit, in which five more each wrote a row and the counters."""
    path = str(tmp_path / "used.db")
    copy = Left(tmp_path / "spool.db", tmp_path / "spool.db-wal")
    with closing(open_database(path, NOON)) as database:
        before = load_counters(database)
        for number in range(1, COMMITS):
            after = before.copy()
            after.spool.commits += 1
            database.execute("BEGIN")
            database.execute("INSERT INTO progress VALUES (?, ?, 0)", (number, bytes(500)))
            store_counters(database, after, before)
            database.execute("COMMIT")
            before = after
        copy.path.write_bytes(Path(path).read_bytes())
        copy.log.write_bytes(Path(path + "-wal").read_bytes())
    return copy


def begins(commits: list[Commit], number: int) -> int:
    """Where in the log a commit begins."""
    return commits[number].frames[0].offset - 24


def test_commits_are_found_in_order_with_their_counters(left: Left) -> None:
    found = left.found()
    assert [(commit.sound, commit.counted) for commit in found] == [(True, count) for count in range(1, COMMITS + 1)]
    assert wal.certain(found, 0) == found
    assert left.merged() == [1, 2, 3, 4, 5]


def test_only_frames_that_sqlite_has_not_read_are_checked(left: Left) -> None:
    found = left.found()
    frames = sum(len(commit.frames) for commit in found[:4])
    assert left.found(frames) == found[4:]
    assert left.found(sum(len(commit.frames) for commit in found)) == []


@pytest.mark.parametrize("place", [0, 3, 8, 20, 23, 24, 24 + 30, 24 + PAGE_BYTES - 1])
@pytest.mark.parametrize("number", [1, 4])
def test_commits_are_found_behind_a_corrupt_frame(left: Left, number: int, place: int) -> None:
    left.flip(begins(left.found(), number) + place)
    found = left.found()
    assert [commit.sound for commit in found] == [each != number for each in range(COMMITS)]
    assert wal.certain(found, 0) == found
    assert wal.certain(found[number:], number) == found[number:]


@pytest.mark.parametrize("place", range(0, HEADER, 4))
def test_commits_are_found_behind_a_corrupt_log_header(left: Left, place: int) -> None:
    whole = left.found()
    left.flip(place)
    assert [commit.frames for commit in left.found()] == [commit.frames for commit in whole]
    assert len(wal.certain(left.found(), 0)) == COMMITS


def test_merge_writes_the_page_of_a_corrupt_frame(left: Left) -> None:
    left.flip(begins(left.found(), 3) + 24 + PAGE_BYTES - 600)
    assert left.merged() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("tail", [100, FRAME, FRAME + 100])
def test_torn_end_is_not_a_commit(left: Left, tail: int) -> None:
    left.log.write_bytes(left.log.read_bytes()[:-tail])
    found = left.found()
    assert len(found) == len(wal.certain(found, 0)) == COMMITS - 1
    assert left.merged() == [1, 2, 3, 4]


def test_last_commit_with_a_corrupt_frame_is_not_certain(left: Left) -> None:
    """It may never have been synced, and then it was not acknowledged."""
    left.flip(begins(left.found(), COMMITS - 1) + 24)
    found = left.found()
    assert [commit.sound for commit in found] == [True] * 5 + [False]
    assert len(wal.certain(found, 0)) == 5


def test_frames_from_before_the_log_restarted_are_not_commits(left: Left) -> None:
    content = left.log.read_bytes()
    start = begins(left.found(), 3)
    older = bytearray(content[start:])
    for frame in range(0, len(older), FRAME):
        older[frame + 8] ^= 0xFF  # The salt of another beginning.
    left.log.write_bytes(content[:start] + older)
    assert wal.certain(left.found(), 0) == left.found()[:3]
    assert len(left.found()) < COMMITS


def test_refused_commit_overwritten_by_a_shorter_one_is_ignored(left: Left) -> None:
    """It lies behind the last commit, holds together by itself, and counts as that one does."""
    content = left.log.read_bytes()
    whole = left.found()
    # The fifth commit once more behind the sixth, as if a longer attempt at that had left it there.
    again = content[begins(whole, 4) : begins(whole, 5)]
    left.log.write_bytes(content + again)
    assert wal.certain(left.found(), 0) == whole


def frame(*, ends: bool = False) -> Frame:
    return Frame(2, ends, 0, sound=True, counted=0)


def commit(counted: int, *, sound: bool = True) -> Commit:
    return Commit([frame(ends=True)], sound, counted)


CORRUPTED = commit(0, sound=False)
CASES: list[tuple[str, int, list[Commit], int]] = [
    ("nothing", 0, [], 0),
    ("sound ones, one after the other", 3, [commit(4), commit(5)], 2),
    ("one without counters is where it lies", 3, [commit(0), commit(4)], 2),
    ("one that counts no further was before", 3, [commit(3)], 0),
    ("a corrupted commit with nothing behind it", 3, [CORRUPTED], 0),
    ("a corrupted commit behind which one counts two further", 3, [CORRUPTED, commit(5)], 2),
    ("a corrupted commit behind which the next is only its own number", 3, [CORRUPTED, commit(4)], 0),
    ("two corrupted commits in a row", 3, [CORRUPTED, CORRUPTED, commit(6)], 0),
    ("two corrupted commits apart", 3, [CORRUPTED, commit(5), CORRUPTED, commit(7)], 4),
    ("sound commits before a corrupted last one", 3, [commit(4), CORRUPTED], 1),
]


@pytest.mark.parametrize(("what", "count", "found", "sure"), CASES, ids=[case[0] for case in CASES])
def test_commits_before_the_last_are_certain(what: str, count: int, found: list[Commit], sure: int) -> None:
    assert wal.certain(found, count) == found[:sure], what


@pytest.mark.parametrize("content", [b"", b"short", bytes(HEADER), bytes(HEADER + 3 * FRAME)])
def test_empty_log_has_no_commits(left: Left, content: bytes) -> None:
    left.log.write_bytes(content)
    assert wal.certain(left.found(), 0) == []


def test_log_of_a_machine_with_another_byte_order_is_read(left: Left) -> None:
    """The first words of the log say in which order of bytes its checksums add up."""
    content = left.log.read_bytes()
    content, chained = _big_endian((0x377F0683).to_bytes(4, "big") + content[4:])
    for start in range(HEADER, len(content), FRAME):
        summed = content[start : start + 8] + content[start + 24 : start + FRAME]
        chained = _sum(summed, chained)
        content = content[: start + 16] + _packed(chained) + content[start + 24 :]
    left.log.write_bytes(content)
    assert wal.certain(left.found(), 0) == left.found()
    assert left.merged() == [1, 2, 3, 4, 5]


def _big_endian(content: bytes) -> tuple[bytes, tuple[int, int]]:
    chained = _sum(content[:24], (0, 0))
    return content[:24] + _packed(chained) + content[32:], chained


def _sum(data: bytes, chained: tuple[int, int]) -> tuple[int, int]:
    one, two = chained
    for first, second in iter_unpack(">II", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def _packed(chained: tuple[int, int]) -> bytes:
    return pack(">II", *chained)
