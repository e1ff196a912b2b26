"""A spool whose commits take virtual time, so that a crash can interrupt them.

Operations wait for the next commit and take effect there together and in order, as in the SQLite engine. The engine
behind it is the memory engine, or the SQLite engine, whose own commits take no virtual time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from clock.virtual import VirtualLoop
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Effect, Outcome, Progress
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.keys import priority_of
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import DeadLetterFilter, Incoming, RowPage, Settlement
from simulation.intercom import number_of, part_of
from simulation.order import Order

Result = TypeVar("Result")
COMMIT_SECONDS = (0.003, 0.03)
STALL_SECONDS = 6.0


class Commits(Protocol):
    """How operations reach the disk."""

    async def perform(self, operation: Callable[[], Coroutine[Any, Any, Result]], *, sent: bool = False) -> Result:
        """Performs an operation. `sent`: its caller repeats it if the daemon crashes."""
        ...

    async def crash(self) -> None:
        """The caller is gone: what it has asked for is done, or forgotten, by now."""
        ...


class InMemory:
    """Commits of the engine in memory: requests take effect at the next one, or with a crash not at all."""

    def __init__(self, loop: VirtualLoop, chance: Random, *, stalls: float = 0.0) -> None:
        self._loop = loop
        self._chance = chance
        self._stalls = stalls
        self._waiting: list[tuple[Callable[[], Coroutine[Any, Any, Any]], asyncio.Future[Any], bool]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def perform(self, operation: Callable[[], Coroutine[Any, Any, Result]], *, sent: bool = False) -> Result:
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((operation, future, sent))
        if self._timer is None:
            stalls = self._chance.random() < self._stalls
            seconds = self._chance.uniform(*COMMIT_SECONDS) + stalls * STALL_SECONDS * self._chance.random()
            self._timer = self._loop.call_later(seconds, self._commit)
        return await asyncio.shield(future)

    def _commit(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        for operation, future, _ in waiting:
            future.set_result(_run(operation()))

    async def crash(self) -> None:
        if self._chance.random() < 0.5:
            self._waiting = [waiting for waiting in self._waiting if waiting[2]]
        if self._timer is not None:
            self._timer.cancel()
            self._commit()


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """An operation of the engine in memory never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError


class OnDisk:
    """Commits of an engine with a thread of its own."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._under_way: set[asyncio.Task[Any]] = set()

    async def perform(self, operation: Callable[[], Coroutine[Any, Any, Result]], *, sent: bool = False) -> Result:  # noqa: ARG002 - all is done
        task = self._loop.create_task(self._loop.outside(operation()))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def crash(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)


class DelayedSpool:
    """The spool as the worker and the senders of a simulation see it."""

    def __init__(
        self, spool: Spool, commits: Commits, order: Order, settled: Callable[[Sequence[Outcome]], None]
    ) -> None:
        self._spool = spool
        self._commits = commits
        self._order = order
        self._settled = settled
        self._rows: dict[int, tuple[str, int]] = {}
        """Key to user and number, of each row that was read."""

    async def append(self, rows: Sequence[Incoming], on_commit: Callable[[], None]) -> None:
        """Appends envelopes; `on_commit` is called with the commit."""

        async def append() -> None:
            await self._spool.append(rows)
            on_commit()

        await self._commits.perform(append, sent=True)

    async def replay(self, wanted: DeadLetterFilter, expected: int, on_commit: Callable[[], None]) -> None:
        async def replay() -> None:
            assert await self._spool.replay(wanted, expected) == expected
            on_commit()

        await self._commits.perform(replay, sent=True)

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        read = self._commits.perform(lambda: self._spool.read(connection, priority, after, rows_max, bytes_max))
        return self._seen(await read)

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        lanes = [lane for settlement in settlements for lane in self._lanes(settlement)]
        self._order.commits(lanes, 1)

        async def settle() -> list[Outcome]:
            outcomes = await self._spool.settle(settlements)
            self._order.commits(lanes, -1)
            for settlement in settlements:
                self._note(settlement)
            self._settled(outcomes)
            return outcomes

        return await self._commits.perform(settle)

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        await self._commits.perform(lambda: self._spool.park(connection, lane, keys, due, attempts))

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        return await self._commits.perform(lambda: self._spool.due(connection, now, lanes_max))

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        read = self._commits.perform(lambda: self._spool.parked(connection, lane, after, rows_max, bytes_max))
        return self._seen(await read)

    def _seen(self, page: RowPage) -> RowPage:
        for row in page.rows:
            if row.key not in self._rows:
                self._rows[row.key] = (row.lane, number_of(unpack(row.data, AcceptedEnvelope).envelope_id))
        return page

    async def load_state(self, name: str) -> bytes:
        return await self._commits.perform(lambda: self._spool.load_state(name))

    async def save_state(self, name: str, data: bytes) -> None:
        await self._commits.perform(lambda: self._spool.save_state(name, data))

    def check_held(self) -> None:
        pass  # no other process takes the workspace

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        self._spool.on_append(connection, wake)

    async def crash(self) -> None:
        """The worker is gone without warning."""
        self._spool.on_append("default", lambda _: None)
        await self._commits.crash()

    def _lanes(self, settlement: Settlement) -> set[str]:
        keys = [ended.key for ended in settlement.completions] + [key for key, _ in settlement.progress]
        return {self._rows[key][0] for key in keys} | {entry.lane for entry in settlement.contacts}

    def _note(self, settlement: Settlement) -> None:
        for key, data in settlement.progress:
            self._settle(key, unpack(data, Progress).effects)
        for ended in settlement.completions:
            self._settle(ended.key, ended.outcome.effects)

    def _settle(self, key: int, effects: Sequence[Effect]) -> None:
        lane, number = self._rows[key]
        for effect in effects:
            self._order.settle(lane, priority_of(key), part_of(number, effect))
