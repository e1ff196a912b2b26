"""The interface that a spool engine implements for ingest, deliver and operations.

An engine keeps an ordered log per connection and priority, lanes parked from it, the contact cache, the duplicate
window, the journal of outcomes and the dead letters. It stores bytes and a few columns. A method returns when its
effect is on disk, or when it has read; calls take effect in the order in which they were made.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Refusal
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool.fleet import CanDeliver, Fleet, Holding, SharedOutflow, SharedTime
from intercomd_daemon.spool.forwarded import Forwarded
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
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter


class Intake(Protocol):
    """What accepting needs of an engine."""

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        """Appends all rows at the end of their logs, in order, all or none.

        Returns the key of each row, 0 for a duplicate, once the rows are synced to disk. The same commit stores
        `forwarded`, the results of a request that an agent forwarded, with the places of the duplicates.

        Raises:
            SpoolFull: nothing was appended.
            SecondsTaken: a second of a row has another owner by now; nothing was appended. Only engines that several
                processes share raise it: one process gives no second twice.
        """
        ...

    def insertion(self) -> Awaitable[None] | None:
        """Returns what to wait for before envelopes are decided; None: they can be decided now.

        An engine that inserts rows in a thread of this process needs the interpreter for it, as deciding does. The wait
        ends when its commit begins: a disk that syncs leaves the interpreter to others.
        """
        ...

    async def forwarded(self, caller: str, agent_id: str, connection: str) -> Forwarded | None:
        """Returns the results of the last request that an agent forwarded for a connection, for 90 days."""
        ...

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Keeps rejected and skipped envelopes for the trail: the newest ones, over a clean restart.

        Returns at once. They are bounded by number, size and age, with a share for each caller and connection.
        """
        ...

    def usage(self) -> Usage:
        """Returns the counters, which may be a moment old; costs nothing."""
        ...


class Deliveries(Protocol):
    """Reads and settles the waiting rows of one connection."""

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a log, above the key `after`.

        Rows of parked lanes are not returned. The read moves them to their lane's parked rows in the same commit. If a
        page has only such rows, it reads on: moved rows do not count towards the limits, but an engine bounds them.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits settlements, and returns the new outcomes with their sequence."""
        ...

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Parks a lane until `due` (Unix seconds): the named rows, and all rows of it that will be read later.

        `attempts`: consecutive failures of its head, which `parked` returns.
        """
        ...

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """Returns the parked lanes due by `now`, longest due first, and when the next one is due (0.0: none)."""
        ...

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a parked lane, above the key `after`.

        If `after` is 0 and no row is left, the lane is unparked: from now on `read` returns its rows.
        """
        ...

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers what to call, on the event loop, after each commit that appended to the connection's logs."""
        ...


class States(Protocol):
    """Small states of parts of the daemon, for the process that continues their work."""

    async def load_state(self, name: str) -> bytes:
        """Returns the state that was saved by this name; empty if there is none."""
        ...

    async def save_state(self, name: str, data: bytes) -> None:
        """Saves a state."""
        ...


class Outflow(Deliveries, States, Holding, SharedOutflow, Protocol):
    """The deliveries of one workspace, which one process at a time makes: the one that acquired it.

    After the workspace is lost or released, every method except `release` raises LeaseLost. A settlement that raises
    it was not committed, or its answer was lost: the process that acquires the workspace next reads what still waits.
    """

    async def release(self) -> None:
        """Gives the workspace up once no call is in flight; another process may acquire it at once. May be repeated."""
        ...

    async def save_pacing(self, state: PacingState) -> None:
        """Saves what was learned of the budget, for the process that acquires the workspace next."""
        ...

    async def load_pacing(self) -> PacingState | None:
        """Returns the state that was saved last, unless its window has ended. It may be lost with the process."""
        ...


