"""What is known of a contact, and which call settles what is not.

A contact is shared by all lanes that turn out to be the same person. What is to be said of it, it does not know.
"""

from collections.abc import Iterable, Mapping
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
# Lanes so remembered; more are forgotten, oldest first, which costs a call each.
UNAVAILABLE_MAX = 10_000

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
        self._writers: dict[str, object] = {}
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

    def knows(self, name: str, value: Scalar, since: float) -> bool:
        """Whether this very value is what the attribute was last told, after `since`."""
        known = self._digests.get(name)
        return known is not None and known.when > since and known.value == digest_of(value)

    def written_after(self, name: str, position: int) -> bool:
        """Whether a later position has said something of this attribute."""
        known = self._digests.get(name)
        return known is not None and known.position > position

    def begin(self, names: Iterable[str], writer: object) -> None:
        """A call with these attributes leaves: until its answer, what they hold is unknown."""
        for name in names:
            self._writers[name] = writer
            self._digests.pop(name, None)
            if name == "name":
                self._digests.pop(FIRST_NAME, None)
                self._digests.pop(LAST_NAME, None)

    def told(self, spoken: Mapping[str, tuple[Scalar, int]], writer: object, now: float) -> None:
        """The call was answered well. What another call has touched meanwhile stays unknown."""
        for name, (value, position) in spoken.items():
            if self._writers.get(name) is writer:
                self._digests[name] = Digest(digest_of(value), position, now)
                if name == FIRST_NAME:
                    self.first_name = str(value or "")
                elif name == LAST_NAME:
                    self.last_name = str(value or "")

    def release(self, writer: object) -> None:
        """The call is over."""
        for name in [name for name, other in self._writers.items() if other is writer]:
            del self._writers[name]

    def absorb(self, other: "Contact") -> None:
        """The two turn out to be one: what the other was told last holds, what is being told now stays unknown."""
        learned = unpack(other.pack(), Remembered)
        self._digests.update(learned.digests)
        for name in learned.digests:
            self._writers.pop(name, None)
        self.first_name = learned.first_name or self.first_name
        self.last_name = learned.last_name or self.last_name

    def forget(self) -> None:
        """The contact is not what it was: "a 404 or 410 erases all"."""
        self.id = ""
        self._digests.clear()
        self.first_name = self.last_name = ""


class Unavailable:
    """The lanes whose contact takes nothing: archived or blocked, and until when that is taken for granted."""

    def __init__(self) -> None:
        self._lanes: dict[str, tuple[str, float]] = {}

    def add(self, lane: str, reason: str, now: float) -> None:
        """Remembers why, for ten minutes."""
        self._lanes.pop(lane, None)
        self._lanes[lane] = (reason, now + UNAVAILABLE_SECONDS)
        while len(self._lanes) > UNAVAILABLE_MAX:
            del self._lanes[next(iter(self._lanes))]

    def why(self, lane: str, now: float) -> str:
        """The reason; empty if the contact may be tried."""
        reason, until = self._lanes.get(lane, ("", 0.0))
        return reason if now < until else ""


class Turn(Enum):
    """What to do after an answer about the contact."""

    GO_ON = auto()
    BACK_OFF = auto()
    REFUSE = auto()


class Resolution:
    """What the answers have taught of one lane's contact while one update, or one event, is on its way."""

    def __init__(self) -> None:
        self.email_taken = False
        """Another contact owns the email: it is left out."""
        self.adopt = False
        """The contact was found by email and has no external id yet: it gets ours."""
        self.refusal = ""
        self._suspect = ""
        self._suspect_archived = False
        self._unarchive = ""
        self._rounds = 0

    def request(self, contact: Contact, customer_id: str, email: str, fields: Mapping[str, Scalar]) -> Request:
        """The call that writes these fields to the contact, or that finds out who it is."""
        if self._unarchive:
            return encode.unarchive_contact(self._unarchive)
        if self._suspect:
            return encode.read_contact(self._suspect)
        if self.email_taken or not contact.id:
            # On create the email is part of the identity.
            fields = {name: value for name, value in fields.items() if name != "email"}
        if contact.id:
            return encode.update_contact(contact.id, customer_id if self.adopt else "", fields)
        return encode.create_contact(customer_id, "" if self.email_taken else email, fields)

    def nothing_left(self, contact: Contact, fields: Mapping[str, Scalar]) -> bool:
        """Whether all that was to be said is an email that another contact owns."""
        asking = self._suspect or self._unarchive or self.adopt
        return bool(contact.id) and self.email_taken and not asking and fields.keys() <= {"email"}

    def learn(
        self, contact: Contact, call: Call, verdict: Verdict, customer_id: str, email: str, *, unarchive: bool
    ) -> Turn:
        """Takes an answer that did not write the contact, and says whether to go on with another call at once."""
        with_email = bool(customer_id and email) and not self.email_taken
        turn = Turn.GO_ON
        if verdict.kind is Kind.DONE:
            self._met(contact, verdict, customer_id, unarchive=unarchive)
        elif verdict.clue is Clue.NOT_FOUND:
            self._lost(contact, call, unarchive=unarchive)
        elif verdict.clue in {Clue.EXISTS, Clue.ARCHIVED} and with_email:
            self._suspect = verdict.contact_id
            self._suspect_archived = verdict.clue is Clue.ARCHIVED
        elif verdict.clue is Clue.ARCHIVED:
            self._archived(verdict.contact_id, unarchive=unarchive)
        elif verdict.clue is Clue.EXISTS:
            contact.id = verdict.contact_id
        elif verdict.clue in {Clue.AMBIGUOUS, Clue.CONFLICT} and with_email:
            self.email_taken = True
        elif verdict.clue is Clue.CONFLICT and self.adopt:
            self.adopt = False
        else:
            self.refusal = verdict.reason
        if self.refusal:
            return Turn.REFUSE
        if verdict.kind is not Kind.DONE:
            self._rounds += 1
            turn = Turn.BACK_OFF if self._rounds > ROUNDS_MAX else Turn.GO_ON
        return turn

    def _met(self, contact: Contact, verdict: Verdict, customer_id: str, *, unarchive: bool) -> None:
        """`GET /contacts/{id}` or the unarchiving was answered: is it the one that we mean?"""
        if self._unarchive:
            contact.id, self._unarchive = self._unarchive, ""
            return
        suspect, self._suspect = self._suspect, ""
        if verdict.external_id not in {"", customer_id}:
            # "compare its external_id before overwriting it": it is another's, who owns the email.
            self.email_taken = True
            return
        self.adopt = not verdict.external_id
        if self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        else:
            contact.id = suspect

    def _lost(self, contact: Contact, call: Call, *, unarchive: bool) -> None:
        suspect, self._suspect, self._unarchive = self._suspect, "", ""
        if call is Call.READ_CONTACT and self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        else:
            contact.forget()

    def _archived(self, contact_id: str, *, unarchive: bool) -> None:
        # "Unarchiving after a 409 silently undoes somebody's decision: make it a setting, off by default."
        if unarchive:
            self._unarchive = contact_id
        else:
            self.refusal = "CONTACT_ARCHIVED"
