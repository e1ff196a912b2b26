"""Allocates a second of its own to each event, among the events of one user and name.

Intercom identifies an event by "workspace + contact's external id + event name + created_at", so two real events of one
second collapse into one. The newest allocations are kept in bounded memory.
"""

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

import msgspec

from intercomd_daemon.conversion import rfc3339
from intercomd_daemon.envelope import Finding, TrackEvent
from intercomd_daemon.ingest.limits import SECONDS_REMEMBERED, SHIFT_SECONDS_MAX

_SHIFTED = "the user has another event of this name at {}, which Intercom would merge with it: moved by {} s to {}"
_KEYS_END = 1 << 63
_SAME_SECOND = (
    "the user has events of this name on every second from {} to {}: not moved, and Intercom may merge it; "
    "send the events' real times"
)


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An envelope's events with their allocated seconds."""

    events: tuple[TrackEvent, ...]
    pairs: tuple[tuple[int, int], ...]
    """(key, owner) of each allocated second."""
    findings: tuple[Finding, ...]
    """The events that moved or could not; empty: all events kept their times."""


class TimestampAllocator:
    """Allocates seconds, and remembers the newest allocations."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = (), remembered_max: int = SECONDS_REMEMBERED) -> None:
        """`pairs` of (key, owner), oldest first, are what an earlier run remembered."""
        self._owners: dict[int, int] = {}
        self._ring = array("q", bytes(8 * remembered_max))
        self._next = 0
        self._full = False
        for key, owner in pairs:
            # A larger key was damaged on disk. Ignoring it costs at most one collision.
            if key < _KEYS_END and key not in self._owners:
                self._remember(key, owner)

    def place(
        self, connection: str, lane: str, envelope_id: str, events: tuple[TrackEvent, ...], latest: int
    ) -> Placed:
        """Gives each event its own second if that is free, else the next free one, at most 300 s later.

        No event moves beyond `latest` (Unix seconds): a shift must not put an event into the future. The same envelope
        gets the same seconds when it is sent again.
        """
        pairs: list[tuple[int, int]] = []
        findings: list[Finding] = []
        placed = list(events)
        for index, event in enumerate(events):
            # 32 bits are enough: the owner only has to differ among the few events that want the same second.
            owner = crc32(f"{envelope_id}\0{index}".encode() if index else envelope_id.encode())
            key = _first_key(connection, lane, event.name) + event.created_at
            if key not in self._owners:
                self._remember(key, owner)
                pairs.append((key, owner))
                continue
            shift_max = max(0, min(SHIFT_SECONDS_MAX, latest - event.created_at))
            shift = self._take(key, owner, shift_max)
            if shift < 0:
                message = _SAME_SECOND.format(rfc3339(event.created_at), rfc3339(event.created_at + shift_max))
                findings.append(Finding("SAME_SECOND", "event_time", message))
                continue
            pairs.append((key + shift, owner))
            if shift:
                placed[index] = TrackEvent(event.name, event.created_at + shift, event.metadata)
                message = _SHIFTED.format(rfc3339(event.created_at), shift, rfc3339(event.created_at + shift))
                findings.append(Finding("TIME_SHIFTED", "event_time", message))
        return Placed(tuple(placed), tuple(pairs), tuple(findings))

    def _take(self, key: int, owner: int, shift_max: int) -> int:
        """Allocates the first second from `key` on that is free or the owner's; returns the shift, -1 if none is."""
        owners = self._owners
        for shift in range(shift_max + 1):
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
    """Returns the key of second 0 of one user and name; later seconds follow, so that a search needs one hash.

    It has 62 bits, so that the sum with a second is a signed 64-bit number. Names are case-insensitive.
    """
    text = f"{connection}\0{lane}\0{name.casefold()}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
