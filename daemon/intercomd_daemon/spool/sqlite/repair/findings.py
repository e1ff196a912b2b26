"""What is found wrong with a spool's file, as data."""

from dataclasses import dataclass, field
from typing import NamedTuple

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


@dataclass
class Findings:
    """All that was found."""

    damages: list[Damage] = field(default_factory=list)
    count: int = 0
    """Of damages, those that are not listed included."""
    missing: int = 0
    """Waiting envelopes that were counted and of which nothing was found."""
    waiting: int = 0
    """Waiting envelopes that are sound."""
    dead_letters: int = 0
    outcomes: int = 0

    def add(self, damage: Damage) -> None:
        """Takes note of a damage."""
        self.count += 1
        if len(self.damages) < LISTED_MAX:
            self.damages.append(damage)

    @property
    def lost(self) -> int:
        """Waiting envelopes that were counted and are not sound."""
        return self.missing + sum(damage.key != 0 and damage.table in {"log", "parked"} for damage in self.damages)
