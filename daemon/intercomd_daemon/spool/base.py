"""The seam between accepting, delivering and whatever keeps envelopes safe.

An ordered log per connection and priority, lanes set aside from it, the contact book, the duplicate window, the journal
of outcomes and the dead letters. An engine keeps bytes and a few columns; what they mean it does not know.
Methods return when their effect is on disk (or was there to read). Calls take effect in the order in which they were
made.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter, Outcome

POSITION_BITS = 48


def position_of(key: int) -> int:
    """The place of a row among all rows ever appended to the spool; later rows have higher ones, in every log."""
    return key & ((1 << POSITION_BITS) - 1)


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A row to append."""

    connection: str
    priority: Priority
    lane: str
    envelope_id: str
    data: bytes
    """An `AcceptedEnvelope` by `record.pack`."""
    recognised: bool = True
    """False where the sender gave no id: such an envelope is not entered in the duplicate window."""
    seconds: tuple[tuple[int, int], ...] = ()
    """(key, owner) pairs of the seconds that its events took, kept so that a restart remembers them."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A waiting envelope, as read back."""

    key: int
    """Orders the rows of a connection: every normal row before every bulk one, each in the order of the commits."""
    priority: Priority
    lane: str
    data: bytes
    progress: bytes
    """How far it is, a `Progress` by `record.pack`; empty if no call of it has been judged."""


class Known(NamedTuple):
    """What the contact book holds of a lane's contact."""

    contact_id: str
    """Intercom's id; empty if unknown."""
    data: bytes
    """A `Contact` by `record.pack`; empty if nothing is known."""


class Batch(NamedTuple):
    """A stretch of a log, or of a parked lane."""

    rows: list[Row]
    known: dict[str, Known]
    """The book's entry of each lane in `rows`."""
    after: int
    """Where to read on: the key of the last row looked at, those of parked lanes included."""
    attempts: int = 0
    """Of a parked lane: how often its head has been tried."""
    damaged: tuple[str, ...] = ()
    """One description per row whose checksum did not match; those rows now stand aside with their bytes."""
    ended: tuple[Outcome, ...] = ()
    """Their outcomes, committed."""
    moved: frozenset[str] = frozenset()
    """The parked lanes that rows of the log have moved to."""


class Ended(NamedTuple):
    """An envelope that has its outcome: its row goes, the outcome enters the journal."""

    key: int
    outcome: Outcome
    buried: AcceptedEnvelope | None = None
    """Set for a dead letter."""
    answer_body: str = ""


class BookEntry(NamedTuple):
    """What the contact book is to hold from now on."""

    lane: str
    contact_id: str
    """Empty: forget the lane's contact."""
    data: bytes
    """Empty: forget what is known of the contact, not who it is."""


class Settlement(NamedTuple):
    """What one judged call, or a decision that needed none, changes; committed as a whole."""

    connection: str
    ended: Sequence[Ended] = ()
    progress: Sequence[tuple[int, bytes]] = ()
    book: Sequence[BookEntry] = ()


class LogUsage(msgspec.Struct):
    """What waits in one connection, as of the last commit; bytes count rows with their overhead."""

    normal: int = 0
    bulk: int = 0
    parked_lanes: int = 0
    dead_letters: int = 0
    bytes: int = 0
    oldest_accept_time: float = 0.0
    """Of the oldest waiting envelope, approximately: the head of the logs; 0.0 if nothing waits."""


class Usage(NamedTuple):
    """The whole spool, as of the last commit of this process; other processes' commits may show later."""

    connections: dict[str, LogUsage]
    bytes: int
    bytes_max: int
    full_reason: str
    """Why appends are refused at present (quota, free disk space, an error of the disk); empty if they are not."""


class OutcomeFilter(msgspec.Struct, frozen=True):
    """Which outcomes to list; empty fields match all."""

    connection: str = ""
    envelope_id: str = ""
    customer_id: str = ""
    email: str = ""
    types: tuple[int, ...] = ()

    def matches(self, outcome: Outcome) -> bool:
        """Whether every field that is not empty equals the outcome's; engines that filter in SQL do the same."""
        return (
            self.connection in {"", outcome.connection}
            and self.envelope_id in {"", outcome.envelope_id}
            and self.customer_id in {"", outcome.customer_id}
            and self.email in {"", outcome.email}
            and (not self.types or outcome.type in self.types)
        )