class Archive(Protocol):
    """What operating needs of an engine."""

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """Lists the journal, newest first, below sequence `before` (0: from the newest)."""
        ...

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """Lists the journal in order above sequence `after`.

        Also returns the sequence from which on no outcome has left the journal; 0: there were none yet.
        """
        ...

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters in order above the id `after`."""
        ...

    async def newest_dead_letters(self, wanted: DeadLetterFilter, before: int, limit: int) -> list[DeadLetter]:
        """Lists dead letters, newest first, below the id `before` (0: from the newest)."""
        ...

    async def count_dead_letters_by_reason(self, wanted: DeadLetterFilter) -> dict[str, int]:
        """Counts the dead letters that the filter matches by reason, the most frequent reason first."""
        ...

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """Counts the dead letters that the filter matches."""
        ...

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters, in their old order, some hundreds a commit.

        Letters that arrive meanwhile are left out. Returns how many it replayed; -1, and nothing is done, if not
        `expected` letters match.
        """
        ...

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters, each outcome becomes DISCARDED; commits and counts like `replay`."""
        ...

    def on_discard(self, report: Callable[[Sequence[Outcome]], None]) -> None:
        """Registers what to call, on the event loop, after each commit that discarded dead letters."""
        ...

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """Returns the envelope of this id if it still waits."""
        ...

    async def find_waiting(self, wanted: TrailFilter, before: int, limit: int) -> list[int]:
        """Returns the keys of waiting rows, newest first, of positions below `before` (0: from the newest)."""
        ...

    async def waiting_rows(self, keys: Sequence[int]) -> list[WaitingRow]:
        """Returns the rows of these keys that still wait, in the order of the keys."""
        ...

    async def complete(self, connection: str, completion: Completion) -> Outcome | None:
        """Ends a waiting row of a connection that nothing delivers; returns the outcome, None if it does not wait."""
        ...

    async def trail_outcomes(self, wanted: TrailFilter, before: int, limit: int) -> list[KeptOutcome]:
        """Lists outcomes of the journal and of dead letters, newest first, below `before` (0: from the newest)."""
        ...

    async def refusals(self, wanted: TrailFilter, before: int, limit: int) -> list[Refusal]:
        """Lists rejected and skipped envelopes, newest first, below the number `before` (0: from the newest)."""
        ...

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Stores whether an operator paused the connection; a restart keeps it."""
        ...

    async def paused(self) -> frozenset[str]:
        """Returns the paused connections."""
        ...


class Spool(Intake, Archive, States, SharedTime, Protocol):
    """An open engine; see `engines`."""

    @property
    def fleet(self) -> Fleet | None:
        """The processes that share the spool; None: only this process has it open."""
        ...

    async def acquire(self, workspace: str, can_deliver: CanDeliver | None = None) -> Outflow:
        """Waits until this process may deliver for a workspace, by a name that is the same in every process.

        A process that is alive hands it over only after `can_deliver` returned that this one could deliver it.
        """
        ...

    async def seconds(self) -> list[tuple[int, int]]:
        """Returns the (key, owner) pairs that were remembered at the opening, oldest first, at most 65,536."""
        ...

    async def set_connections(self, names: Sequence[str]) -> None:
        """Replaces the connections of the settings, which share the quota. Rows of others stay.

        Raises:
            SpoolUnusable: the spool has no room for another connection; nothing has changed.
        """
        ...

    async def set_workspaces(self, workspaces: Mapping[str, str]) -> list[str]:
        """Stores the workspace of each connection, by a name that is the same in every process.

        Returns the connections that delivered to another workspace before. What was cached of its contacts is deleted,
        so call it while no worker runs for them.
        """
        ...

    def busy_seconds(self) -> float:
        """Returns how long the engine has worked on the current commit; 0.0 while it has none. Costs nothing."""
        ...

    async def wait_closed(self) -> None:
        """Returns once the engine is closed; raises the error that ended it, after which no method works."""
        ...

    async def close(self) -> None:
        """Commits all requests that were made and closes; later calls raise SpoolClosed."""
        ...
