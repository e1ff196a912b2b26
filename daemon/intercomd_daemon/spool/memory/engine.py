"""The engine in memory: the whole contract, for tests and demonstrations, and as a model of the other engines.

Each method takes effect before its first await. Its content is lost with the process.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, islice
from uuid import uuid4

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Refusal
from intercomd_daemon.errors import SpoolClosed, SpoolFull
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.fleet import CanDeliver
from intercomd_daemon.spool.forwarded import KEPT_SECONDS, RECORDS_MAX, Forwarded, with_duplicates
from intercomd_daemon.spool.keys import log_start, priority_of
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory.state import Connection, ContactCache, Kept, Keys, OutcomeArchive, ParkedLane, Window
from intercomd_daemon.spool.quota import RETRY_SECONDS, Quota, weigh
from intercomd_daemon.spool.refusals import Refusals
from intercomd_daemon.spool.rows import (
    Completion,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    PacingState,
    Row,
    RowPage,
    Settlement,
    Usage,
    WaitingRow,
    position_of,
)
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter


class MemorySpool:
    """A spool in memory; `base.Spool` documents each method."""

    fleet = None

    def __init__(
        self,
        connections: Sequence[str] = ("default",),
        *,
        bytes_max: int = 64 << 20,
        duplicate_window_seconds: float = 86_400.0,
        outcomes_max: int = 1_000_000,
        outcomes_kept_seconds: float = 259_200.0,
        refusals_max: int = 10_000,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Creates an empty spool; the arguments are those of the settings."""
        self._quota = Quota(bytes_max, tuple(connections))
        self._wall = wall
        self._monotonic = monotonic
        self._window = Window(duplicate_window_seconds, wall(), monotonic())
        self._archive = OutcomeArchive(outcomes_max, outcomes_kept_seconds)
        self._refusals = Refusals(refusals_max, outcomes_kept_seconds)
        self._connections = {name: Connection(number) for number, name in enumerate(connections, 1)}
        self._rows: dict[int, Kept] = {}
        self._progress: dict[int, bytes] = {}
        self._refused: dict[str, int] = {}
        self._position = 0
        self._pacing: dict[str, PacingState] = {}
        self._forwarded: dict[tuple[str, str, str], tuple[float, Forwarded]] = {}
        self._states: dict[str, bytes] = {}
        self._spool_id = str(uuid4())
        self._closed = asyncio.Event()

    def _connection(self, name: str) -> Connection:
        self._refuse_if_closed()
        return self._connections.setdefault(name, Connection(len(self._connections) + 1))

    def _refuse_if_closed(self) -> None:
        if self._closed.is_set():
            raise SpoolClosed

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        """Appends rows to the logs."""
        self._refuse_if_closed()
        new = weigh(rows)
        refusal = self._quota.refusal({name: place.usage.bytes for name, place in self._connections.items()}, new)
        self._refused = new if refusal else {}
        if refusal:
            raise SpoolFull(refusal, RETRY_SECONDS)
        keys = self._append(rows)
        if forwarded is not None:
            self._forwarded.pop(forwarded.key, None)
            self._forwarded[forwarded.key] = self._wall(), with_duplicates(forwarded, keys)
            if len(self._forwarded) > RECORDS_MAX:
                del self._forwarded[next(iter(self._forwarded))]
        return keys

    def insertion(self) -> None:
        """Returns None: rows are not inserted in a thread of this process."""

    async def forwarded(self, caller: str, agent_id: str, connection: str) -> Forwarded | None:
        """Returns the results of the last request that an agent forwarded for a connection."""
        time, found = self._forwarded.get((caller, agent_id, connection), (0.0, None))
        return found if time > self._wall() - KEPT_SECONDS else None

    def _append(self, rows: Sequence[Incoming]) -> list[int]:
        self._window.rotate(self._wall(), self._monotonic(), self._rows.__contains__)
        keys: list[int] = []
        grown: set[tuple[str, Priority]] = set()
        for row in rows:
            connection = self._connection(row.connection)
            self._position += 1
            key = log_start(connection.number, row.priority) + self._position
            new = self._window.add(row, key)
            keys.append(key if new else 0)
            if new:
                self._rows[key] = Kept(row, self._wall())
                connection.logs[row.priority].add(key)
                connection.count(row, 1)
                grown.add((row.connection, row.priority))
        for name, priority in sorted(grown):
            asyncio.get_running_loop().call_soon(self._connections[name].wake, priority)
        return keys

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Keeps refusals, until the spool is closed."""
        self._refusals.add(refusals)

    def usage(self) -> Usage:
        """Returns the counters."""
        usages = {name: replace(connection.usage) for name, connection in self._connections.items()}
        unseen = {name for name, usage in usages.items() if usage.normal or usage.bulk}
        for kept in self._rows.values():
            if not unseen:
                break
            if kept.incoming.connection in unseen:
                unseen.remove(kept.incoming.connection)
                usages[kept.incoming.connection].oldest_accept_time = kept.accept_time
        used = {name: usage.bytes for name, usage in usages.items()}
        reason = self._quota.refusal(used, self._refused) if self._refused else ""
        return Usage(usages, sum(used.values()), self._quota.bytes_max, reason, self._spool_id)

    async def acquire(self, workspace: str, can_deliver: CanDeliver | None = None) -> LocalOutflow:  # noqa: ARG002 - never asked
        """Acquires a workspace at once."""
        self._refuse_if_closed()
        return LocalOutflow(self, workspace)

    async def save_pacing(self, workspace: str, state: PacingState) -> None:
        """Saves the pacing state of a workspace, until the process ends."""
        self._pacing[workspace] = state

    async def load_pacing(self, workspace: str) -> PacingState | None:
        """Returns the pacing state of a workspace, unless its window has ended."""
        state = self._pacing.get(workspace)
        return state if state and state.window_ends > self._wall() else None

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a log."""
        place = self._connection(connection)
        left: list[int] = []
        moved: set[str] = set()
        while not left and (seen := self._page(place.logs[priority], after, rows_max, bytes_max)):
            left = [key for key in seen if self._rows[key].incoming.lane not in place.lanes]
            moved |= self._move(place, sorted({*seen} - {*left}))
            after = seen[-1]
        return self._row_page(place, left, after)._replace(moved=frozenset(moved))

    def _page(self, keys: Keys, after: int, rows_max: int, bytes_max: int) -> list[int]:
        """Returns the keys of waiting rows above `after`, up to the limits, but at least one."""
        found = list(islice(keys.above(after), rows_max))
        sizes = accumulate(len(self._rows[key].incoming.data) for key in found)
        return found[: max(1, sum(size <= bytes_max for size in sizes))]

    def _move(self, place: Connection, keys: Sequence[int]) -> set[str]:
        """Moves rows from their log to their parked lanes; returns the lanes."""
        rows = {key: self._rows[key].incoming for key in keys if key in self._rows}
        for key, row in rows.items():
            place.logs[row.priority].discard(key)
            place.lanes[row.lane].keys.add(key)
        return {row.lane for row in rows.values()}

    def _row_page(self, place: Connection, keys: Sequence[int], after: int, attempts: int = 0) -> RowPage:
        """Returns the rows as a page; corrupt ones are completed and left out."""
        rows: list[Row] = []
        damaged: list[str] = []
        ended: list[Outcome] = []
        for key in keys:
            row, accept_time = self._rows[key]
            if wrong := record.check(row.data):
                self._remove(key)
                damaged.append(f"row {key}: {wrong}")
                ended.append(self._archive.add_damaged(row, accept_time, self._wall()))
            else:
                rows.append(Row(key, row.priority, row.lane, row.data, self._progress.get(key, b"")))
        known = {row.lane: place.contacts.read(row.lane) for row in rows}
        return RowPage(rows, known, after, attempts, tuple(damaged), tuple(ended))

    def _remove(self, key: int) -> bool:
        kept = self._rows.pop(key, None)
        self._progress.pop(key, None)
        if kept:
            self._connections[kept.incoming.connection].remove(kept.incoming, key)
        return kept is not None

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits settlements and returns the new outcomes."""
        outcomes: list[Outcome] = []
        for settlement in settlements:
            place = self._connection(settlement.connection)
            self._progress |= {key: data for key, data in settlement.progress if key in self._rows}
            outcomes += [self._complete(place, ended) for ended in settlement.completions if self._remove(ended.key)]
            for entry in settlement.contacts:
                place.contacts.write(entry)
        return outcomes

    def _complete(self, place: Connection, ended: Completion) -> Outcome:
        outcome = completion.outcome_of(ended, self._archive.next_sequence())
        self._archive.add(outcome)
        if ended.dead_letter is not None:
            letter = completion.dead_letter_of(ended.key, outcome, ended.dead_letter, ended.answer_body)
            self._archive.add_letter(letter, priority_of(ended.key))
            place.count_letters(1, record.pack(letter))
        return outcome

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Parks a lane until `due`."""
        place = self._connection(connection)
        parked = place.lanes.setdefault(lane, ParkedLane())
        place.usage.parked_lanes = len(place.lanes)
        parked.due, parked.attempts = due, attempts
        self._move(place, keys)

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """Returns the parked lanes due by `now`, and when the next one is due."""
        lanes = sorted((parked.due, lane) for lane, parked in self._connection(connection).lanes.items())
        ready = [lane for due, lane in lanes[:lanes_max] if due <= now]
        return ready, lanes[len(ready)][0] if len(ready) < len(lanes) else 0.0

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a parked lane."""
        place = self._connection(connection)
        parked = place.lanes.get(lane, ParkedLane())
        seen = self._page(parked.keys, after, rows_max, bytes_max)
        if not seen and not after:
            place.lanes.pop(lane, None)
            place.usage.parked_lanes = len(place.lanes)
        return self._row_page(place, seen, seen[-1] if seen else after, parked.attempts)

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers the callback for appends to a log of the connection."""
        self._connection(connection).wake = wake

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """Lists the journal, newest first."""
        self._refuse_if_closed()
        self._archive.expire(self._wall())
        found = [outcome for outcome in self._archive.outcomes(wanted) if not before or outcome.sequence < before]
        return found[::-1][:limit]

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """Lists the journal in order, and returns the oldest sequence that it holds."""
        self._refuse_if_closed()
        self._archive.expire(self._wall())
        found = (outcome for outcome in self._archive.outcomes(wanted) if outcome.sequence > after)
        return list(islice(found, limit)), self._archive.oldest()

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters in the order of their ids."""
        self._refuse_if_closed()
        return [letter for letter in self._archive.letters(wanted) if letter.dead_letter_id > after][:limit]

    async def newest_dead_letters(self, wanted: DeadLetterFilter, before: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters, newest first."""
        self._refuse_if_closed()
        letters = self._archive.letters(wanted)[::-1]
        return [letter for letter in letters if not before or letter.dead_letter_id < before][:limit]

    async def count_dead_letters_by_reason(self, wanted: DeadLetterFilter) -> dict[str, int]:
        """Counts the dead letters of each reason that the filter matches."""
        self._refuse_if_closed()
        counts = Counter(letter.outcome.reason for letter in self._archive.letters(wanted))
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """Counts the dead letters that the filter matches."""
        self._refuse_if_closed()
        return len(self._archive.letters(wanted))

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters."""
        letters = await self._matching(wanted, expected)
        self._append([completion.replayed_row(letter, self._drop(letter)) for letter in letters or ()])
        return -1 if letters is None else expected

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters."""
        letters = await self._matching(wanted, expected)
        for letter in letters or ():
            self._drop(letter)
        self._archive.discard(letters or [], self._wall())
        return -1 if letters is None else expected

    def on_discard(self, report: Callable[[Sequence[Outcome]], None]) -> None:
        """Registers the callback for discards."""
        self._archive.on_discard = report

    async def _matching(self, wanted: DeadLetterFilter, expected: int) -> list[DeadLetter] | None:
        """Returns the matching letters in the order of first acceptance; None unless `expected` match."""
        self._refuse_if_closed()
        letters = sorted(self._archive.letters(wanted), key=lambda letter: letter.envelope.origin)
        return letters if len(letters) == expected else None

    def _drop(self, letter: DeadLetter) -> Priority:
        self._connection(letter.outcome.connection).count_letters(-1, record.pack(letter))
        return self._archive.remove_letter(letter)

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """Returns the envelope of this id if it still waits."""
        self._refuse_if_closed()
        for row in (kept.incoming for kept in self._rows.values()):
            if (row.connection, row.envelope_id) == (connection, envelope_id) and not record.check(row.data):
                return record.unpack(row.data, AcceptedEnvelope)
        return None

    async def find_waiting(self, wanted: TrailFilter, before: int, limit: int) -> list[int]:
        """Returns the keys of waiting rows, newest first."""
        self._refuse_if_closed()
        found = [
            key
            for key, (row, _) in self._rows.items()
            if (not before or position_of(key) < before) and self._is_of(wanted, row)
        ]
        return sorted(found, key=position_of, reverse=True)[:limit]

    def _is_of(self, wanted: TrailFilter, row: Incoming) -> bool:
        try:
            envelope = record.unpack(row.data, AcceptedEnvelope)
        except record.RecordDamaged:
            return False
        return wanted.matches(row.connection, row.envelope_id, envelope.customer_id, envelope.email)

    async def waiting_rows(self, keys: Sequence[int]) -> list[WaitingRow]:
        """Returns the rows of these keys that still wait."""
        self._refuse_if_closed()
        kept = {key: self._rows[key].incoming for key in keys if key in self._rows}
        return [self._waiting_row(key, row) for key, row in kept.items() if self._is_of(TrailFilter(), row)]

    def _waiting_row(self, key: int, row: Incoming) -> WaitingRow:
        place = self._connection(row.connection)
        lane = place.lanes.get(row.lane, ParkedLane())
        parked = key in [*lane.keys.above(0)]
        line = [*(lane.keys if parked else place.logs[row.priority]).above(0)]
        return WaitingRow(
            connection=row.connection,
            row=Row(key, row.priority, row.lane, row.data, self._progress.get(key, b"")),
            ahead=line.index(key),
            parked=parked,
            due=lane.due,
            attempts=lane.attempts,
            head_progress=self._progress.get(line[0], b"") if parked else b"",
        )

    async def complete(self, connection: str, completion: Completion) -> Outcome | None:
        """Ends a waiting row."""
        outcomes = await self.settle([Settlement(connection, [completion])])
        return outcomes[0] if outcomes else None

    async def trail_outcomes(self, wanted: TrailFilter, before: int, limit: int) -> list[KeptOutcome]:
        """Lists outcomes of the journal, then of dead letters that outlived it, newest first."""
        self._refuse_if_closed()
        self._archive.expire(self._wall())
        found = [each for each in self._archive.kept_outcomes() if not before or each.outcome.sequence < before]
        return [
            each
            for each in reversed(found)
            if wanted.matches(
                each.outcome.connection, each.outcome.envelope_id, each.outcome.customer_id, each.outcome.email
            )
        ][:limit]

    async def refusals(self, wanted: TrailFilter, before: int, limit: int) -> list[Refusal]:
        """Lists rejected and skipped envelopes, newest first."""
        self._refuse_if_closed()
        return self._refusals.find(wanted, before, limit, self._wall())

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Stores whether an operator paused the connection."""
        self._connection(connection).paused = paused

    async def paused(self) -> frozenset[str]:
        """Returns the paused connections."""
        return frozenset(name for name, connection in self._connections.items() if connection.paused)

    async def set_connections(self, names: Sequence[str]) -> None:
        """Replaces the connections that share the quota."""
        for name in names:
            self._connection(name)
        self._quota = self._quota._replace(connections=tuple(names))

    async def set_workspaces(self, workspaces: Mapping[str, str]) -> list[str]:
        """Stores the workspace of each connection; returns those that had another one."""
        moved: list[str] = []
        for name, workspace in workspaces.items():
            connection = self._connection(name)
            if connection.workspace not in {"", workspace}:
                connection.contacts = ContactCache()
                moved.append(name)
            connection.workspace = workspace
        return moved

    async def seconds(self) -> list[tuple[int, int]]:
        """Returns no pairs: nothing was remembered before."""
        return []

    def now(self) -> float:
        """Returns Unix seconds by this host's clock."""
        return self._wall()

    async def load_state(self, name: str) -> bytes:
        """Returns a state that `save_state` stored."""
        return self._states.get(name, b"")

    async def save_state(self, name: str, data: bytes) -> None:
        """Stores a state, until the process ends."""
        self._states[name] = data

    def busy_seconds(self) -> float:
        """Returns 0.0: nothing takes time."""
        return 0.0

    async def wait_closed(self) -> None:
        """Returns once the spool is closed."""
        await self._closed.wait()

    async def close(self) -> None:
        """Closes the spool: every later call fails with SpoolClosed."""
        self._closed.set()
