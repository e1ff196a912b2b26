"""What is known of a contact, and which call settles what is not.

A contact is shared by all lanes that turn out to be the same person.
"""

from collections.abc import Hashable, Iterable, Mapping
from hashlib import blake2b

import msgspec

from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Scalar
from intercomd_daemon.spool.record import RecordDamaged, pack, unpack

# "Archived and not `unarchive`, or blocked: dead letter, remembered for 10 minutes without calls."
UNAVAILABLE_SECONDS = 600.0
# Attributes whose last value is remembered of one contact, the newest: Intercom holds "at most 250 per workspace".
DIGESTS_MAX = 1_000
# Lanes so remembered; more are forgotten, oldest first, which costs a call each.
UNAVAILABLE_MAX = 10_000

# First and last name go over the wire as the name: they and a whole name overwrite each other.
_NAME_PARTS = (FIRST_NAME, LAST_NAME)
_RIVALS = {"name": _NAME_PARTS, FIRST_NAME: ("name",), LAST_NAME: ("name",)}
# What is put in place of a value's digest where something else was said.
_OVERWRITTEN = -1

_encode_json = msgspec.json.Encoder().encode


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """What was last sent of one attribute: a 64-bit digest, the position that said it, and when (Unix seconds)."""

    value: int
    position: int
    when: float


class StoredContact(msgspec.Struct, frozen=True, array_like=True):
    """A contact as the book keeps it."""

    digests: dict[str, Digest] = {}
    first_name: str = ""
    last_name: str = ""


def digest_of(value: Scalar) -> int:
    """A 64-bit digest of an attribute's value; equal values of different types differ."""
    return int.from_bytes(blake2b(_encode_json(value), digest_size=8).digest(), "little", signed=True)


class Contact:
    """A contact in memory: its id if known, what it was last told, and who is telling it something now."""

    def __init__(self, contact_id: str = "", remembered: bytes = b"") -> None:
        self.id = contact_id
        self._writers: dict[Hashable, dict[str, bool]] = {}
        try:
            kept = unpack(remembered, StoredContact) if remembered else StoredContact()
        except RecordDamaged:
            kept = StoredContact()  # A book that cannot be read only costs a call.
        self._digests = dict(kept.digests)
        self.first_name = kept.first_name
        self.last_name = kept.last_name

    def pack(self) -> bytes:
        """What the book keeps."""
        return pack(StoredContact(self._digests, self.first_name, self.last_name))

    def knows(self, name: str, value: Scalar, now: float, seconds: float) -> bool:
        """Whether this very value is what the attribute was last told, less than `seconds` ago."""
        known = self._digests.get(name)
        # What was told in the future was told before a clock was set back: nobody knows how long ago.
        return known is not None and 0.0 <= now - known.when < seconds and known.value == digest_of(value)

    def written_after(self, name: str, position: int) -> bool:
        """Whether a later position has said something of this attribute."""
        known = self._digests.get(name)
        return known is not None and known.position > position

    def begin_write(self, names: Iterable[str], writer: Hashable) -> None:
        """A call with these attributes leaves: until its answer, what they hold is unknown."""
        mine = dict.fromkeys(names, True)
        if "name" in mine and not mine.keys() & set(_NAME_PARTS):
            mine |= dict.fromkeys(_NAME_PARTS, True)
        for theirs in self._writers.values():
            for name in mine.keys() & theirs.keys():
                # Two calls are under way: which of them Intercom takes last, nobody knows.
                mine[name] = theirs[name] = False
        self._writers[writer] = mine
        for name in mine:
            self._digests.pop(name, None)

    def mark_sent(self, sent_values: Mapping[str, tuple[Scalar, int]], writer: Hashable, now: float) -> None:
        """The call was answered well. What another call has touched meanwhile stays unknown."""
        sure = self._writers.get(writer, {})
        for name, (value, position) in sent_values.items():
            if name == FIRST_NAME:
                self.first_name = str(value or "")
            elif name == LAST_NAME:
                self.last_name = str(value or "")
            if sure.get("name" if name in _NAME_PARTS else name):
                self._digests[name] = Digest(digest_of(value), position, now)
                for rival in _RIVALS.get(name, ()):
                    self._digests[rival] = Digest(_OVERWRITTEN, position, now)
        self._trim()

    def _trim(self) -> None:
        """Forgets what was told first beyond the bound: it is told once more if it comes again."""
        while len(self._digests) > DIGESTS_MAX:
            del self._digests[next(iter(self._digests))]

    def end_write(self, writer: Hashable) -> None:
        """The call is over."""
        self._writers.pop(writer, None)

    def absorb(self, other: "Contact") -> None:
        """The two turn out to be one: what was told last holds, what is being told now stays unknown."""
        learned = unpack(other.pack(), StoredContact)
        for name, digest in learned.digests.items():
            known = self._digests.get(name)
            if known is None or known.when <= digest.when:
                self._digests[name] = digest
        self.first_name = learned.first_name or self.first_name
        self.last_name = learned.last_name or self.last_name
        for theirs in self._writers.values():
            for name in theirs.keys() & learned.digests.keys():
                theirs[name] = False
                self._digests.pop(name, None)
        self._trim()

    def forget(self) -> None:
        """The contact is not what it was: "a 404 or 410 erases all"."""
        self.id = ""
        self._digests.clear()
        self._writers.clear()
        self.first_name = self.last_name = ""


class UnavailableContacts:
    """The lanes whose contact takes nothing: archived or blocked, and when that was learned."""

    def __init__(self) -> None:
        self._lanes: dict[str, tuple[str, float]] = {}

    def add(self, lane: str, reason: str, now: float) -> None:
        """Remembers why, for ten minutes."""
        self._lanes.pop(lane, None)
        self._lanes[lane] = (reason, now)
        while len(self._lanes) > UNAVAILABLE_MAX:
            del self._lanes[next(iter(self._lanes))]

    def why(self, lane: str, now: float) -> str:
        """The reason; empty if the contact may be tried."""
        reason, when = self._lanes.get(lane, ("", 0.0))
        # What was learned in the future was learned before a clock was set back: nobody knows how long ago.
        return reason if 0.0 <= now - when < UNAVAILABLE_SECONDS else ""
