"""The daemon's knowledge of a contact: its id, the values last sent, and the calls that are writing to it.

Lanes that turn out to be the same person share a contact.
"""

from collections.abc import Hashable, Iterable, Mapping
from hashlib import blake2b

import msgspec

from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Scalar
from intercomd_daemon.spool.record import RecordDamaged, pack, unpack

# How long a lane makes no calls after Intercom refused its contact as archived, blocked or deleted.
UNAVAILABLE_SECONDS = 600.0
# Attributes of one contact whose last sent value is remembered, the newest. A workspace holds at most 250.
DIGESTS_MAX = 1_000
# Unavailable lanes that are remembered; the oldest are forgotten, which costs a call each.
UNAVAILABLE_MAX = 10_000

# First and last name are sent as the name: they and a whole name overwrite each other.
_NAME_PARTS = (FIRST_NAME, LAST_NAME)
_OVERWRITES = {"name": _NAME_PARTS, FIRST_NAME: ("name",), LAST_NAME: ("name",)}
# The digest of an attribute whose value at Intercom is unknown: no value has it.
_UNKNOWN = -1
LATE_WRITES_SECONDS = 60.0
"""How long a write of an owner that lost the workspace may still arrive, after it left."""

_encode_json = msgspec.json.Encoder().encode


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """The value last sent of one attribute: its 64-bit digest, its envelope's position, and the time (Unix seconds)."""

    value: int
    position: int
    when: float


class StoredContact(msgspec.Struct, frozen=True, array_like=True):
    """A contact as the contact cache stores it."""

    digests: dict[str, Digest] = {}
    first_name: str = ""
    last_name: str = ""


def digest_of(value: Scalar) -> int:
    """Returns a 64-bit digest of an attribute's value; equal values of different types differ."""
    return int.from_bytes(blake2b(_encode_json(value), digest_size=8).digest(), "little", signed=True)


class LateWrites:
    """Whether writes may still arrive of a previous owner, which did not release the workspace.

    Until then no value counts as the one that was last sent: so the next write overwrites a late one.
    """

    def __init__(self) -> None:
        self.expected = False