class DeadLetterFilter(msgspec.Struct, frozen=True):
    """Which dead letters to list, replay or discard; empty fields match all."""

    connection: str = ""
    dead_letter_ids: tuple[int, ...] = ()
    envelope_ids: tuple[str, ...] = ()
    customer_id: str = ""
    email: str = ""
    reason: str = ""
    accept_time_from: float = 0.0
    accept_time_to: float = 0.0
    """The time of acceptance is at least `accept_time_from` and below `accept_time_to`."""

    def matches(self, letter: DeadLetter) -> bool:
        """Whether every field that is not empty matches the dead letter; engines that filter in SQL do the same."""
        outcome = letter.outcome
        return (
            self.connection in {"", outcome.connection}
            and (not self.dead_letter_ids or letter.dead_letter_id in self.dead_letter_ids)
            and (not self.envelope_ids or outcome.envelope_id in self.envelope_ids)
            and self.customer_id in {"", outcome.customer_id}
            and self.email in {"", outcome.email}
            and self.reason in {"", outcome.reason}
            and self.accept_time_from <= outcome.accept_time
            and (not self.accept_time_to or outcome.accept_time < self.accept_time_to)
        )


class Intake(Protocol):
    """What accepting needs."""

    async def append(self, rows: Sequence[Incoming]) -> list[int]:
        """Appends all rows at the end of their logs, in order and in one go.

        Returns for each row its key, or 0 for a duplicate. When it returns, the rows are synced to disk.

        Raises:
            SpoolFull: nothing was appended.
        """
        ...

    def usage(self) -> Usage:
        """Returns the counters, which may be a moment old; costs nothing."""
        ...


class PacingState(NamedTuple):
    """What was learned of a workspace's budget."""

    limit: int
    """Calls that Intercom allows in a window."""
    window_ends: float
    """Unix seconds."""
    calls_used: int
    """In that window."""


class Deliveries(Protocol):
    """Reading and settling what waits; every method is of one connection."""

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> Batch:
        """Reads on in a log.

        Rows of parked lanes are not returned: the same commit moves them to their lane, and while it has met no others
        it may look beyond the limits.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits what has been judged, and returns the new outcomes with their sequence."""
        ...

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Sets a lane aside until `due` (Unix seconds): the named rows and all that will be read later."""
        ...

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """The parked lanes due by `now`, longest due first, and when the next after them is due (0.0: none)."""
        ...

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> Batch:
        """Reads on in a parked lane from above the key `after`.

        With `after` 0 and nothing there, the lane is parked no more: from now on its rows come from `read`.
        """
        ...

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers what to call, on the event loop, after each commit that appended to the connection's logs."""
        ...


class Outflow(Deliveries, Protocol):
    """The deliveries of one workspace, which one process at a time makes: the one that acquired it.

    After the workspace is lost, every method raises LeaseLost.
    """

    async def wait_lost(self) -> None:
        """Returns never; raises LeaseLost as soon as no further call may be made for the workspace."""
        ...

    async def save_pacing(self, state: PacingState) -> None:
        """Saves what was learned of the budget, for whoever acquires the workspace next."""
        ...

    async def load_pacing(self) -> PacingState | None:
        """Returns the state that was saved last. An engine of one process may lose it when it closes."""
        ...


class Archive(Protocol):
    """What operating needs."""

    async def outcomes(self, wanted: OutcomeFilter, before: int, limit: int) -> list[Outcome]:
        """The journal, newest first, from below sequence `before` (0: from the newest)."""
        ...

    async def outcomes_after(self, wanted: OutcomeFilter, after: int, limit: int) -> tuple[list[Outcome], int]:
        """The journal in order from above sequence `after`, and the oldest sequence that it still holds."""
        ...

    async def dead_letters(self, wanted: DeadLetterFilter, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters in order from above the id `after`."""
        ...

    async def count_dead_letters(self, wanted: DeadLetterFilter) -> int:
        """How many the filter matches."""
        ...

    async def replay(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Appends the refused calls of the matching dead letters, in their old order, some hundreds a commit.

        Those are meant that match at its beginning. Returns how many; -1 and nothing done if they are not `expected`.
        """
        ...

    async def discard(self, wanted: DeadLetterFilter, expected: int) -> int:
        """Drops the matching dead letters, each outcome becoming DISCARDED; commits and counts like `replay`."""
        ...

    def on_discard(self, tell: Callable[[Sequence[Outcome]], None]) -> None:
        """Names what to call, on the event loop, after each commit that discarded dead letters."""
        ...

    async def waiting(self, connection: str, envelope_id: str) -> AcceptedEnvelope | None:
        """The envelope of this id if it still waits."""
        ...

    async def set_paused(self, connection: str, paused: bool) -> None:
        """Remembers over restarts that an operator paused the connection."""
        ...

    async def paused(self) -> frozenset[str]:
        """Returns the paused connections."""
        ...


class Spool(Intake, Archive, Protocol):
    """An open engine; see `engines`."""

    async def acquire(self, workspace: str) -> Outflow:
        """Waits until this process may deliver for a workspace, by a name that is the same in every process."""
        ...

    async def seconds(self) -> list[tuple[int, int]]:
        """Returns the (key, owner) pairs that were remembered at the opening, oldest first, at most 65,536."""
        ...

    async def ended(self) -> None:
        """Returns once the engine is closed; raises what ended it by itself, after which nothing can go on."""
        ...

    async def close(self) -> None:
        """Commits what waits and closes; later calls fail with ShuttingDown."""
        ...
