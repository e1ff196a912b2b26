"""The SQLite engine as the rest of the daemon sees it.

Each method hands operations to the writer's thread and returns when their commit is on disk. An operator's search is
several operations, one chunk each, so that appends and settlements are committed in between.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Refusal
from intercomd_daemon.errors import IntercomdError, SettingsInvalid, SpoolUnusable
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.fleet import CanDeliver
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.quota import BYTES_MIN, Quota, weigh
from intercomd_daemon.spool.refusals import Refusals, size_of
from intercomd_daemon.spool.rows import (
    Completion,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    PacingState,
    RowPage,
    Settlement,
    Usage,
    WaitingRow,
)
from intercomd_daemon.spool.sqlite import (
    claimed_seconds,
    dead_letters,
    journal,
    log,
    pacing_state,
    parked_lanes,
    refusals,
    states,
    trail,
)
from intercomd_daemon.spool.sqlite import forwarded as forwarded_table
from intercomd_daemon.spool.sqlite import workspaces as workspaces_table
from intercomd_daemon.spool.sqlite.admission import Admission
from intercomd_daemon.spool.sqlite.chunk import collect
from intercomd_daemon.spool.sqlite.dead_letters import BEGINNING, Cursor, Taken
from intercomd_daemon.spool.sqlite.file.replacement import real_path
from intercomd_daemon.spool.sqlite.inspection import foreign_problem
from intercomd_daemon.spool.sqlite.lock import hold
from intercomd_daemon.spool.sqlite.search import find_waiting
from intercomd_daemon.spool.sqlite.settings import SqliteSettings
from intercomd_daemon.spool.sqlite.settle import settle
from intercomd_daemon.spool.sqlite.store import Store
from intercomd_daemon.spool.sqlite.transaction import DatabaseOperation, Result, Transaction
from intercomd_daemon.spool.sqlite.writer import Writer
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

EXPIRY_SECONDS = 60.0
"""Between two looks for outcomes and refusals that have expired while nothing was committed."""


class SqliteSpool:
    """A spool in one SQLite file; `base.Spool` documents each method."""

    fleet = None

    def __init__(
        self,
        settings: SqliteSettings,
        admission: Admission,
        wall: Callable[[], float],
        expiry_seconds: float = EXPIRY_SECONDS,
    ) -> None:
        """Creates the closed spool; `open_spool` opens it."""
        self._admission = admission
        self._wakes: dict[str, Callable[[Priority], None]] = {}
        self._on_discard: Callable[[Sequence[Outcome]], None] = lambda _: None
        self._writer = Writer(self._wake)
        self._turn = asyncio.Lock()
        self._store: Store
        self._refusals = Refusals(settings.refusals_max, settings.outcomes_kept_seconds)
        self._wall = wall
        self._expiry_seconds = expiry_seconds
        self._expiry: asyncio.TimerHandle | None = None

    async def start(self, opening: Callable[[], Store], release: Callable[[], None]) -> None:
        """Opens the store in the writer's thread; called once, by `open_spool`."""
        self._store = await self._writer.start(opening, release)
        self._refusals.load(self._store.refusals)
        self._store.refusals.clear()
        self._expire_later(self._expiry_seconds)

    @property
    def commits(self) -> int:
        """Commits since the opening that changed something."""
        return self._store.commits

    # Accepting

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        """Appends rows to the logs."""
        if not rows and forwarded is None:
            return []
        size = sum(weigh(rows).values()) + (len(forwarded.data) if forwarded else 0)
        return await self._writer.submit(log.Append(rows, self._admission.admit, forwarded), append_bytes=size)

    def insertion(self) -> asyncio.Future[None] | None:
        """Returns a future that is done when the current commit begins; None: no rows are inserted now."""
        return self._writer.insertion()

    async def forwarded(self, caller: str, agent_id: str, connection: str) -> Forwarded | None:
        """Returns the results of the last request that an agent forwarded for a connection."""
        key = (caller, agent_id, connection)
        return await self._writer.perform(lambda transaction: forwarded_table.load(transaction, key))

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Keeps refusals in memory; `close` saves them."""
        self._refusals.add(refusals)

    def usage(self) -> Usage:
        """Returns the counters as of the last commit."""
        return self._store.usage

    async def seconds(self) -> list[tuple[int, int]]:
        """Returns the pairs remembered at the opening, oldest first."""
        return claimed_seconds.unpack_pairs(self._store.seconds)

    # Delivering

    async def acquire(self, workspace: str, can_deliver: CanDeliver | None = None) -> LocalOutflow:  # noqa: ARG002 - never asked
        """Acquires a workspace at once: the lock on the file keeps every other process out."""
        return LocalOutflow(self, workspace)

    async def save_pacing(self, workspace: str, state: PacingState) -> None:
        """Saves the pacing state of a workspace."""
        await self._writer.perform(partial(pacing_state.save, workspace=workspace, state=state))

    async def load_pacing(self, workspace: str) -> PacingState | None:
        """Returns the pacing state of a workspace, unless its window has ended."""
        return await self._deliver(partial(pacing_state.load, workspace=workspace))

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a log."""
        return await self._deliver(lambda each: log.read(each, connection, priority, after, rows_max, bytes_max))

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits settlements and returns the new outcomes."""
        if not settlements:
            return []
        return await self._deliver(lambda each: settle(each, settlements, self._admission.has_room))

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Parks a lane until `due`."""
        await self._deliver(lambda each: parked_lanes.park(each, connection, lane, keys, due, attempts))

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """Returns the parked lanes due by `now`, and when the next one is due."""
        return await self._deliver(lambda transaction: parked_lanes.due(transaction, connection, now, lanes_max))

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a parked lane."""
        return await self._deliver(lambda each: parked_lanes.read(each, connection, lane, after, rows_max, bytes_max))

    async def _deliver(self, run: DatabaseOperation[Result]) -> Result:
        """Performs an operation of the deliverer: the writer retries it until the disk takes it."""
        return await self._writer.perform(run, retried=True)

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers the callback for commits that append rows to a log of the connection."""
        self._wakes[connection] = wake

    def _wake(self, grown: set[tuple[str, Priority]]) -> None:
        for connection, priority in sorted(grown):
            if connection in self._wakes:
                self._wakes[connection](priority)

    # Operating

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """Lists the journal, newest first."""
        return await collect(self._search, journal.read_before, wanted, before, limit)

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """Lists the journal in order, and returns the oldest sequence that it holds."""
        outcomes = await collect(self._search, journal.read_after, wanted, after, limit)
        return outcomes, await self._writer.perform(journal.oldest)

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters in the order of their ids."""
        return await collect(self._search, dead_letters.read_after, wanted, after, limit)

    async def newest_dead_letters(self, wanted: DeadLetterFilter, before: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters, newest first."""
        return await collect(self._search, dead_letters.read_newest, wanted, before, limit)

    async def count_dead_letters_by_reason(self, wanted: DeadLetterFilter) -> dict[str, int]:
        """Counts the dead letters of each reason that the filter matches."""
        return await self._writer.perform(lambda transaction: dead_letters.count_by_reason(transaction, wanted))

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """Counts the dead letters that the filter matches."""
        return await self._writer.perform(lambda transaction: dead_letters.count(transaction, wanted))

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters, 500 letters a commit."""
        return await self._take_all(partial(dead_letters.replay, wanted=wanted, expected=expected))

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters, 500 letters a commit."""
        return await self._take_all(partial(dead_letters.discard, wanted=wanted, expected=expected))

    async def _take_all(self, take: Callable[..., Taken]) -> int:
        """Replays or discards chunk by chunk until no letter is left; returns how many it took."""
        done = 0
        cursor: Cursor | None = BEGINNING
        while cursor is not None:
            taking = asyncio.ensure_future(self._writer.perform(partial(take, cursor=cursor)))
            # If the caller is cancelled meanwhile, the commit still happens and its outcomes are still reported.
            taking.add_done_callback(self._report_discarded)
            taken = await asyncio.shield(taking)
            done += taken.letters
            cursor = taken.next
        return done

    def _report_discarded(self, taking: asyncio.Future[Taken]) -> None:
        if not taking.cancelled() and not taking.exception() and taking.result().outcomes:
            self._on_discard(taking.result().outcomes)

    def on_discard(self, report: Callable[[Sequence[Outcome]], None]) -> None:
        """Registers the callback for commits that discard dead letters."""
        self._on_discard = report

    async def _search(self, read: DatabaseOperation[Result]) -> Result:
        """Performs a step of an operator's search. Searches take turns: no commit holds steps of two."""
        async with self._turn:
            return await self._writer.perform(read)

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """Returns the envelope of this id if it still waits."""
        keys = await self.find_waiting(TrailFilter(connection=connection, envelope_id=envelope_id), 0, 1)
        found = await self.waiting_rows(keys)
        return record.unpack(found[0].row.data, AcceptedEnvelope) if found else None

    async def find_waiting(self, wanted: TrailFilter, before: int, limit: int) -> list[int]:
        """Returns the keys of waiting rows, newest first."""
        return await find_waiting(self._search, wanted, before, limit)

    async def waiting_rows(self, keys: Sequence[int]) -> list[WaitingRow]:
        """Returns the rows of these keys that still wait."""
        return await self._writer.perform(lambda transaction: trail.rows(transaction, keys))

    async def complete(self, connection: str, completion: Completion) -> Outcome | None:
        """Ends a waiting row."""
        outcomes = await self.settle([Settlement(connection, [completion])])
        return outcomes[0] if outcomes else None

    async def trail_outcomes(self, wanted: TrailFilter, before: int, limit: int) -> list[KeptOutcome]:
        """Lists outcomes of the journal, then of dead letters that outlived it, newest first."""
        outcomes = await collect(self._search, trail.read_journal, wanted, before, limit)
        return outcomes + await collect(self._search, trail.read_old_letters, wanted, before, limit - len(outcomes))

    async def refusals(self, wanted: TrailFilter, before: int, limit: int) -> list[Refusal]:
        """Lists rejected and skipped envelopes, newest first."""
        return self._refusals.find(wanted, before, limit, self._wall())

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Stores whether an operator paused the connection."""

        def pause(transaction: Transaction) -> None:
            transaction.counters.connection(connection).paused = int(paused)

        await self._writer.perform(pause)

    async def paused(self) -> frozenset[str]:
        """Returns the paused connections."""
        return self._store.paused

    async def set_connections(self, names: Sequence[str]) -> None:
        """Replaces the connections that share the quota."""

        def number(transaction: Transaction) -> None:
            for name in names:
                transaction.counters.connection(name)

        await self._writer.perform(number)
        self._admission.set_connections(tuple(names))

    async def set_workspaces(self, workspaces: Mapping[str, str]) -> list[str]:
        """Stores the workspace of each connection; returns those that had another one."""
        moved = await self._deliver(partial(workspaces_table.enter, workspaces=workspaces))
        for name in moved:
            while not await self._deliver(partial(workspaces_table.move, name=name, workspace=workspaces[name])):
                pass  # a further commit
        return moved

    def now(self) -> float:
        """Returns Unix seconds by this host's clock."""
        return self._wall()

    async def load_state(self, name: str) -> bytes:
        """Returns a state that `save_state` stored."""
        return await self._deliver(lambda transaction: states.load(transaction.database, name))

    async def save_state(self, name: str, data: bytes) -> None:
        """Stores a state; workers do so between their calls, and wait for the disk as with a settlement."""
        await self._deliver(lambda transaction: states.save(transaction.database, name, data))

    # Ending

    def busy_seconds(self) -> float:
        """Returns how long the writer has worked on the commit at hand."""
        return self._writer.busy_seconds()

    async def wait_closed(self) -> None:
        """Returns once the file is closed; raises the error that ended the thread."""
        await self._writer.wait_ended()

    async def close(self) -> None:
        """Commits what waits and closes the file."""
        with suppress(IntercomdError):  # A disk that refuses does not keep the daemon from stopping.
            await self._writer.perform(self._save)
        if self._expiry is not None:
            self._expiry.cancel()
        await self._writer.close()

    def _expire_later(self, seconds: float) -> None:
        self._expiry = asyncio.get_running_loop().call_later(seconds, self._start_expiring)

    def _start_expiring(self) -> None:
        self._expiring = asyncio.create_task(self._expire())

    async def _expire(self) -> None:
        """Deletes what has expired, while no commits do: outcomes a chunk at a time, and refusals."""
        self._refusals.expire(self._wall())
        more = False
        with suppress(IntercomdError):  # The disk refuses, or the spool is closing.
            more = await self._writer.perform(journal.request_expiry)
        if not self._writer.closing:
            self._expire_later(0.0 if more else self._expiry_seconds)

    def _save(self, transaction: Transaction) -> None:
        """Saves the refusals, which are in memory only, where the disk has room."""
        kept = self._refusals.all(transaction.now)
        if self._refusals.changed and self._admission.has_room(transaction.counters, sum(map(size_of, kept))):
            refusals.save(transaction, kept)


