"""What ingest, deliver and operations exchange with a spool engine: rows, their completions, counters and filters."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter, Outcome

POSITION_BITS = 48


def position_of(key: int) -> int:
    """Returns the position of a row among all rows ever appended to the spool; positions rise with every append."""
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
    """False if the sender gave no id: the envelope is not entered in the duplicate window."""
    seconds: tuple[tuple[int, int], ...] = ()
    """(key, owner) pairs of the seconds that its events claimed, kept so that a restart remembers them."""
    email: str = ""
    """That of the envelope, by which the trail finds it."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A waiting envelope, as read back. An engine that reads from disk has verified both records (`record.check`)."""

    key: int
    """Orders the rows of a connection: every normal row before every bulk one, each in the order of the commits."""
    priority: Priority
    lane: str
    data: bytes
    """An `AcceptedEnvelope` by `record.pack`."""
    progress: bytes
    """A `Progress` by `record.pack`; empty if no call of the envelope has a result yet."""


class ContactEntry(NamedTuple):
    """What the contact cache holds of a lane's contact."""

    contact_id: str
    """Intercom's id; empty if unknown."""
    data: bytes
    """A `Contact` by `record.pack`; empty if nothing is known."""


class RowPage(NamedTuple):
    """A page of a log or of a parked lane."""

    rows: list[Row]
    contacts: dict[str, ContactEntry]
    """The cached contact of each lane in `rows`."""
    after: int
    """Where to read on: the key of the last row read, rows of parked lanes included."""
    attempts: int = 0
    """Of a parked lane: consecutive failures of its head."""
    corrupt: tuple[str, ...] = ()
    """One sentence for each row whose checksum did not match; these rows are quarantined with their bytes."""
    outcomes: tuple[Outcome, ...] = ()
    """Their outcomes, committed."""
    moved: frozenset[str] = frozenset()
    """The parked lanes that rows of the log have moved to."""


class Completion(msgspec.Struct, frozen=True, gc=False):
    """An envelope that has its outcome: its row is deleted, the outcome enters the journal."""

    key: int
    outcome: Outcome
    dead_letter: AcceptedEnvelope | None = None
    """The envelope to keep as a dead letter; None: it was not refused."""
    answer_body: str = ""
    """Intercom's last refusal. An engine leaves it out if its disk has no room for it."""


class CachedContact(NamedTuple):
    """What the contact cache is to hold of a lane from now on."""

    lane: str
    contact_id: str
    """Empty: forget the lane's contact."""
    data: bytes
    """Empty: forget what is known of the contact, but not which contact it is."""


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What one answered call, or a decision without a call, changes; committed as a whole."""

    connection: str
    completions: Sequence[Completion] = ()
    progress: Sequence[tuple[int, bytes]] = ()
    contacts: Sequence[CachedContact] = ()


class LogUsage(msgspec.Struct):
    """The waiting rows of one connection, as of the last commit; `bytes` includes the overhead of each row."""

    normal: int = 0
    bulk: int = 0
    parked_lanes: int = 0
    dead_letters: int = 0
    bytes: int = 0
    oldest_accept_time: float = 0.0
    """Acceptance time of the row at the head of the logs, which approximates the oldest; 0.0 if none waits."""


class Usage(NamedTuple):
    """The whole spool, as of the last commit of this process; other processes' commits may show later."""

    connections: dict[str, LogUsage]
    bytes: int
    bytes_max: int
    full_reason: str
    """Why appends are refused (quota, free disk space, an error of the disk); empty if they are accepted."""
    spool_id: str = ""
    """The id of the spool: random, made when it was created; empty before the spool is open."""


class OutcomeFilter(msgspec.Struct, frozen=True):
    """Which outcomes to list; an empty field matches all."""

    connection: str = ""
    envelope_id: str = ""
    customer_id: str = ""
    email: str = ""
    types: tuple[int, ...] = ()
    allowed: tuple[str, ...] | None = None  # The connections that the caller may see; None: all.

    def matches(self, outcome: Outcome) -> bool:
        """Whether every field that is not empty equals the outcome's; engines that filter in SQL do the same."""
        return (
            self.connection in {"", outcome.connection}
            and self.envelope_id in {"", outcome.envelope_id}
            and self.customer_id in {"", outcome.customer_id}
            and self.email in {"", outcome.email}
            and (not self.types or outcome.type in self.types)
            and (self.allowed is None or outcome.connection in self.allowed)
        )


class DeadLetterFilter(msgspec.Struct, frozen=True):
    """Which dead letters to list, replay or discard; an empty field matches all."""

    connection: str = ""
    dead_letter_ids: tuple[int, ...] = ()
    envelope_ids: tuple[str, ...] = ()
    customer_id: str = ""
    email: str = ""
    reason: str = ""
    accept_time_from: float = 0.0
    accept_time_to: float = 0.0
    """The time of acceptance is at least `accept_time_from` and below `accept_time_to`."""
    allowed: tuple[str, ...] | None = None  # As in OutcomeFilter.

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
            and (self.allowed is None or outcome.connection in self.allowed)
        )


class WaitingRow(NamedTuple):
    """A waiting envelope, as the trail shows it."""

    connection: str
    row: Row
    ahead: int
    """The largest number of rows that are delivered before it: of its log, or if it is parked, of its lane."""
    parked: bool
    due: float
    """Of a parked lane: when it is loaded again, Unix seconds."""
    attempts: int
    """Of a parked lane: consecutive failures of its head."""
    head_progress: bytes = b""
    """Of a parked lane: the `Progress` of its head; empty if it has none."""


ReadWaiting = Callable[[int], Awaitable[WaitingRow | None]]
"""Reads a waiting row by its key; None: it does not wait any more."""


class PacingState(NamedTuple):
    """What was learned of a workspace's budget."""

    limit: int
    """Calls that Intercom allows in a window."""
    window_ends: float
    """Unix seconds."""
    calls_used: int
    """Our calls in that window."""
    reset: float = 0.0
    """Intercom's name of the window, its latest `X-RateLimit-Reset`; 0.0 if unknown."""
