"""The state machine of a lane: which call one user needs next, and what follows from each classified response.

`next` names the next call when one may leave; `answered` takes its response. Pure: it never awaits, reads no clock and
draws no random number.
"""

from enum import Enum, auto

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import FORBIDDEN, RATE_LIMITED, Classification, Hint, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.lane.actions import (
    AfterResponse,
    CreateAttribute,
    Idle,
    NextAction,
    ReadAttributes,
    Retry,
    Send,
    Settle,
)
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope, PendingQueue
from intercomd_daemon.deliver.lane.resolution import NotFound, Refused, Resolution
from intercomd_daemon.deliver.lane.update import (
    ContactUpdate,
    changed_values,
    compose,
    email_of,
    gather,
    is_custom,
    reduce,
)
from intercomd_daemon.envelope import Finding, TrackEvent
from intercomd_daemon.errors import quoted
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.base import CachedContact, Completion, Settlement
from intercomd_daemon.spool.record import pack

DRY_RUN = "DRY_RUN"
_UNAVAILABLE = frozenset({"CONTACT_ARCHIVED", "CONTACT_BLOCKED", "CONTACT_DELETED"})
_WRITES = frozenset({Call.CREATE_CONTACT, Call.UPDATE_CONTACT})
# Refusals of what was said, not of whom it was said of.
_CONTENT = frozenset({"ATTRIBUTE_REFUSED", FORBIDDEN, "REQUEST_INVALID", "TOO_LARGE"})


class _Recreation(Enum):
    """Whether the contact must be created again before the head's event, because Intercom did not find it."""

    NOT_NEEDED = auto()
    DUE = auto()
    DONE = auto()
    """Created or found: the event names it by Intercom's id."""


class _Flight(msgspec.Struct, eq=False):
    """The call that is under way."""

    call: Call
    group: list[PendingEnvelope]
    contact_update: ContactUpdate | None = None
    """Of a call that writes the contact."""
    event: TrackEvent | None = None