async def open_spool(
    settings: SqliteSettings,
    *,
    on_wait: Callable[[str], None] | None = None,
    on_commit: Callable[[int, float], None] | None = None,
    on_damage: Callable[[str], None] = lambda _: None,
    on_refusing: Callable[[str], None] = lambda _: None,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    expiry_seconds: float = EXPIRY_SECONDS,
) -> SqliteSpool:
    """Opens the spool, creating it if it does not exist. Opening reads no backlog.

    Args:
        settings: where and how large.
        on_wait: called once with the holder's name if another daemon holds the spool.
        on_commit: called in the writer's thread after each commit, with the rows it changed and the seconds it took.
        on_damage: called with a sentence on what was corrupt and what became of it; it names no user.
        on_refusing: called with the reason when appends start to be refused or the deliverer waits for the disk, and
            with "" when appends are accepted again.
        wall: Unix seconds, for times that are stored.
        monotonic: seconds of a clock that does not jump, for the age of the duplicate window.
        expiry_seconds: between two looks for what has expired while nothing was committed.

    Raises:
        SettingsInvalid: `bytes_max` is too small for one envelope.
        SpoolLocked: another daemon still holds the spool after `lock_wait_seconds`.
        SpoolUnusable: the file is not a database, another program's, another major version's or not writable; or it is
            corrupt and the disk has no room for a repair.
    """
    if settings.bytes_max < BYTES_MIN:
        raise SettingsInvalid([f"spool.bytes_max = {settings.bytes_max}: at least {BYTES_MIN} bytes are needed"])
    settings = dataclasses.replace(settings, path=real_path(settings.path))
    # Opening a pipe would wait for ever, and what is written to a device is lost.
    if problem := foreign_problem(settings.path):
        raise SpoolUnusable(problem)
    lock = await hold(settings.path, settings.lock_wait_seconds, on_wait)
    loop = asyncio.get_running_loop()

    def on_loop(callback: Callable[[str], None], message: str) -> None:
        """Calls back on the event loop what the writer's thread reports."""
        with suppress(RuntimeError):  # The loop is closed, and with it everyone who listened.
            loop.call_soon_threadsafe(callback, message)

    quota = Quota(settings.bytes_max, settings.connections)
    admission = Admission(settings.path, quota, settings.free_bytes_min, partial(on_loop, on_refusing))
    spool = SqliteSpool(settings, admission, wall, expiry_seconds)
    report = partial(on_loop, on_damage)
    await spool.start(lambda: Store(settings, admission, wall, monotonic, on_commit, report, lock), lock.release)
    lock.opened()
    return spool
