"""Runs a spool on a recording disk, and checks what it holds after a power cut at any operation."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from disk.faulty import Disk, Kind, Operation
from disk.power_cut import power_cut
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import CachedContact, Incoming, Row, Settlement, position_of
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from intercomd_daemon.spool.sqlite.repair.verify import verify
from spool.model import NOON, Held, end_of, made
from spool.snapshot import see

CONNECTIONS = ("eu", "us")
CALLERS = 4
BATCH = 3
"""Rows of an append: the first ends, the second has progress, the third is parked where the batch's number says so."""
LOCK = "spool.db.lock"
_COPYING = {Kind.WRITE, Kind.SYNC}


@dataclass(frozen=True)
class Promise:
    """What was answered to a caller."""

    appended: dict[str, int] = field(default_factory=dict)
    """Names of rows, with their keys."""
    ended: str = ""


def row(name: str, size: int) -> Incoming:
    """The row of a name `caller/batch/place`."""
    caller, batch, _ = name.split("/")
    return made(CONNECTIONS[int(caller) % 2], Priority.NORMAL, f"user {int(batch) % 5}", name, size, recognised=True)


async def opened(path: Path, on_damage: Callable[[str], None]) -> SqliteSpool:
    """The spool, on clocks that run fast: its duplicate window turns again and again."""
    settings = SqliteSettings(str(path), free_bytes_min=0, connections=CONNECTIONS, duplicate_window_seconds=20.0)
    wall, monotonic = itertools.count(NOON), itertools.count(0.0)
    return await open_spool(settings, on_damage=on_damage, wall=wall.__next__, monotonic=monotonic.__next__)


class Work:
    """Callers who append, settle and park at once, and what they were promised."""

    def __init__(self, disk: Disk, batches: int) -> None:
        self._disk = disk
        self._batches = batches
        self.promises: list[Promise] = []
        self.damages: list[str] = []
        self.sessions: list[tuple[int, int]] = []
        """From which place of the operations to which the spool was open."""

    def _promise(self, promise: Promise) -> None:
        self.promises.append(promise)
        self._disk.mark()

    async def run(self, path: Path, rounds: int) -> None:
        """Opens, works and closes, this many times."""
        for number in range(rounds):
            spool = await opened(path, self.damages.append)
            self._disk.note(Kind.SYNC_FOLDER)  # As `Lock.opened` does, before it says that the spool is open.
            begin = len(self._disk.operations)
            async with asyncio.TaskGroup() as callers:
                for caller in range(CALLERS):
                    callers.create_task(self._call(spool, number * CALLERS + caller))
            self.sessions.append((begin, len(self._disk.operations)))
            await spool.close()
        assert self.damages == []

    async def _call(self, spool: SqliteSpool, caller: int) -> None:
        for batch in range(self._batches):
            names = [f"{caller}/{batch}/{place}" for place in range(BATCH)]
            refused = batch % 3 == 0
            # So much goes through the write-ahead log that it is copied back amid the work, and little stays.
            rows = [row(names[0], 2_000 if refused else 260_000), *(row(name, 2_000) for name in names[1:])]
            keys = await spool.append(rows)
            self._promise(Promise(appended=dict(zip(names, keys, strict=True))))
            ended = end_of(keys[0], Held(rows[0]), "REFUSED" if refused else "")
            entry = CachedContact(rows[0].lane, f"contact of {caller}", b"")
            progress = (keys[1], record.pack(rows[1]))
            await spool.settle([Settlement(rows[0].connection, [ended], [progress], [entry])])
            self._promise(Promise(ended=names[0]))
            if batch % 4 == 3:
                await spool.park(rows[2].connection, rows[2].lane, [keys[2]], 0.0, 1)


