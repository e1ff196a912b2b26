"""What an engine offers for a spool that this process does not open: inspection, and maintenance when it is closed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from intercomd_daemon.envelope import AcceptedEnvelope

FILE = "file"
"""The file as a whole, in place of a table's name."""
LISTED_MAX = 10_000
"""Corrupt records listed one by one; further ones are only counted."""


class Inspection(NamedTuple):
    """What shows of a spool without opening or changing it."""

    path: str
    problem: str = ""
    """Why a daemon cannot use it, with the fix; empty if it can."""
    exists: bool = False
    holder: str = ""
    """The process that has it open; empty if none has."""
    folder: str = ""
    """Whose disk the next fields are about."""
    free_bytes: int = 0
    reserved_bytes: int = 0
    """Kept free besides `free_bytes_min`, with no envelope waiting."""


class Damage(NamedTuple):
    """A corrupt record, or larger damage."""

    table: str
    key: int
    """0: not about one record."""
    lane: str
    """Whose it was, as far as can be read; it may contain an email. Empty: unknown, or of no user."""
    reason: str


class Contents(NamedTuple):
    """The sound content."""

    waiting: int = 0
    """Envelopes."""
    lost: int = 0
    """Envelopes that wait by the counters, but are corrupt or missing."""
    dead_letters: int = 0
    outcomes: int = 0


@dataclass
class DamageReport:
    """Everything that was found."""

    damages: list[Damage] = field(default_factory=list)
    count: int = 0
    """Damages, including those that are not listed."""
    contents: Contents = field(default_factory=Contents)

    def add(self, damage: Damage) -> None:
        """Adds a damage."""
        self.count += 1
        if len(self.damages) < LISTED_MAX:
            self.damages.append(damage)


class Exported(NamedTuple):
    """An exported envelope."""

    connection: str
    envelope: AcceptedEnvelope


class Repaired(NamedTuple):
    """The result of a repair."""

    contents: Contents
    """What the new file holds."""
    kept: str
    """The path of the old file."""


class ClosedSpool(Protocol):
    """A spool that does not change while the caller reads it: it holds its lock, or reads a snapshot."""

    damages: list[Damage]
    """Damage that shows without reading the spool."""

    def verify(self) -> DamageReport:
        """Checks every record; changes nothing."""
        ...

    def export(self, now: float, findings: DamageReport, *, dead_letters: bool) -> Iterator[Exported]:
        """Returns the waiting envelopes in order, with `dead_letters` those too; adds damage to `findings`."""
        ...

    def repair(self, now: float) -> Repaired:
        """Replaces the spool by a new one of what is readable; `now` is in Unix seconds.

        Raises:
            SpoolUnusable: it cannot be repaired, and is unchanged.
        """
        ...


class Maintenance(Protocol):
    """The maintenance that an engine offers."""

    def lock(self, place: str, password_file: str = "") -> AbstractContextManager[ClosedSpool]:
        """Locks a spool against daemons, or begins a snapshot of one that they may use meanwhile.

        Inside, errors of the engine and the disk become SpoolUnusable. `place` is a file's path or a database's URL.

        Raises:
            SpoolLocked: a daemon has it open.
            SpoolUnusable: it is not a spool of this engine, or the disk fails.
        """
        ...
