"""The findings of a maintenance command: what is corrupt, and what is there."""

from dataclasses import dataclass, field
from typing import NamedTuple

FILE = "file"
"""Stands for the file as a whole, in place of a table."""
LISTED_MAX = 10_000
"""Corrupt records listed one by one; further ones are only counted."""


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
class Findings:
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