class Contact:
    """A contact in memory: its id if known, the values last sent to it, and the calls that are writing to it."""

    def __init__(self, contact_id: str = "", cached: bytes = b"", late_writes: LateWrites | None = None) -> None:
        """`cached` is the record of the contact cache."""
        self._late_writes = late_writes or LateWrites()
        self.id = contact_id
        """Intercom's id; empty if it is unknown."""
        self._writers: dict[Hashable, dict[str, bool]] = {}
        """By call in flight: the attributes that it writes, and whether no other call has written them meanwhile."""
        try:
            kept = unpack(cached, StoredContact) if cached else StoredContact()
        except RecordDamaged:
            kept = StoredContact()  # A lost record costs one call: all values are sent again.
        self._digests = dict(kept.digests)
        self.first_name = kept.first_name
        self.last_name = kept.last_name

    def identify(self, contact_id: str) -> None:
        """Sets Intercom's id, which a response has named."""
        self.id = contact_id

    def pack(self) -> bytes:
        """Returns the record for the contact cache."""
        return pack(StoredContact(self._digests, self.first_name, self.last_name))

    def knows(self, name: str, value: Scalar, now: float, seconds: float) -> bool:
        """Whether this value was the last one sent of the attribute, less than `seconds` ago."""
        known = self._digests.get(name)
        # A time in the future is from before the clock was set back: the age is unknown, so it does not count.
        return known is not None and 0.0 <= now - known.when < seconds and known.value == digest_of(value)

    def written_after(self, name: str, position: int) -> bool:
        """Whether an envelope of a later position has written this attribute."""
        known = self._digests.get(name)
        return known is not None and known.position > position

    def begin_write(self, names: Iterable[str], writer: Hashable) -> None:
        """Records that a call with these attributes leaves: until its response, their values are unknown."""
        mine = dict.fromkeys(names, True)
        if "name" in mine and not mine.keys() & set(_NAME_PARTS):
            mine |= dict.fromkeys(_NAME_PARTS, True)
        for theirs in self._writers.values():
            for name in mine.keys() & theirs.keys():
                # Two calls are in flight: it is unknown which of them Intercom handles last.
                mine[name] = theirs[name] = False
        self._writers[writer] = mine
        for name in mine:
            self._digests.pop(name, None)

    def mark_sent(
        self, sent_values: Mapping[str, tuple[Scalar, int]], writer: Hashable, now: float, *, compared: bool = True
    ) -> None:
        """Records the values of a call that succeeded; attributes that another call wrote meanwhile stay unknown.

        `compared`: `unchanged_for` is set. Otherwise others may write the attributes, too: the values then count as
        unknown, also for settings that compare them later.
        """
        self._record(sent_values, writer, now, known=compared and not self._late_writes.expected)

    def _record(
        self, sent_values: Mapping[str, tuple[Scalar, int]], writer: Hashable, now: float, *, known: bool
    ) -> None:
        """`known`: Intercom has these values now; else the record says only who wrote the attributes last."""
        sure = self._writers.get(writer, {})
        for name, (value, position) in sent_values.items():
            if name == FIRST_NAME:
                self.first_name = str(value or "")
            elif name == LAST_NAME:
                self.last_name = str(value or "")
            if sure.get("name" if name in _NAME_PARTS else name):
                self._digests[name] = Digest(digest_of(value) if known else _UNKNOWN, position, now)
                for overwritten in _OVERWRITES.get(name, ()):
                    self._digests[overwritten] = Digest(_UNKNOWN, position, now)
        self._trim()

    def _trim(self) -> None:
        """Forgets the oldest values beyond the bound: they are sent once more if they come again."""
        while len(self._digests) > DIGESTS_MAX:
            del self._digests[next(iter(self._digests))]

    def end_write(self, writer: Hashable) -> None:
        """Records that the call has ended."""
        self._writers.pop(writer, None)

    def remember_without_sending(self, values: Mapping[str, tuple[Scalar, int]], now: float) -> None:
        """Records values as sent without a call, so that later updates leave them out."""
        self.begin_write(values, self)
        self._record(values, self, now, known=True)
        self.end_write(self)

    def absorb(self, other: "Contact") -> None:
        """Merges another object for the same contact: later values win, those in flight stay unknown."""
        merged = unpack(other.pack(), StoredContact)
        for name, digest in merged.digests.items():
            known = self._digests.get(name)
            if known is None or known.when <= digest.when:
                self._digests[name] = digest
        self.first_name = merged.first_name or self.first_name
        self.last_name = merged.last_name or self.last_name
        for theirs in self._writers.values():
            for name in theirs.keys() & merged.digests.keys():
                theirs[name] = False
                self._digests.pop(name, None)
        self._trim()

    def forget(self) -> None:
        """Forgets everything, because the contact no longer exists (404 or 410)."""
        self.id = ""
        self._digests.clear()
        self._writers.clear()
        self.first_name = self.last_name = ""


class UnavailableContacts:
    """The lanes whose contact takes nothing: archived or blocked, and when that was merged."""

    def __init__(self) -> None:
        self._lanes: dict[str, tuple[str, float]] = {}

    def add(self, lane: str, reason: str, now: float) -> None:
        """Remembers the reason for ten minutes."""
        self._lanes.pop(lane, None)
        self._lanes[lane] = (reason, now)
        while len(self._lanes) > UNAVAILABLE_MAX:
            del self._lanes[next(iter(self._lanes))]

    def why(self, lane: str, now: float) -> str:
        """Returns the reason; empty if calls about the contact may be made."""
        if not self._lanes:
            return ""
        reason, when = self._lanes.get(lane, ("", 0.0))
        # A time in the future is from before the clock was set back: the age is unknown, so it does not count.
        return reason if 0.0 <= now - when < UNAVAILABLE_SECONDS else ""
