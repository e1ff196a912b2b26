"""Dialogues with lanes, written as text: what comes in, and what the lane must say then.

Lines that happen:
    who u1 ada@x.io             from now on this user's lane ("-": no customer id); lanes of one contact share it
    known c1 plan=gold          the book's entry of this lane, before anything else
    1: plan=gold; Bought        an envelope: its update, then its events; "bulk 2: ..." is of the other priority,
                                "replay 5 of 1: ..." was first accepted as 1
    < 409 exists c9             the answer, see `dialogue_text`; `dry`: as a dry run has it
    < created                   the attribute was created; `not created`; `list plan:string` is the fetched list
    later 600                   600 seconds pass
    restart                     everything is forgotten but what was committed
    park                        the same, but how far the head is was committed before
Lines that the lane must say, in this order:
    > POST /contacts role=user external_id=u1 .plan=gold      a call, with its body; ".plan" is a custom attribute
    ? list                      the list of attributes must be fetched; `? create plan string`
    = 1 delivered: contact delivered 1, Bought delivered 1 + EMAIL_TAKEN      an outcome: its effects, each with the
                                number of calls, and what was noted
    ~ 1: contact delivered 1    how far an envelope is
    book c1: email plan         what is known of the contact from now on
    wait 2                      it backs off, for the second time
    rest                        nothing waits
"""

from typing import Any

from delivery.dialogue_text import (
    EVENT_TIME,
    answer_of,
    short_name,
    update_of,
    words_of_effect,
    words_of_finding,
    words_of_request,
)
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification, Kind, classify
from intercomd_daemon.deliver.intercom.messages import Request, Response
from intercomd_daemon.deliver.lane.actions import CreateAttribute, Idle, ReadAttributes, Settle
from intercomd_daemon.deliver.lane.attribute_catalog import Attribute, AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, StoredContact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.operation import DRY_RUN
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import Outcome, OutcomeType, Progress
from intercomd_daemon.spool.base import Settlement
from intercomd_daemon.spool.record import pack, unpack

NOON = 1_795_000_000.0
ATTRIBUTES = [Attribute("plan"), Attribute("city"), Attribute("team"), Attribute("seats", "float")]
_HAPPENS = frozenset({"who", "known", "later", "restart", "park"})
_SAYS = frozenset({">", "?", "=", "~", "book", "wait", "rest"})


