"""What is found of a spool's file, as data: what is wrong, and what is there."""

from dataclasses import dataclass, field
from typing import NamedTuple

FILE = "file"
"""In place of a table, where the file as a whole is meant."""
LISTED_MAX = 10_000
"""Damaged records that are listed one by one; further ones are only counted."""


class Damage(NamedTuple):
    """A record that is not what was written, or more than a record."""

    table: str
    key: int
    """0: it is not about one record."""
    lane: str
    """Whose it was, as far as can be read; may be an email. Empty: nobody's, or unknown."""
    reason: str


class Contents(NamedTuple):
    """What is there and sound."""

    waiting: int = 0
    """Envelopes."""
    lost: int = 0
    """Envelopes that wait by the counters, and are damaged or not to be found."""
    dead_letters: int = 0
    outcomes: int = 0


@dataclass
class Findings:
    """All that was found wrong."""

    damages: list[Damage] = field(default_factory=list)
    count: int = 0
    """Of damages, those that are not listed included."""
    contents: Contents = field(default_factory=Contents)

    def add(self, damage: Damage) -> None:
        """Takes note of a damage."""
        self.count += 1
        if len(self.damages) < LISTED_MAX:
            self.damages.append(damage)