async def check(path: Path, promises: Sequence[Promise]) -> None:
    """Checks that every confirmed commit is complete and there once, and that work can continue."""
    reports: list[str] = []
    spool = await opened(path, reports.append)
    seen = await see(spool)
    waiting = {record.unpack(row.data, AcceptedEnvelope).envelope_id: row for row in seen.rows}
    ended = {outcome.envelope_id for outcome in seen.outcomes}
    promised = {name: key for promise in promises for name, key in promise.appended.items()}
    assert len(waiting) == len(seen.rows)
    assert len(ended) == len(seen.outcomes)
    assert not ended & set(waiting)
    assert set(promised) <= ended | set(waiting), "what was acknowledged is there"
    assert all(waiting[name].key == key for name, key in promised.items() if name in waiting)
    assert {promise.ended for promise in promises} - {""} <= ended, "what was settled is settled"
    batches = Counter(name.rpartition("/")[0] for name in (*ended, *waiting))
    assert set(batches.values()) <= {BATCH}, "a request is there as a whole or not at all"
    assert all(waiting[name.rpartition("/")[0] + "/1"].progress for name in ended), "and so is a settlement"
    refused = {outcome.envelope_id for outcome in seen.outcomes if outcome.reason}
    assert {letter.outcome.envelope_id for letter in seen.letters} == refused
    assert sum(usage.normal for usage in seen.usage.values()) == len(waiting)
    assert sum(usage.dead_letters for usage in seen.usage.values()) == len(refused)
    await _go_on(spool, waiting, promised)
    await spool.close()
    # A file that was made and not written yet looks like one that was emptied; nothing was promised of it.
    assert not reports or (not promises and "empty file" in reports[0]), f"a power cut is not damage: {reports}"
    assert verify(str(path)).damages == []


async def _go_on(spool: SqliteSpool, waiting: dict[str, Row], promised: dict[str, int]) -> None:
    """What waits is known again, and no position is given twice."""
    again = [row(name, 0) for name in waiting]
    assert await spool.append(again) == [0] * len(again)
    caller = 2 + max((int(name.split("/")[0]) for name in waiting), default=0)
    keys = await spool.append([row(f"{caller}/0/{place}", 0) for place in range(BATCH)])
    given = [*promised.values(), *(row.key for row in waiting.values())]
    assert min(map(position_of, keys)) > max(map(position_of, given), default=0)


async def cut_and_check(disk: Disk, work: Work, moment: int, folder: Path, seed: int) -> None:
    """Cuts the power before an operation, checks what is left, and cuts it once more during the check."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guess
    kept = work.promises[: _leave(disk.operations[:moment], folder, chance)]
    if any(begin <= moment <= end for begin, end in work.sessions):
        (folder / LOCK).write_bytes(b"process 1 on a host that lost its power\n")
    again = Disk(folder)
    with below_sqlite(again):
        await check(folder / "spool.db", kept)
    _leave(again.operations[: chance.randint(again.begin, len(again.operations))], folder / "again", chance)
    (folder / "again" / LOCK).unlink(missing_ok=True)  # What SQLite does not write is not watched.
    await check(folder / "again" / "spool.db", kept)


def _leave(reports: Sequence[Operation], folder: Path, chance: random.Random) -> int:
    """Makes a folder of what a power cut leaves; gives how many promises had been made."""
    folder.mkdir()
    for name, content in power_cut(reports, chance).items():
        (folder / name).write_bytes(content)
    return sum(operation.kind is Kind.MARK for operation in reports)


def moments(disk: Disk, cuts: int, chance: random.Random) -> list[int]:
    """When the power is cut: anywhere, and as often while the log is copied back, and while files come and go."""
    reports = list(enumerate(disk.operations))
    rare = [place for place, operation in reports if operation.kind not in {Kind.WRITE, Kind.SYNC, Kind.MARK}]
    copying = [
        place for place, operation in reports if not operation.name.endswith("-wal") and operation.kind in _COPYING
    ]
    third = cuts // 3
    places = [*chance.choices(range(len(reports)), k=cuts - 2 * third), *chance.choices(rare, k=third)]
    return sorted(place + 1 for place in [*places, *chance.choices(copying, k=third)])
