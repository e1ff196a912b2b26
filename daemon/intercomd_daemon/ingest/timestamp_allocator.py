"""Allocates a unique second to each event, among the events of one user and name.

Intercom identifies an event by "workspace, contact's external id, event name and `created_at`" (I24). So it would merge
two events of one second. The newest claims are kept in bounded memory, and the spool keeps them over a restart.
"""

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

import msgspec

from intercomd_daemon.conversion import rfc3339
from intercomd_daemon.envelope import Finding, TrackEvent
from intercomd_daemon.ingest.limits import CLAIMED_SECONDS_MAX, SHIFT_SECONDS_MAX

_SHIFTED = "the user has another event of this name at {}, which Intercom would merge with it: shifted by {} s to {}"
_KEYS_END = 1 << 63
_SAME_SECOND = (
    "the user has events of this name on every second from {} to {}: not shifted, and Intercom may merge it; "
    "send the events' real times"
)


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """The events of one envelope with their allocated seconds."""

    events: tuple[TrackEvent, ...]
    pairs: tuple[tuple[int, int], ...]
    """(key, owner) of each claimed second, for the spool."""
    findings: tuple[Finding, ...]
    """One for each event that was shifted, or that found no free second; empty if all events keep their times."""


class TimestampAllocator:
    """Allocates seconds and remembers the newest claims.

    A claim maps a key (user, name and second) to its owner (an event of an envelope). The owner makes a repeat of the
    envelope get the same second, instead of shifting against itself.
    """

    def __init__(self, pairs: Iterable[tuple[int, int]] = (), claims_max: int = CLAIMED_SECONDS_MAX) -> None:
        """`pairs` are the claims (key, owner) of an earlier run, oldest first."""
        self._owners: dict[int, int] = {}
        self._ring = array("q", bytes(8 * claims_max))
        self._next = 0
        self._full = False
        self.learn(pairs)

    def learn(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Records claims that were made elsewhere; they replace claims of the same seconds."""
        for key, owner in pairs:
            if key in self._owners:
                self._owners[key] = owner
            # A larger key is damaged: keys have 63 bits. Ignoring it costs at most one collision.
            elif key < _KEYS_END:
                self._remember(key, owner)

    def allocate(
        self, connection: str, lane: str, envelope_id: str, events: tuple[TrackEvent, ...], latest: int
    ) -> Allocation:
        """Allocates to each event its own second if that is free, else the next free one, at most 300 s later.

        No event is shifted beyond `latest` (Unix seconds): a shift must not put an event into the future. A repeat of
        the envelope gets the same seconds.
        """
        if len(events) == 1:
            # Fast path: most envelopes have one event, and the event has its second to itself.
            key = _first_key(connection, lane, events[0].name) + events[0].created_at
            if key not in self._owners:
                owner = crc32(envelope_id.encode())
                self._remember(key, owner)
                return Allocation(events, ((key, owner),), ())
        pairs: list[tuple[int, int]] = []
        findings: list[Finding] = []
        shifted = list(events)
        for index, event in enumerate(events):
            # 32 bits are enough: owners only have to differ among the few events that share a second.
            owner = crc32(f"{envelope_id}\0{index}".encode() if index else envelope_id.encode())
            key = _first_key(connection, lane, event.name) + event.created_at
            shift_max = max(0, min(SHIFT_SECONDS_MAX, latest - event.created_at))
            shift = self._claim(key, owner, shift_max)
            if shift < 0:
                message = _SAME_SECOND.format(rfc3339(event.created_at), rfc3339(event.created_at + shift_max))
                findings.append(Finding("SAME_SECOND", "event_time", message))
                continue
            pairs.append((key + shift, owner))
            if shift:
                shifted[index] = TrackEvent(event.name, event.created_at + shift, event.metadata)
                message = _SHIFTED.format(rfc3339(event.created_at), shift, rfc3339(event.created_at + shift))
                findings.append(Finding("TIME_SHIFTED", "event_time", message))
        return Allocation(tuple(shifted), tuple(pairs), tuple(findings))

    def _claim(self, key: int, owner: int, shift_max: int) -> int:
        """Claims the first second from `key` on that is free or the owner's; returns the shift, -1 if all are taken."""
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
        # The ring holds the keys in the order of their claims, so that a new claim evicts the oldest.
        if self._full:
            del self._owners[self._ring[self._next]]
        self._owners[key] = owner
        self._ring[self._next] = key
        self._next += 1
        if self._next == len(self._ring):
            self._next, self._full = 0, True


def _first_key(connection: str, lane: str, name: str) -> int:
    """Returns the key of second 0 of one user and name. Later seconds follow it, so that a search needs one hash.

    It has 62 bits, so that the sum with a second is a signed 64-bit number. Case does not distinguish names.
    """
    text = f"{connection}\0{lane}\0{name.casefold()}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
