"""Kills a daemon in each phase of its life, and proves that the kill fell into that phase.

The proof reads only what the kill recorded of the daemon before and after it, and the senders' notes.
"""

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from pathlib import Path

from daemons.process import Daemon
from intercom.fault_proxy import FaultProxy
from kill_harness.producers import Notes

LINGER_SECONDS = 2.0
"""The daemon takes envelopes for this time after SIGTERM; only then it drains."""
START_SECONDS = 0.2
"""Less than what a start takes."""
WAIT_SECONDS = 60.0
WRITES_MAX = 12
_LOOK_SECONDS = 0.0002


class Phase(StrEnum):
    """What the daemon is doing."""

    COMMITTING = "committing"
    DELIVERING = "delivering"
    STARTING = "starting"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and what was seen of it. Times are of the clock that all processes of the machine share."""

    phase: Phase
    at: float
    code: int
    logged: frozenset[str]
    """What the log of this start says: "operations", "serving", "draining", "stopped"."""
    written: bool = False
    """The spool was written to in the milliseconds before."""
    calls_cut: int = 0
    """Calls that the daemon had made and got no answer to, as the proxy knows."""
    asked_to_stop_at: float = 0.0

    def proves(self, notes: Notes) -> bool:
        """Whether it is shown that the kill fell into its phase."""
        killed = self.code == -signal.SIGKILL
        match self.phase:
            case Phase.COMMITTING:
                return killed and self.written and bool(notes.cut_off(self.at))
            case Phase.DELIVERING:
                return killed and self.calls_cut > 0
            case Phase.STARTING:
                return killed and "serving" not in self.logged
            case Phase.DRAINING:
                return killed and "draining" in self.logged and "stopped" not in self.logged


class Killer:
    """Kills one daemon, as often as it is asked to, at moments that chance chooses within the phase."""

    def __init__(self, daemon: Daemon, proxy: FaultProxy, chance: random.Random) -> None:
        self._daemon = daemon
        self._proxy = proxy
        self._random = chance
        self._spool = daemon.folder / "spool.db-wal"
        self._open = 0
        """Calls without an answer at the last signal."""
        self._late = cycle((False, True))
        self._holds = cycle((True, False, False, True))

    async def committing(self) -> Kill:
        """While it writes: the kill follows a change of the write-ahead log at once, before most syncs are over."""
        writes = self._random.randint(1, WRITES_MAX)
        written = await asyncio.to_thread(_kill_at_write, self._spool, self._daemon.pid, writes)
        return await self._end(Phase.COMMITTING, time.monotonic(), written=written)

    async def delivering(self) -> Kill:
        """While Intercom has not answered: as it comes, or with all answers kept back, so that every call is cut."""
        calls = self._proxy.calls + self._random.randint(1, 30)
        await self._proxy.until(lambda: self._proxy.open and self._proxy.calls >= calls)
        if next(self._holds):
            self._proxy.holding = True
            await self._proxy.until(lambda: self._proxy.open)
        kill = await self._end(Phase.DELIVERING, self._kill())
        self._proxy.let_go()
        return kill

    async def starting(self) -> Kill:
        """Before it serves: at any moment after its birth, or after its operators are let in."""
        await self._daemon.launch()
        if next(self._late):
            await self._daemon.heard("operations")
            await pause(self._random.uniform(0.0, 0.02))
        else:
            await pause(self._random.uniform(0.0, START_SECONDS))
        return await self._end(Phase.STARTING, self._kill())

    async def draining(self) -> Kill:
        """After SIGTERM: while it still takes envelopes, or while the calls under way, held back, keep it."""
        held = next(self._holds)
        if held:
            self._proxy.holding = True
            await self._proxy.until(lambda: self._proxy.open)
        asked_at = time.monotonic()
        self._daemon.signal(signal.SIGTERM)
        await self._daemon.heard("draining")
        await pause(self._random.uniform(0.0, 1.0) + (LINGER_SECONDS if held else 0.0))
        at = self._kill() if self._daemon.runs else time.monotonic()
        kill = await self._end(Phase.DRAINING, at, asked_at=asked_at)
        self._proxy.let_go()
        return kill

    def _kill(self) -> float:
        at = time.monotonic()
        self._open = self._proxy.open
        self._daemon.signal(signal.SIGKILL)
        return at

    async def _end(self, phase: Phase, at: float, *, written: bool = False, asked_at: float = 0.0) -> Kill:
        """What is seen once the process is gone, and the proxy has found its calls abandoned."""
        abandoned = self._proxy.abandoned
        code = await self._daemon.gone()
        await self._proxy.until(lambda: not self._proxy.open)
        logged = frozenset(str(line["event"]) for line in self._daemon.since_start())
        calls_cut = max(self._open, self._proxy.abandoned - abandoned)
        self._open = 0
        return Kill(phase, at, code, logged, written, calls_cut, asked_at)


async def pause(seconds: float) -> None:
    """Time that chance has chosen: nothing is expected to have happened when it is over."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


def _kill_at_write(file: Path, pid: int, writes: int) -> bool:
    """Kills the process at the so-manieth change of the file that is seen; False if there are none."""
    never = threading.Event()
    deadline = time.monotonic() + WAIT_SECONDS
    look = _look(file)
    seen = look()
    while time.monotonic() < deadline:
        now = look()
        if now == seen:
            never.wait(_LOOK_SECONDS)
            continue
        seen = now
        writes -= 1
        if not writes:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _look(file: Path) -> Callable[[], tuple[int, int]]:
    def look() -> tuple[int, int]:
        state = file.stat()
        return state.st_size, state.st_mtime_ns

    return look
