"""The SQLite engine as the rest of the daemon sees it: each method is one operation in the spool's thread.

Operators' searches are several, a chunk each, so that appends and settlements go between them.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool.base import (
    Batch,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    Settlement,
    Usage,
)
from intercomd_daemon.spool.quota import BYTES_MIN, Quota, weigh
from intercomd_daemon.spool.sqlite import journal, lanes, letters, log, settle, waiting
from intercomd_daemon.spool.sqlite import seconds as ring
from intercomd_daemon.spool.sqlite.gate import Gate
from intercomd_daemon.spool.sqlite.lock import hold
from intercomd_daemon.spool.sqlite.settings import SpoolSettings
from intercomd_daemon.spool.sqlite.store import Store
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.writer import Writer


class SqliteSpool:
    """A spool in one SQLite file; the law of each method is `base.Spool`'s."""

    def __init__(self, gate: Gate) -> None:
        """Not open yet: `open_spool` makes and opens it."""
        self._gate = gate
        self._wakes: dict[str, Callable[[Priority], None]] = {}
        self._discarded: Callable[[Sequence[Outcome]], None] = lambda _: None
        self._writer = Writer(self._wake)
        self._store: Store

    async def start(self, opening: Callable[[], Store], release: Callable[[], None]) -> None:
        """Opens; called once, by `open_spool`."""
        self._store = await self._writer.start(opening, release)

    @property
    def commits(self) -> int:
        """Commits that changed something, since the opening."""
        return self._store.commits

    async def append(self, rows: Sequence[Incoming]) -> list[int]:
        """Appends rows; see `base.Intake`."""
        if not rows:
            return []
        return await self._writer.perform(log.Append(rows, self._gate.admit), append_bytes=sum(weigh(rows).values()))

    def usage(self) -> Usage:
        """The counters as of the last commit."""
        return self._store.usage

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> Batch:
        """Reads on in a log; see `base.Outflow`."""
        return await self._writer.perform(
            lambda transaction: log.read(transaction, connection, priority, after, rows_max, bytes_max), kept=True
        )

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits what has been judged; see `base.Outflow`."""
        if not settlements:
            return []
        return await self._writer.perform(lambda transaction: settle.settle(transaction, settlements), kept=True)

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Sets a lane aside; see `base.Outflow`."""
        await self._writer.perform(
            lambda transaction: lanes.park(transaction, connection, lane, keys, due, attempts), kept=True
        )

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """The parked lanes due by `now`, and when the next is; see `base.Outflow`."""
        return await self._writer.perform(
            lambda transaction: lanes.due(transaction, connection, now, lanes_max), kept=True
        )

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> Batch:
        """Reads on in a parked lane; see `base.Outflow`."""
        return await self._writer.perform(
            lambda transaction: lanes.parked(transaction, connection, lane, after, rows_max, bytes_max), kept=True
        )

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Names what to call after commits that appended rows."""
        self._wakes[connection] = wake

    def _wake(self, grown: set[tuple[str, Priority]]) -> None:
        for connection, priority in sorted(grown):
            if connection in self._wakes:
                self._wakes[connection](priority)

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """The journal, newest first."""
        outcomes: list[Outcome] = []
        while len(outcomes) < limit:
            chunk = partial(journal.older, wanted=wanted, before=before, limit=limit - len(outcomes))
            found = await self._writer.perform(chunk)
            outcomes += found.outcomes
            before = found.on
            if not before:
                break
        return outcomes

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """The journal in order, and the oldest sequence that it holds."""
        outcomes: list[Outcome] = []
        while len(outcomes) < limit:
            chunk = partial(journal.newer, wanted=wanted, after=after, limit=limit - len(outcomes))
            found = await self._writer.perform(chunk)
            outcomes += found.outcomes
            after = found.on
            if not after:
                break
        return outcomes, await self._writer.perform(journal.oldest)

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters in the order of their ids."""
        matching: list[DeadLetter] = []
        while len(matching) < limit:
            chunk = partial(letters.listed, wanted=wanted, after=after, limit=limit - len(matching))
            found = await self._writer.perform(chunk)
            matching += found.letters
            after = found.on
            if not after:
                break
        return matching

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """How many the filter matches."""
        return await self._writer.perform(lambda transaction: letters.count(transaction, wanted))

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters, some hundreds a commit."""
        return await self._bite_by_bite(partial(letters.replay, wanted=wanted, expected=expected))

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters, some hundreds a commit."""
        return await self._bite_by_bite(partial(letters.discard, wanted=wanted, expected=expected))

    async def _bite_by_bite(self, bite: Callable[..., letters.Bite]) -> int:
        done = 0
        place: letters.Place | None = letters.BEGINNING
        while place is not None:
            taking = asyncio.ensure_future(self._writer.perform(partial(bite, place=place)))
            # Whoever asked may go away meanwhile: the commit goes on, and what it discarded is told.
            taking.add_done_callback(self._tell_discarded)
            taken = await asyncio.shield(taking)
            done += taken.done
            place = taken.on
        return done

    def _tell_discarded(self, taking: asyncio.Future[letters.Bite]) -> None:
        if not taking.cancelled() and not taking.exception() and taking.result().outcomes:
            self._discarded(taking.result().outcomes)

    def on_discard(self, tell: Callable[[Sequence[Outcome]], None]) -> None:
        """Names what to call after commits that discarded dead letters."""
        self._discarded = tell

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """The envelope of this id if it still waits."""
        envelope = await self._writer.perform(
            lambda transaction: waiting.by_window(transaction, connection, envelope_id)
        )
        tables = () if envelope else waiting.TABLES
        for table in tables:
            envelope = envelope or await self._look_through(table, connection, envelope_id)
        return envelope

    async def _look_through(self, table: str, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        after = 0
        while True:
            chunk = partial(
                waiting.by_looking, table=table, connection=connection, envelope_id=envelope_id, after=after
            )
            found = await self._writer.perform(chunk)
            after = found.on
            if not after:
                return found.envelope

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Remembers over restarts that a connection is paused."""

        def pause(transaction: Transaction) -> None:
            transaction.ledger.account(connection).paused = int(paused)

        await self._writer.perform(pause)

    def paused(self) -> frozenset[str]:
        """The paused connections."""
        return self._store.paused

    def seconds(self) -> list[tuple[int, int]]:
        """The pairs remembered at the opening, oldest first."""
        return ring.pairs_of(self._store.seconds)

    async def ended(self) -> None:
        """Returns once the file is closed; raises what ended the thread by itself."""
        await self._writer.ended()

    async def close(self) -> None:
        """Commits what waits and closes the file."""
        await self._writer.close()


async def open_spool(
    settings: SpoolSettings,
    *,
    on_wait: Callable[[str], None] | None = None,
    on_commit: Callable[[int, float], None] | None = None,
    on_damage: Callable[[str], None] = lambda _: None,
    on_refusing: Callable[[str], None] = lambda _: None,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> SqliteSpool:
    """Opens the spool, which it makes if it is not there; reads no backlog.

    Args:
        settings: where and how large.
        on_wait: called once, with who holds the spool in words, if another daemon does.
        on_commit: called in the spool's thread after each commit, with the rows it changed and the seconds it took.
        on_damage: called with what was found damaged, and what became of it, in words that name no user.
        on_refusing: called with the reason when no more is taken, or the deliverer waits for the disk; with nothing
            when more is taken again.
        wall: Unix seconds, for times that are stored.
        monotonic: seconds of a clock that does not jump, for the age of the duplicate window.

    Raises:
        SettingsInvalid: `bytes_max` is too small to hold an envelope.
        SpoolLocked: another daemon still holds it after `lock_wait_seconds`.
        SpoolUnusable: not a database, another program's or another major version's, or not writable; or damaged, and
            there is no room for a repair.
    """
    if settings.bytes_max < BYTES_MIN:
        raise SettingsInvalid([f"spool.bytes_max = {settings.bytes_max}: at least {BYTES_MIN} bytes are needed"])
    lock = await hold(settings.path, settings.lock_wait_seconds, on_wait)
    tell = partial(_tell, asyncio.get_running_loop())
    quota = Quota(settings.bytes_max, settings.connections)
    gate = Gate(settings.path, quota, settings.free_bytes_min, partial(tell, on_refusing))
    spool, damaged = SqliteSpool(gate), partial(tell, on_damage)
    await spool.start(lambda: Store(settings, gate, wall, monotonic, on_commit, damaged, lock), lock.release)
    lock.opened()
    return spool


def _tell(loop: asyncio.AbstractEventLoop, told: Callable[[str], None], said: str) -> None:
    """Passes on what the spool's thread says."""
    with suppress(RuntimeError):  # The loop is closed: nobody listens any more.
        loop.call_soon_threadsafe(told, said)
