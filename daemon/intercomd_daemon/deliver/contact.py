"""What is known of a contact, and which call settles what is not.

A contact is shared by all lanes that turn out to be the same person. What is to be said of it, it does not know.
"""

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum, auto
from hashlib import blake2b

import msgspec

from intercomd_daemon.deliver import encode
from intercomd_daemon.deliver.exchange import Call, Request
from intercomd_daemon.deliver.judge import Clue, Kind, Verdict
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Scalar
from intercomd_daemon.spool.record import RecordDamaged, pack, unpack

# "At most 3 rounds, then back off": conflicts answered for one update before it is put off.
ROUNDS_MAX = 3
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


class Remembered(msgspec.Struct, frozen=True, array_like=True):
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
            kept = unpack(remembered, Remembered) if remembered else Remembered()
        except RecordDamaged:
            kept = Remembered()  # A book that cannot be read only costs a call.
        self._digests = dict(kept.digests)
        self.first_name = kept.first_name
        self.last_name = kept.last_name

    def pack(self) -> bytes:
        """What the book keeps."""
        return pack(Remembered(self._digests, self.first_name, self.last_name))

    def knows(self, name: str, value: Scalar, now: float, seconds: float) -> bool:
        """Whether this very value is what the attribute was last told, less than `seconds` ago."""
        known = self._digests.get(name)
        # What was told in the future was told before a clock was set back: nobody knows how long ago.
        return known is not None and 0.0 <= now - known.when < seconds and known.value == digest_of(value)

    def written_after(self, name: str, position: int) -> bool:
        """Whether a later position has said something of this attribute."""
        known = self._digests.get(name)
        return known is not None and known.position > position

    def begin(self, names: Iterable[str], writer: Hashable) -> None:
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

    def told(self, spoken: Mapping[str, tuple[Scalar, int]], writer: Hashable, now: float) -> None:
        """The call was answered well. What another call has touched meanwhile stays unknown."""
        sure = self._writers.get(writer, {})
        for name, (value, position) in spoken.items():
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

    def release(self, writer: Hashable) -> None:
        """The call is over."""
        self._writers.pop(writer, None)

    def absorb(self, other: "Contact") -> None:
        """The two turn out to be one: what was told last holds, what is being told now stays unknown."""
        learned = unpack(other.pack(), Remembered)
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


class Unavailable:
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


class Turn(Enum):
    """What to do after an answer about the contact."""

    GO_ON = auto()
    BACK_OFF = auto()
    REFUSE = auto()


class Resolution:
    """What the answers have taught of one lane's contact while one update, or one event, is on its way."""

    def __init__(self) -> None:
        self.taken = ""
        """The email that another contact owns: it is left out."""
        self.adopt = ""
        """The id of the contact that was found by email and has no external id yet: it gets ours."""
        self.refusal = ""
        self.lost = False
        """Whether the last answer says that there is no such contact any more."""
        self._suspect = ""
        self._suspect_email = ""
        self._suspect_archived = False
        self._unarchive = ""
        self._rounds = 0

    def request(self, contact: Contact, customer_id: str, email: str, fields: Mapping[str, Scalar]) -> Request:
        """The call that writes these fields to the contact, or that finds out who it is."""
        if self._unarchive:
            return encode.unarchive_contact(self._unarchive)
        if self._suspect:
            return encode.read_contact(self._suspect)
        contact_id = self.adopt or contact.id
        if not contact_id or email == self.taken:
            # On create the email is part of the identity.
            fields = {name: value for name, value in fields.items() if name != "email"}
        if contact_id:
            return encode.update_contact(contact_id, customer_id if self.adopt else "", fields)
        return encode.create_contact(customer_id, "" if email == self.taken else email, fields)

    def nothing_left(self, contact: Contact, email: str, fields: Mapping[str, Scalar]) -> bool:
        """Whether all that was to be said is an email that another contact owns."""
        asking = self._suspect or self._unarchive or self.adopt
        return bool(contact.id and email) and email == self.taken and not asking and fields.keys() <= {"email"}

    def learn(
        self, contact: Contact, call: Call, verdict: Verdict, customer_id: str, email: str, *, unarchive: bool
    ) -> Turn:
        """Takes an answer that did not write the contact, and says whether to go on with another call at once."""
        with_email = bool(customer_id and email) and email != self.taken
        self.lost = False
        if verdict.kind is Kind.DONE:
            self._met(contact, verdict, customer_id, unarchive=unarchive)
        elif verdict.clue is Clue.NOT_FOUND:
            self._lost(contact, call, unarchive=unarchive)
        elif verdict.clue in {Clue.EXISTS, Clue.ARCHIVED} and with_email:
            self._suspect, self._suspect_email = verdict.contact_id, email
            self._suspect_archived = verdict.clue is Clue.ARCHIVED
        elif verdict.clue is Clue.ARCHIVED:
            self._archived(verdict.contact_id, unarchive=unarchive)
        elif verdict.clue is Clue.EXISTS:
            contact.id = verdict.contact_id
        elif verdict.clue in {Clue.AMBIGUOUS, Clue.CONFLICT} and with_email:
            # Where our external id is the one that clashes, it is the email's owner who is not ours.
            self.taken, self.adopt = email, ""
        else:
            self.refusal = verdict.reason
        if self.refusal:
            return Turn.REFUSE
        self._rounds += verdict.kind is not Kind.DONE
        return Turn.BACK_OFF if self._rounds > ROUNDS_MAX else Turn.GO_ON

    def _met(self, contact: Contact, verdict: Verdict, customer_id: str, *, unarchive: bool) -> None:
        """`GET /contacts/{id}` or the unarchiving was answered: is it the one that we mean?"""
        suspect, unarchived = self._suspect, self._unarchive
        self._suspect = self._unarchive = ""
        if customer_id and verdict.external_id not in {"", customer_id}:
            # "compare its external_id before overwriting it": it is another's, who owns the email.
            self.taken = self._suspect_email
        elif suspect and self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        elif customer_id and not verdict.external_id:
            self.adopt = suspect or unarchived
        else:
            contact.id = suspect or unarchived

    def _lost(self, contact: Contact, call: Call, *, unarchive: bool) -> None:
        suspect, self._suspect, self._unarchive, self.adopt = self._suspect, "", "", ""
        if call is Call.READ_CONTACT and self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        else:
            self.lost = True
            contact.forget()

    def _archived(self, contact_id: str, *, unarchive: bool) -> None:
        # "Unarchiving after a 409 silently undoes somebody's decision: make it a setting, off by default."
        if unarchive:
            self._unarchive = contact_id
        else:
            self.refusal = "CONTACT_ARCHIVED"
