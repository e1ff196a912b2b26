"""One envelope of the demo, with everything that must come of it. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from intercomd import Envelope

Stored = str | float | bool
"""A contact's field as Intercom holds it."""


class Fate(Enum):
    """How an envelope ends, in the order of the table."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DEAD_LETTER = "dead letters"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    DUPLICATE = "duplicates"

    @property
    def accepted(self) -> bool:
        """Whether it gets into the spool, and so has an outcome."""
        return self in {Fate.DELIVERED, Fate.UNCHANGED, Fate.DEAD_LETTER}


class Tracked(NamedTuple):
    """An event that Intercom must get."""

    name: str
    created_at: int
    """Unix seconds."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One envelope."""

    kind: str
    """For the table."""
    envelope: Envelope
    fate: Fate
    who: str = ""
    """Intercom's external_id of the contact, or the email of one who has none."""
    events: tuple[Tracked, ...] = ()
    stored: Mapping[str, Stored] = field(default_factory=dict)
    """The contact's fields that this sets."""
    reason: str = ""
    """Of what is not delivered."""
