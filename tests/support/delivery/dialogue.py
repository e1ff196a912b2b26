"""Dialogues with lanes, written as text: what happens, and what the lane must do then.

Lines that happen:
    who u1 ada@x.io             from now on this user's lane ("-": no customer id); lanes of one contact share it
    known c1 plan=gold          the contact cache's entry of this lane, before anything else
    1: plan=gold; Bought        an envelope: its update, then its events; "bulk 2: ..." is of the other priority,
                                "replay 5 of 1: ..." was first accepted as 1
    < 409 exists c9             the response, see `dialogue_text`; `dry`: as a dry run has it
    < created                   the attribute was created; `not created`; `list plan:string` is the fetched list
    later 600                   600 seconds pass
    restart                     everything but the commits is lost
    park                        the same, after a commit of the head's progress
What the lane must do, in this order:
    > POST /contacts role=user external_id=u1 .plan=gold      a call, with its body; ".plan" is a custom attribute
    ? list                      the list of attributes must be fetched; `? create plan string`
    = 1 delivered: contact delivered 1, Bought delivered 1 + EMAIL_TAKEN      an outcome: its effects, each with the
                                number of calls, and the adjustments
    ~ 1: contact delivered 1    the progress of an envelope
    cache c1: email plan        what the contact cache holds of the contact from now on
    wait 2                      it backs off, for the second time
    rest                        no envelope is pending
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
from intercomd_daemon.deliver.lane.actions import DRY_RUN, CreateAttribute, Idle, ReadAttributes, Settle
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog, DataAttribute
from intercomd_daemon.deliver.lane.known_contact import Contact, StoredContact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import Outcome, OutcomeType, Progress
from intercomd_daemon.spool.record import pack, unpack
from intercomd_daemon.spool.rows import Settlement

NOON = 1_795_000_000.0
ATTRIBUTES = [DataAttribute("plan"), DataAttribute("city"), DataAttribute("team"), DataAttribute("seats", "float")]
_HAPPENS = frozenset({"who", "known", "later", "restart", "park"})
_ACTIONS = frozenset({">", "?", "=", "~", "cache", "wait", "rest"})


class Talk:
    """The lanes of one connection. It plays the worker, the spool and Intercom."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.now = NOON
        self.catalog = AttributeCatalog(settings)
        self.catalog.read(ATTRIBUTES, NOON)
        self.outcomes: dict[str, Outcome] = {}
        self.answer_bodies: dict[str, str] = {}
        self.settings = settings
        """Of lanes that begin or restart from now on."""
        self._unavailable = UnavailableContacts()
        self._who = ("u1", "")
        self._lanes: dict[str, Lane] = {}
        self._contacts: dict[str, Contact] = {}
        self._calls: dict[str, Request | CreateAttribute | ReadAttributes] = {}
        self._known: dict[str, str] = {}
        self._cache: dict[str, bytes] = {}
        self._rows: dict[int, tuple[Priority, AcceptedEnvelope, bytes]] = {}
        self._actions: list[str] = []

    @property
    def lane(self) -> Lane:
        """The lane of the current user."""
        key = lane_of(*self._who)
        if key not in self._lanes:
            contact_id = self._known.get(key, "")
            contact = self._contacts.get(contact_id) or Contact(contact_id, self._cache.get(contact_id, b""))
            if contact_id:
                self._contacts[contact_id] = contact
            self._lanes[key] = Lane(key, contact, self.settings, self.catalog, self._unavailable)
        return self._lanes[key]

    def follow(self, script: str) -> None:
        """Runs the script; the first line that differs fails."""
        for line in filter(None, map(str.strip, script.splitlines())):
            word, _, rest = line.partition(" ")
            if word in _ACTIONS:
                self._actions = self._actions or self.next_actions()
                actions = self._actions.pop(0)
                assert actions == line, f"the lane does\n    {actions}\nwhere the script has\n    {line}"
                continue
            assert not self._actions, f"the lane does more before\n    {line}\nnamely\n    {self._actions}"
            if word == "<":
                self._actions = self.respond(rest)
            elif word in _HAPPENS:
                happens = {"who": self._be, "known": self._know, "later": self._pass}
                happens.get(word, self._restart)(rest or word)
            else:
                self._accept(line)
        assert not self._actions

    def _be(self, rest: str) -> None:
        customer_id, _, email = rest.partition(" ")
        self._who = (customer_id.removeprefix("-"), email)

    def _know(self, rest: str) -> None:
        contact_id, _, values = rest.partition(" ")
        contact = Contact(contact_id, self._cache.get(contact_id, b""))
        contact.begin_write([*update_of(values), "name"], self)
        contact.mark_sent({name: (value, 0) for name, value in update_of(values).items()}, self, self.now)
        self._known[lane_of(*self._who)] = contact_id
        self._cache[contact_id] = contact.pack()

    def _pass(self, rest: str) -> None:
        self.now += float(rest)

    def _restart(self, how: str) -> None:
        who, head = self._who, self.lane.queue.head
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
        before, _, content = line.partition(":")
        words = before.split()
        kind, number = words[:2] if len(words) > 1 else ["", *words]
        origin = words[3] if kind == "replay" else "0"
        update, *events = content.split(";")
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

    def next_actions(self) -> list[str]:
        """Returns what the lane does next."""
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

    def respond(self, rest: str) -> list[str]:
        """Returns what the lane does on the response to its call."""
        call = self._calls.pop(self.lane.key)
        if isinstance(call, ReadAttributes):
            listed = (word.partition(":") for word in rest.split()[1:])
            self.catalog.read([DataAttribute(name, data_type) for name, _, data_type in listed], self.now)
        elif isinstance(call, CreateAttribute) and rest == "created":
            self.catalog.created(call.name, call.data_type, self.now)
        elif isinstance(call, CreateAttribute):
            self.catalog.refused(call.name, "Intercom refused to create it", "create it there", self.now)
        else:
            answer = Response(0) if rest == "dry" else answer_of(rest.split())
            classification = Classification(Kind.DONE, DRY_RUN) if rest == "dry" else classify(call.call, answer)
            after = self.lane.on_response(classification, answer, self.now)
            self._share()
            actions = self._commit(after.settlement) if after.settlement else []
            return [*actions, f"wait {self.lane.failures}"] if after.back_off else actions
        return []

    def _share(self) -> None:
        """Lanes that turn out to be of one contact share what is known of it."""
        contact = self.lane.contact
        other = self._contacts.setdefault(contact.id, contact) if contact.id else contact
        if other is not contact and other.id == contact.id:
            self.lane.share_contact(other)

    def _commit(self, settlement: Settlement) -> list[str]:
        actions: list[str] = []
        for ended in settlement.completions:
            del self._rows[ended.key]
            outcome = ended.outcome
            assert (ended.dead_letter is None) is (outcome.type is not OutcomeType.DEAD_LETTERED)
            self.outcomes[outcome.envelope_id] = outcome
            self.answer_bodies[outcome.envelope_id] = ended.answer_body
            effects = ", ".join(map(words_of_effect, outcome.effects)) or "nothing"
            notes = "".join(f" + {words_of_finding(finding)}" for finding in outcome.adjustments)
            actions.append(f"= {outcome.envelope_id} {outcome.type.name.lower()}: {effects}{notes}")
        for key, progress in settlement.progress:
            self._rows[key] = (*self._rows[key][:2], progress)
            actions.append(f"~ {key}: " + ", ".join(map(words_of_effect, unpack(progress, Progress).effects)))
        for entry in settlement.contacts:
            self._known[entry.lane] = entry.contact_id
            self._cache[entry.contact_id] = entry.data if entry.contact_id else b""
            kept = unpack(entry.data, StoredContact).digests.items()
            names = sorted(short_name(name) for name, digest in kept if digest.value != -1)
            actions.append(" ".join([f"cache {entry.contact_id or '-'}:", *names]))
        return actions


def talk(script: str, **settings: Any) -> Talk:  # noqa: ANN401  # fields of the settings
    """Runs a dialogue, at first with user "u1", with these settings of the connection."""
    talking = Talk(ConnectionSettings(name="main", **settings))
    talking.follow(script)
    return talking
