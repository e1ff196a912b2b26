"""Plays a script of every spool operation on disks that fail at different calls, and checks the result.

The script is played once on a sound disk. Every other play must have the same result, only later: a refused call is
repeated until it is accepted, as senders and the worker do.
"""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from disk.faulty import Disk, Fault, Kind
from disk.power_cut import power_cut
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolFull, SpoolUnusable
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import CachedContact, Completion, DeadLetterFilter, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from spool.model import NOON, Held, end_of, made
from spool.snapshot import Seen, see

CONNECTIONS = ("eu", "us")
WINDOW_SECONDS = 100.0
ALL = (1_000, 1 << 30)
RARE = 20
"""Calls of a kind, at most, that are each tried."""
Call = Callable[[SqliteSpool, list[Any]], Awaitable[Any]]
"""Given what the earlier ones returned."""


class Act(NamedTuple):
    """One call of the spool."""

    call: Call
    kept: bool = True
    """It waits for the disk, as the deliverer's calls do; others are refused, and come again."""


@dataclass
class Clock:
    """Both clocks."""

    seconds: float = 0.0

    def wall(self) -> float:
        return NOON + self.seconds

    def monotonic(self) -> float:
        return self.seconds


def row(connection: str, user: str, name: str, size: int = 0, priority: Priority = Priority.NORMAL) -> Incoming:
    """A row to append."""
    return made(connection, priority, user, name, size, recognised=True)


def ending(incoming: Incoming, key: int, reason: str = "") -> Completion:
    """How it ends."""
    return end_of(key, Held(incoming), reason)


ANN = [row("eu", "ann", f"ann {number}") for number in range(4)]
BOB = [row("us", "bob", f"bob {number}", 30_000, Priority.BULK) for number in range(3)]
LATE = [row("us", "cid", f"cid {number}", 3_000) for number in range(3)]
EU = DeadLetterFilter(connection="eu")
US = DeadLetterFilter(connection="us")


def _settled_ann(spool: SqliteSpool, results: list[Any]) -> Awaitable[Any]:
    data = record.pack(ANN[1])
    entry = CachedContact("c:ann", "contact", data)
    return spool.settle(
        [Settlement("eu", [ending(ANN[0], results[0][0], "REFUSED")], [(results[0][1], data)], [entry])]
    )


def _settled_bob(spool: SqliteSpool, results: list[Any]) -> Awaitable[Any]:
    ended = [ending(BOB[0], results[1][0]), ending(BOB[1], results[1][1], "REFUSED")]
    return spool.settle([Settlement("us", ended)])


BEFORE: Sequence[Act] = (
    Act(lambda spool, _: spool.append(ANN[:3]), kept=False),
    Act(lambda spool, _: spool.append(BOB), kept=False),
    Act(_settled_ann),
)
"""Done before the disk fails; the process is killed after it, so that a write-ahead log is there to be read."""
ACTS: Sequence[Act] = (
    Act(lambda spool, results: spool.park("eu", "c:ann", results[0][2:], 5.0, 2)),
    Act(lambda spool, _: spool.append(ANN[3:]), kept=False),
    Act(lambda spool, _: spool.read("eu", Priority.NORMAL, 0, *ALL)),
    Act(_settled_bob),
    Act(lambda spool, _: spool.parked("eu", "c:ann", 0, *ALL)),
    Act(lambda spool, _: spool.set_paused("us", paused=True), kept=False),
    Act(lambda spool, _: spool.replay(EU, 1), kept=False),
    Act(lambda spool, _: spool.discard(US, 1), kept=False),
    Act(lambda spool, _: spool.append(LATE[:2]), kept=False),
    Act(lambda spool, _: spool.append(LATE[1:]), kept=False),
)
TURNS = len(BEFORE) + len(ACTS) - 2
"""From this act on, time passes: the duplicate window turns at each."""


async def opened(path: Path, clock: Clock, reports: list[str]) -> SqliteSpool:
    """The spool; `reports` is what is said of damage."""
    settings = SqliteSettings(
        str(path), free_bytes_min=0, connections=CONNECTIONS, duplicate_window_seconds=WINDOW_SECONDS
    )
    return await open_spool(settings, on_damage=reports.append, wall=clock.wall, monotonic=clock.monotonic)


def log_of(path: Path) -> Path:
    """The write-ahead log of a spool."""
    return path.with_name(path.name + "-wal")


async def seen_in(path: Path) -> Seen:
    """What a spool holds that no process has open."""
    reports: list[str] = []
    spool = await opened(path, Clock(), reports)
    seen = await see(spool)
    await spool.close()
    assert not reports, f"a failing disk is not damage: {reports}"
    return seen


def copied(path: Path, folder: Path) -> Path:
    """The spool as a kill would leave it, in a new folder."""
    folder.mkdir()
    for file in (path, log_of(path)):
        shutil.copyfile(file, folder / file.name)
    return folder / path.name


