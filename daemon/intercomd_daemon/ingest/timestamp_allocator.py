"""A second of its own for each event: which seconds of a user's events of one name are taken, and by which envelope.

Intercom identifies an event by "workspace + contact's external id + event name + created_at", so that two real events
of one second collapse into one. The newest seconds are remembered, in bounded memory; disk and clock are unknown.
"""

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

import msgspec

from intercomd_daemon.envelope import Event, Finding
from intercomd_daemon.ingest.limits import SECONDS_REMEMBERED, SHIFT_SECONDS_MAX

_SHIFTED = "Intercom would take it for a repeat of another event of this user and name: it moved on by {} s, to {}"
_KEYS_END = 1 << 63
_SAME_SECOND = (
    f"the next {SHIFT_SECONDS_MAX} s have events of this user and name already: it stays, and Intercom may take it for "
    "a repeat"
)


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An envelope's events on their seconds."""

    events: tuple[Event, ...]
    pairs: tuple[tuple[int, int], ...]
    """(key, owner) of each second that is held now."""
    findings: tuple[Finding, ...]
    """What moved, and what could not; empty: the events are where they were."""


class TimestampAllocator:
    """Remembers the newest seconds that were taken."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = (), remembered_max: int = SECONDS_REMEMBERED) -> None:
        """`pairs` of (key, owner), oldest first, are what an earlier run remembered."""
        self._owners: dict[int, int] = {}
        self._ring = array("q", bytes(8 * remembered_max))
        self._next = 0
        self._full = False
        for key, owner in pairs:
            # A larger one is none of ours: the disk has changed it. What is lost by that is a second of its own.
            if key < _KEYS_END and key not in self._owners:
                self._remember(key, owner)

    def place(self, connection: str, lane: str, envelope_id: str, events: tuple[Event, ...]) -> Placed:
        """Gives each event its own second if that is free, else the next free one, at most 300 s on.

        The same envelope asked again gets the same seconds.
        """
        pairs: list[tuple[int, int]] = []
        findings: list[Finding] = []
        placed = list(events)
        for index, event in enumerate(events):
            # Whose a second is matters among the few that ask for the very same one: 32 bits tell them apart.
            owner = crc32(f"{envelope_id}\0{index}".encode() if index else envelope_id.encode())
            key = _first_key(connection, lane, event.name) + event.created_at
            if key not in self._owners:
                self._remember(key, owner)
                pairs.append((key, owner))
                continue
            shift = self._take(key, owner)
            if shift < 0:
                findings.append(Finding("SAME_SECOND", "event_time", _SAME_SECOND))
                continue
            pairs.append((key + shift, owner))
            if shift:
                placed[index] = Event(event.name, event.created_at + shift, event.metadata)
                findings.append(Finding("TIME_SHIFTED", "event_time", _SHIFTED.format(shift, event.created_at + shift)))
        return Placed(tuple(placed), tuple(pairs), tuple(findings))

    def _take(self, key: int, owner: int) -> int:
        """How far on from `key` the first second is that is free or the owner's, and takes it; -1: none is."""
        owners = self._owners
        for shift in range(SHIFT_SECONDS_MAX + 1):
            holder = owners.get(key + shift)
            if holder is None:
                self._remember(key + shift, owner)
                return shift
            if holder == owner:
                return shift
        return -1

    def _remember(self, key: int, owner: int) -> None:
        if self._full:
            del self._owners[self._ring[self._next]]
        self._owners[key] = owner
        self._ring[self._next] = key
        self._next += 1
        if self._next == len(self._ring):
            self._next, self._full = 0, True


def _first_key(connection: str, lane: str, name: str) -> int:
    """Where the seconds of one user and name begin: they are neighbours, so that looking on costs no further hash.

    62 bits, so that with a second added it is a signed 64-bit number. Names are case-insensitive.
    """
    text = f"{connection}\0{lane}\0{name.casefold()}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