class Lane:
    """The ordered queue of one user of one connection, and the one call that is in flight for it."""

    def __init__(
        self,
        key: str,
        contact: Contact,
        settings: ConnectionSettings,
        catalog: AttributeCatalog,
        unavailable: UnavailableContacts,
    ) -> None:
        self.key = key
        self.contact = contact
        self.queue = PendingQueue()
        self.failures = 0
        """Transient failures of the head in a row."""
        self._settings = settings
        self._catalog = catalog
        self._unavailable = unavailable
        self._flight: _Flight | None = None
        self._begin()

    def _begin(self) -> None:
        """Forgets what was learned for the head that has been judged."""
        self._resolution = Resolution(unarchive=self._settings.unarchive)
        self._reduced = False
        """Whether the update leaves without what Intercom may have refused in it."""
        self._unclearable: set[str] = set()
        self._recreation = _Recreation.NOT_NEEDED
        self.failures = 0

    def resume(self, failures: int) -> None:
        """Continues a lane that was parked after this number of failures in a row."""
        self.failures = failures

    def share_contact(self, contact: Contact) -> None:
        """Joins another lane of the same person: both know what either of them knew of the contact."""
        contact.absorb(self.contact)
        self.contact = contact

    @property
    def head(self) -> PendingEnvelope | None:
        """The envelope whose turn it is."""
        return self.queue.head

    def calls_for(self, key: int) -> bool:
        """Whether the call in flight is about this envelope."""
        return self._flight is not None and any(waiting.key == key for waiting in self._flight.group)

    def give_up(self, key: int, now: float) -> Completion | None:
        """Removes an envelope and ends it by hand; None: it is not in memory. Not while a call is in flight."""
        waiting = self.queue.find(key)
        if waiting is None:
            return None
        if waiting is self.head:
            self._begin()
        self.queue.remove(waiting)
        return waiting.give_up(self._settings.name, now, with_email=self._settings.update_email)

    def next(self, now: float) -> NextAction:
        """The next step; `now` is Unix seconds. Not to be asked while a call is in flight."""
        head = self.head
        if head is None:
            return Idle()
        refusal = self._unavailable.why(self.key, now)
        if refusal:
            return self._refuse_all(head, refusal, now)
        if head.update_due(with_email=self._settings.update_email):
            step = self._update(now)
            if step is not None:
                return step
        if head.event is None:
            return self._settle([head], now)
        age_max = self._settings.event_age_max_seconds
        if age_max and head.event.created_at < now - age_max:
            head.event_ended(OutcomeType.DEAD_LETTERED, "EXPIRED")
            return self._settle([head], now)
        if self._recreation is _Recreation.DUE and self.contact.id:
            # Found, by us or by a lane that shares the contact.
            self._recreation = _Recreation.DONE
        return (self._say([head], now) if self._recreation is _Recreation.DUE else None) or self._track(
            head, head.event
        )

    def _update(self, now: float) -> NextAction | None:
        """The call for what the envelopes at the head say of the contact; None if an event can leave without one."""
        group = gather(self.queue.of_head, self._settings)
        step = self._say(group, now)
        if step is None and not group[0].envelope.events:
            return self._settle(group, now, book=bool(self._resolution.taken))
        return step

    def _say(self, group: list[PendingEnvelope], now: float) -> NextAction | None:
        """The call that says what is unsaid; None, and the updates ended, if nothing is."""
        settings = self._settings
        new = changed_values(group, self.contact, settings, now)
        custom = {name: value for name, (value, _) in new.items() if is_custom(name)}
        if custom and self._catalog.must_be_read(custom, now):
            return ReadAttributes()
        contact_update = compose(new, group, self.contact, self._catalog, settings, now, unclearable=self._unclearable)
        if contact_update.missing:
            return CreateAttribute(*contact_update.missing)
        if self._reduced:
            contact_update = reduce(contact_update, group, settings, to_identity=self._recreation is _Recreation.DUE)
        reason = "ATTRIBUTES_LEFT_OUT" if contact_update.left_out else ""
        if self._resolution.nothing_left(self.contact, email_of(group), contact_update.fields):
            # Remembered like one that was sent, or every later update would try it again.
            self.contact.begin_write(contact_update.sent_values, self)
            self.contact.mark_sent(contact_update.sent_values, self, now)
            self.contact.end_write(self)
            reason = "EMAIL_TAKEN"
        elif contact_update.fields or self._recreation is _Recreation.DUE:
            return self._write(group, contact_update)
        for waiting in group:
            waiting.contact_ended(OutcomeType.SKIPPED if reason else OutcomeType.UNCHANGED, reason)
        return None

    def _write(self, group: list[PendingEnvelope], contact_update: ContactUpdate) -> Send:
        envelope = group[-1].envelope
        request = self._resolution.request(self.contact, envelope.customer_id, email_of(group), contact_update.fields)
        self._flight = _Flight(request.call, group, contact_update)
        if request.call in _WRITES:
            self.contact.begin_write([*contact_update.fields, *contact_update.sent_values], self._flight)
        for waiting in group:
            waiting.attempts += 1
        return Send(request)

    def _track(self, head: PendingEnvelope, event: TrackEvent) -> Send:
        customer_id, email = head.envelope.customer_id, head.envelope.email
        # "`user_id` is preferred over `email`"; after a 404, and for leads, only Intercom's own `id` is sure.
        if self.contact.id and (self._recreation is _Recreation.DONE or not customer_id):
            identity = ("id", self.contact.id)
        else:
            identity = ("user_id", customer_id) if customer_id else ("email", email)
        self._flight = _Flight(Call.TRACK_EVENT, [head], event=event)
        head.attempts += 1
        return Send(requests.track_event(event, identity))

    def answered(self, classification: Classification, response: Response, now: float) -> AfterResponse:
        """Takes the response to the call in flight, as classified."""
        flight = self._flight
        if flight is None:
            return AfterResponse()
        self._flight = None
        after = self._classify(flight, classification, response, now)
        self.contact.end_write(flight)
        return after

    def _classify(
        self, flight: _Flight, classification: Classification, response: Response, now: float
    ) -> AfterResponse:
        if classification.kind is Kind.SUSPENDED or classification.reason == RATE_LIMITED:
            return AfterResponse()
        if classification.kind is Kind.TRANSIENT:
            self.failures += 1
            for waiting in flight.group:
                waiting.failed(response.status, f"{flight.call}: {classification.reason}")
            return AfterResponse(back_off=True)
        if flight.event is not None:
            return self._event_answered(flight, classification, response, now)
        attribute = classification.attribute
        if flight.contact_update and attribute in flight.contact_update.fields and is_custom(attribute):
            value = flight.contact_update.fields[attribute]
            if classification.hint is Hint.ATTRIBUTE:
                self._catalog.reported_missing(attribute, now)
            elif value is None:
                self._unclearable.add(attribute)  # "on leads null was refused", which says nothing of other contacts.
            else:
                self._catalog.value_refused(attribute, value, now)
            return AfterResponse()
        if classification.kind is Kind.DONE and flight.call in _WRITES:
            return self._written(flight, classification, response, now)
        if classification.kind is Kind.REFUSED or attribute:
            return self._write_refused(flight, classification.reason, response, now)
        return self._resolve(flight, classification, response, now)

    def _resolve(
        self, flight: _Flight, classification: Classification, response: Response, now: float
    ) -> AfterResponse:
        customer_id, email = flight.group[-1].envelope.customer_id, email_of(flight.group)
        taken = self._resolution.taken
        retry = self._resolution.on_response(self.contact, classification, customer_id, email)
        if self._resolution.taken != taken:
            email = self._resolution.taken
            message = (
                f"email {quoted(email)} belongs to another contact, and Intercom accepts it on one: left it out; "
                "remove it there, or send the right one"
            )
            for waiting in flight.group:
                if waiting.envelope.email == email:
                    waiting.add_finding(Finding("EMAIL_TAKEN", "identity.email", message))
        state = self._resolution.state
        missed = flight.group[0].missed() if isinstance(state, NotFound) else Retry.NOW
        if Retry.NEVER in {retry, missed}:
            reason = state.reason if isinstance(state, Refused) else classification.reason
            return self._write_refused(flight, reason, response, now)
        if Retry.LATER in {retry, missed}:
            self._resolution = Resolution(unarchive=self._settings.unarchive)
            self.failures += 1
            return AfterResponse(back_off=True)
        return AfterResponse()

    def _written(
        self, flight: _Flight, classification: Classification, response: Response, now: float
    ) -> AfterResponse:
        dry = classification.reason == DRY_RUN
        self.contact.id = classification.contact_id or self._resolution.adopted or self.contact.id
        if flight.contact_update is not None and not dry:
            self.contact.mark_sent(flight.contact_update.sent_values, flight, now)
        if self._recreation is _Recreation.DUE:
            self._recreation = _Recreation.DONE
            return AfterResponse(Settlement(self._settings.name, contacts=[self._book_entry()]))
        type_ = OutcomeType.SKIPPED if dry else OutcomeType.DELIVERED
        for waiting in flight.group:
            waiting.contact_ended(type_, classification.reason, response.status, response.request_id)
        return AfterResponse(self._settle(flight.group, now, book=not dry).settlement)

    def _write_refused(self, flight: _Flight, reason: str, response: Response, now: float) -> AfterResponse:
        if len(flight.group) > 1:
            # "A refused call that carries more than one envelope is never buried: its envelopes go one by one."
            for waiting in flight.group:
                waiting.alone = True
            self._resolution = Resolution(unarchive=self._settings.unarchive)
            return AfterResponse()
        if flight.call is Call.UNARCHIVE_CONTACT and reason not in _UNAVAILABLE:
            # Whatever the answer says, the contact stays archived.
            reason = "CONTACT_ARCHIVED"
        head = flight.group[0]
        if reason in _CONTENT and not self._reduced:
            if _list_may_tell(flight, response.status) and self._catalog.doubt(now):
                return AfterResponse()
            if _less_would_do(flight, response.status, creating=self._recreation is _Recreation.DUE):
                self._reduced = True
                return AfterResponse()
        if reason in _UNAVAILABLE:
            self._unavailable.add(self.key, reason, now)
        head.keep_answer(response.body)
        if self._recreation is _Recreation.DUE:
            head.event_ended(OutcomeType.DEAD_LETTERED, reason, response.status, response.request_id)
        else:
            head.contact_ended(OutcomeType.DEAD_LETTERED, reason, response.status, response.request_id)
        return AfterResponse(self._settle([head], now, book=True).settlement)

    def _event_answered(
        self, flight: _Flight, classification: Classification, response: Response, now: float
    ) -> AfterResponse:
        head = flight.group[0]
        if classification.hint is Hint.NOT_FOUND:
            turn = head.missed()
            self.contact.forget()
            if turn is not Retry.NEVER:
                self._recreation = _Recreation.DUE
                self._reduced = head.update_refused
                self._resolution = Resolution(unarchive=self._settings.unarchive)
                self.failures += turn is Retry.LATER
                return AfterResponse(back_off=turn is Retry.LATER)
        if classification.kind is Kind.DONE:
            type_ = OutcomeType.SKIPPED if classification.reason == DRY_RUN else OutcomeType.DELIVERED
        else:
            type_ = OutcomeType.DEAD_LETTERED
            head.keep_answer(response.body)
        head.event_ended(type_, classification.reason, response.status, response.request_id)
        learned = (
            self._recreation is _Recreation.DONE or self._resolution.taken or classification.hint is Hint.NOT_FOUND
        )
        return AfterResponse(self._settle([head], now, book=bool(learned)).settlement)

    def _refuse_all(self, head: PendingEnvelope, reason: str, now: float) -> Settle:
        if head.update_due(with_email=self._settings.update_email):
            head.contact_ended(OutcomeType.DEAD_LETTERED, reason)
        while head.event is not None:
            head.event_ended(OutcomeType.DEAD_LETTERED, reason)
        return self._settle([head], now)

    def _settle(self, group: list[PendingEnvelope], now: float, *, book: bool = False) -> Settle:
        """What the judged calls change: envelopes that are done leave the lane, the others note how far they are."""
        ended: list[Completion] = []
        progress: list[tuple[int, bytes]] = []
        for waiting in group:
            if waiting.event is None:
                self.queue.remove_first(waiting.priority)
                ended.append(waiting.end(self._settings.name, now))
            else:
                progress.append((waiting.key, pack(waiting.progress())))
        self._begin()
        entries = [self._book_entry()] if book else []
        return Settle(Settlement(self._settings.name, ended, progress, entries))

    def _book_entry(self) -> CachedContact:
        return CachedContact(self.key, self.contact.id, self.contact.pack())


def _list_may_tell(flight: _Flight, status: int) -> bool:
    """Whether the list of attributes, read again, may tell which value was refused without a name."""
    fields = (
        flight.contact_update.fields
        if flight.contact_update and flight.call in _WRITES and status in {400, 422}
        else ()
    )
    return any(map(is_custom, fields))


def _less_would_do(flight: _Flight, status: int, *, creating: bool) -> bool:
    """Whether a refused write is worth another call that says less."""
    if flight.contact_update is None or flight.call not in _WRITES:
        return False
    if creating:
        # "A bad attribute must not cost the event": the contact alone is enough for it.
        return any(name != "email" for name in flight.contact_update.fields)
    # "A 400 that names nothing: once more without custom attributes, those listed as refused."
    return status in {400, 422} and {True, False} == {is_custom(name) for name in flight.contact_update.fields}