@dataclass
class Rehearsal:
    """The script without faults."""

    results: list[Any] = field(default_factory=list)
    states: list[Seen] = field(default_factory=list)
    """After each act, from the last of those before the disk fails."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What a kill then left."""
    calls: Counter[Kind] = field(default_factory=Counter)
    """How many of each kind the disk is asked for by what follows, opening and closing included."""


async def rehearse(folder: Path) -> Rehearsal:
    """Plays the script on a disk that does not fail."""
    rehearsal = Rehearsal()
    path = folder / "spool.db"
    clock = Clock()
    spool = await opened(path, clock, [])
    for number, act in enumerate((*BEFORE, *ACTS)):
        clock.seconds += WINDOW_SECONDS if number >= TURNS else 0.0
        rehearsal.results.append(await act.call(spool, rehearsal.results))
        if number == len(BEFORE) - 1:
            rehearsal.files = {file.name: file.read_bytes() for file in (path, log_of(path))}
        if number >= len(BEFORE) - 1:
            rehearsal.states.append(await seen_in(copied(path, folder / str(number))))
    await spool.close()
    (folder / "counted").mkdir()
    trial = Trial(folder / "counted", rehearsal, None)
    await trial.run()
    rehearsal.calls = trial.disk.calls
    return rehearsal


class Trial:
    """The script on one disk."""

    def __init__(self, folder: Path, rehearsal: Rehearsal, fault: Fault | None) -> None:
        for name, content in rehearsal.files.items():
            (folder / name).write_bytes(content)
        self._path = folder / "spool.db"
        self._rehearsal = rehearsal
        self.disk = Disk(folder)
        self.disk.fail(fault)
        self.refused = 0
        """Openings and calls that were refused."""

    async def run(self) -> None:
        """Plays it, with patience, and looks at what is left at the end."""
        clock, reports = Clock(), []
        with below_sqlite(self.disk):
            spool = await self._opened(clock, reports)
            for number, act in enumerate(ACTS, len(BEFORE)):
                clock.seconds += WINDOW_SECONDS if number >= TURNS else 0.0
                assert await self._taken(act, spool) == self._rehearsal.results[number]
                self.disk.mark()
            assert spool.usage().full_reason == ""
            await spool.close()
        assert not reports, f"a failing disk is not damage: {reports}"
        assert await seen_in(self._path) == self._rehearsal.states[-1]

    async def _opened(self, clock: Clock, reports: list[str]) -> SqliteSpool:
        """Opened as often as a platform would start a daemon."""
        while True:
            failed = self.disk.failed
            try:
                return await opened(self._path, clock, reports)
            except SpoolUnusable:
                assert self.disk.failed > failed, "nothing is refused without need"
                self.refused += 1

    async def _taken(self, act: Act, spool: SqliteSpool) -> Any:  # noqa: ANN401 - what the call returns
        while True:
            failed = self.disk.failed
            try:
                return await act.call(spool, self._rehearsal.results)
            except SpoolFull:
                assert self.disk.failed > failed, "nothing is refused without need"
                assert not act.kept
                self.refused += 1

    async def cut(self, folder: Path, chance: random.Random) -> None:
        """Cuts the power at or after the first failure: what is left is what was answered, and perhaps one act more."""
        moment = chance.randint(self.disk.failed_at, len(self.disk.operations))
        reports = self.disk.operations[:moment]
        for name, content in power_cut(reports, chance).items():
            (folder / name).write_bytes(content)
        done = sum(operation.kind is Kind.MARK for operation in reports)
        assert await seen_in(folder / "spool.db") in self._rehearsal.states[done : done + 2]


def faults(calls: Counter[Kind], stride: int) -> list[Fault]:
    """Of each kind every so manieth call, but all of a rare kind: to fail once, or until it has been tried four times.

    Writes fail for want of room too.
    """
    found = []
    for kind, full in [*((kind, False) for kind in calls), (Kind.WRITE, True)]:
        step = stride if calls[kind] > RARE else 1
        found += [Fault(kind, full, after, times=1) for after in range(0, calls[kind], step)]
        found += [Fault(kind, full, after, times=4) for after in range(step // 2, calls[kind], 2 * step)]
    return found


async def play(folder: Path, rehearsal: Rehearsal, chosen: Sequence[Fault], at_once: int = 16) -> list[Trial]:
    """Plays the script with each fault, several at once, as most of the time passes in waiting for a retry."""
    rotation_due = asyncio.Semaphore(at_once)

    async def one(number: int, fault: Fault) -> Trial:
        place = folder / str(number)
        (place / "cut").mkdir(parents=True)
        async with rotation_due:
            trial = Trial(place, rehearsal, fault)
            await trial.run()
            await trial.cut(place / "cut", random.Random(number))  # noqa: S311 - nothing to guess
            shutil.rmtree(place)
            trial.disk.operations.clear()  # Megabytes.
            return trial

    async with asyncio.TaskGroup() as trials:
        tasks = [trials.create_task(one(number, fault)) for number, fault in enumerate(chosen)]
    return [task.result() for task in tasks]
