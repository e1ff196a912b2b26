"""Everything that a closed spool holds, as one engine reads it and another one takes it over."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from intercomd_daemon.envelope import Refusal
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.maintenance import Contents, Damage
from intercomd_daemon.spool.rows import PacingState


class StoredConnection(NamedTuple):
    """A connection."""

    number: int
    name: str
    paused: bool
    workspace: str
    """Empty: it has delivered to none yet."""


class Numbers(NamedTuple):
    """What the engine counts on from, and the state of the duplicate window."""

    spool_id: str
    position: int
    """The last one that a row has got."""
    sequence: int
    """The last one that an outcome has got."""
    generation: int
    """The young generation of the duplicate window."""
    generation_ids: int
    turned_at: float
    """When it began, in Unix seconds."""
    elapsed_seconds: float
    """Since then, while a daemon ran."""


class StoredRow(NamedTuple):
    """A waiting row, with its key."""

    key: int
    lane: str
    envelope_id: str
    email: str
    accept_time: float
    data: bytes


class StoredLane(NamedTuple):
    """A parked lane."""

    connection: int
    lane: str
    due: float
    attempts: int


class KnownId(NamedTuple):
    """An id of the duplicate window."""

    generation: int
    connection: int
    envelope_id: str
    key: int


class CopiedContact(NamedTuple):
    """A contact of the contact cache."""

    number: int
    connection: int
    contact_id: str
    data: bytes


class StoredIdentity(NamedTuple):
    """Which contact a lane is."""

    connection: int
    lane: str
    contact: int


class StoredOutcome(NamedTuple):
    """An outcome of the journal."""

    sequence: int
    connection: int
    envelope_id: str
    customer_id: str
    email: str
    type: int
    end_time: float
    data: bytes


class StoredLetter(NamedTuple):
    """A dead letter."""

    id: int
    connection: int
    bulk: bool
    origin: int
    envelope_id: str
    customer_id: str
    email: str
    reason: str
    accept_time: float
    data: bytes


class QuarantinedRecord(NamedTuple):
    """A corrupt record that a daemon has quarantined."""

    place: str
    key: int
    lane: str
    reason: str
    data: bytes


class Content(Protocol):
    """The content of a spool that no daemon can use meanwhile; each iterator reads as it goes."""

    contents: Contents
    damages: list[Damage]
    """Corrupt records: while there are any, the content cannot be taken over."""

    def numbers(self) -> Numbers:
        """Returns the counters."""
        ...

    def connections(self) -> list[StoredConnection]:
        """Returns the connections."""
        ...

    def rows(self, *, parked: bool) -> Iterator[StoredRow]:
        """Returns the waiting rows in the logs, or those of parked lanes, in the order of their keys."""
        ...

    def lanes(self) -> Iterator[StoredLane]:
        """Returns the parked lanes."""
        ...

    def progress(self) -> Iterator[tuple[int, bytes]]:
        """Returns the key and the progress of rows."""
        ...

    def ids(self) -> Iterator[KnownId]:
        """Returns the duplicate window."""
        ...

    def seconds(self) -> list[tuple[int, int]]:
        """Returns the claimed seconds as (key, owner), oldest first."""
        ...

    def contacts(self) -> Iterator[CopiedContact]:
        """Returns the contact cache."""
        ...

    def identities(self) -> Iterator[StoredIdentity]:
        """Returns the contact of each lane."""
        ...

    def outcomes(self) -> Iterator[StoredOutcome]:
        """Returns the journal, in order."""
        ...

    def letters(self) -> Iterator[StoredLetter]:
        """Returns the dead letters."""
        ...

    def forwarded(self) -> Iterator[tuple[Forwarded, float]]:
        """Returns the results of the last request of each agent, and when it came."""
        ...

    def states(self) -> Iterator[tuple[str, bytes]]:
        """Returns the states of parts of the daemon by name."""
        ...

    def pacing(self) -> Iterator[tuple[str, PacingState]]:
        """Returns what was learned of the budget of each workspace."""
        ...

    def refusals(self) -> list[Refusal]:
        """Returns the rejected and skipped envelopes, oldest first."""
        ...

    def quarantined(self) -> Iterator[QuarantinedRecord]:
        """Returns the quarantined records."""
        ...

    def retire(self) -> str:
        """Renames the spool, so that no daemon opens it again; returns its new name. Nothing can be read any more."""
        ...