class Talk:
    """The lanes of one connection, with worker, spool and Intercom played to them."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.now = NOON
        self.catalog = AttributeCatalog(settings)
        self.catalog.read(ATTRIBUTES, NOON)
        self.outcomes: dict[str, Outcome] = {}
        self.answer_bodies: dict[str, str] = {}
        self._settings = settings
        self._unavailable = UnavailableContacts()
        self._who = ("u1", "")
        self._lanes: dict[str, Lane] = {}
        self._contacts: dict[str, Contact] = {}
        self._calls: dict[str, Request | CreateAttribute | ReadAttributes] = {}
        self._known: dict[str, str] = {}
        self._book: dict[str, bytes] = {}
        self._rows: dict[int, tuple[Priority, AcceptedEnvelope, bytes]] = {}
        self._said: list[str] = []

    @property
    def lane(self) -> Lane:
        """The lane that is spoken with."""
        key = lane_of(*self._who)
        if key not in self._lanes:
            contact_id = self._known.get(key, "")
            contact = self._contacts.get(contact_id) or Contact(contact_id, self._book.get(contact_id, b""))
            if contact_id:
                self._contacts[contact_id] = contact
            self._lanes[key] = Lane(key, contact, self._settings, self.catalog, self._unavailable)
        return self._lanes[key]

    def follow(self, script: str) -> None:
        """Plays the script; the first line that goes another way fails."""
        for line in filter(None, map(str.strip, script.splitlines())):
            word, _, rest = line.partition(" ")
            if word in _SAYS:
                self._said = self._said or self.ask()
                said = self._said.pop(0)
                assert said == line, f"the lane says\n    {said}\nwhere the script has\n    {line}"
                continue
            assert not self._said, f"the lane has more to say before\n    {line}\nnamely\n    {self._said}"
            if word == "<":
                self._said = self.hear(rest)
            elif word in _HAPPENS:
                happens = {"who": self._be, "known": self._know, "later": self._pass}
                happens.get(word, self._restart)(rest or word)
            else:
                self._accept(line)
        assert not self._said

    def _be(self, rest: str) -> None:
        customer_id, _, email = rest.partition(" ")
        self._who = (customer_id.removeprefix("-"), email)

    def _know(self, rest: str) -> None:
        contact_id, _, said = rest.partition(" ")
        contact = Contact(contact_id, self._book.get(contact_id, b""))
        contact.begin_write([*update_of(said), "name"], self)
        contact.mark_sent({name: (value, 0) for name, value in update_of(said).items()}, self, self.now)
        self._known[lane_of(*self._who)] = contact_id
        self._book[contact_id] = contact.pack()

    def _pass(self, rest: str) -> None:
        self.now += float(rest)

    def _restart(self, how: str) -> None:
        who, head = self._who, self.lane.head
        if how == "park" and head is not None:
            self._rows[head.key] = (*self._rows[head.key][:2], pack(head.progress()))
        self._lanes.clear()
        self._contacts.clear()
        self._calls.clear()
        for key, (priority, envelope, progress) in sorted(self._rows.items()):
            self._who = envelope.customer_id, envelope.email
            noted = unpack(progress, Progress) if progress else Progress()
            self.lane.queue.add(PendingEnvelope(key, priority, envelope, noted))
        self._who = who

    def _accept(self, line: str) -> None:
        before, _, said = line.partition(":")
        words = before.split()
        kind, number = words[:2] if len(words) > 1 else ["", *words]
        origin = words[3] if kind == "replay" else "0"
        update, *events = said.split(";")
        envelope = AcceptedEnvelope(
            envelope_id=number,
            customer_id=self._who[0],
            email=self._who[1],
            accept_time=self.now,
            operations=operations_of(
                *self._who,
                update_of(update),
                tuple(TrackEvent(name.strip(), EVENT_TIME + index, b"") for index, name in enumerate(events)),
            ),
            adjustments=(),
            traceparent="",
            source=b"",
            replay=int(kind == "replay"),
            origin=int(origin),
        )
        priority = Priority.BULK if kind == "bulk" else Priority.NORMAL
        self._rows[int(number)] = priority, envelope, b""
        self.lane.queue.add(PendingEnvelope(int(number), priority, envelope, Progress()))

    def ask(self) -> list[str]:
        """What the lane says when its turn has come."""
        step = self.lane.next(self.now)
        if isinstance(step, Idle):
            return ["rest"]
        if isinstance(step, Settle):
            return self._commit(step.settlement)
        if isinstance(step, ReadAttributes | CreateAttribute):
            self._calls[self.lane.key] = step
            return ["? list" if isinstance(step, ReadAttributes) else f"? create {step.name} {step.data_type}"]
        self._calls[self.lane.key] = step.request
        return ["> " + words_of_request(step.request)]

    def hear(self, rest: str) -> list[str]:
        """What it says on the answer to what it has asked for."""
        asked = self._calls.pop(self.lane.key)
        if isinstance(asked, ReadAttributes):
            listed = (word.partition(":") for word in rest.split()[1:])
            self.catalog.read([Attribute(name, data_type) for name, _, data_type in listed], self.now)
        elif isinstance(asked, CreateAttribute) and rest == "created":
            self.catalog.created(asked.name, asked.data_type, self.now)
        elif isinstance(asked, CreateAttribute):
            self.catalog.refused(asked.name, "Intercom refused to create it", "create it there", self.now)
        else:
            answer = Response(0) if rest == "dry" else answer_of(rest.split())
            classification = Classification(Kind.DONE, DRY_RUN) if rest == "dry" else classify(asked.call, answer)
            after = self.lane.on_response(classification, answer, self.now)
            self._share()
            said = self._commit(after.settlement) if after.settlement else []
            return [*said, f"wait {self.lane.failures}"] if after.back_off else said
        return []

    def _share(self) -> None:
        """Lanes that turn out to be of one contact share what is known of it."""
        contact = self.lane.contact
        other = self._contacts.setdefault(contact.id, contact) if contact.id else contact
        if other is not contact and other.id == contact.id:
            self.lane.share_contact(other)

    def _commit(self, settlement: Settlement) -> list[str]:
        said: list[str] = []
        for ended in settlement.completions:
            del self._rows[ended.key]
            outcome = ended.outcome
            assert (ended.dead_letter is None) is (outcome.type is not OutcomeType.DEAD_LETTERED)
            self.outcomes[outcome.envelope_id] = outcome
            self.answer_bodies[outcome.envelope_id] = ended.answer_body
            effects = ", ".join(map(words_of_effect, outcome.effects)) or "nothing"
            notes = "".join(f" + {words_of_finding(finding)}" for finding in outcome.adjustments)
            said.append(f"= {outcome.envelope_id} {outcome.type.name.lower()}: {effects}{notes}")
        for key, progress in settlement.progress:
            self._rows[key] = (*self._rows[key][:2], progress)
            said.append(f"~ {key}: " + ", ".join(map(words_of_effect, unpack(progress, Progress).effects)))
        for entry in settlement.contacts:
            self._known[entry.lane] = entry.contact_id
            self._book[entry.contact_id] = entry.data if entry.contact_id else b""
            kept = unpack(entry.data, StoredContact).digests.items()
            names = sorted(short_name(name) for name, digest in kept if digest.value != -1)
            said.append(" ".join([f"book {entry.contact_id or '-'}:", *names]))
        return said


def talk(script: str, **settings: Any) -> Talk:  # noqa: ANN401  # fields of the settings
    """Plays a dialogue, at first with user "u1", under these settings of the connection."""
    talking = Talk(ConnectionSettings(name="main", **settings))
    talking.follow(script)
    return talking
