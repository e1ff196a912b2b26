"""The outbound half: one state machine for a lane, events in, commands out.

It is asked for the next step when a call may leave, and told each verdict. It never awaits, reads no clock and draws no
random number; pace, outages and the spool are others'.
"""

import msgspec

from intercomd_daemon.deliver import encode
from intercomd_daemon.deliver.catalogue import Catalogue
from intercomd_daemon.deliver.contact import Contact, Resolution, Turn, Unavailable
from intercomd_daemon.deliver.exchange import Answer, Call
from intercomd_daemon.deliver.judge import FORBIDDEN, RATE_LIMITED, Clue, Kind, Verdict
from intercomd_daemon.deliver.merge import Speech, compose, email_of, gather, is_custom, reduce, unsaid
from intercomd_daemon.deliver.queue import Queue
from intercomd_daemon.deliver.step import After, CreateAttribute, ReadAttributes, Rest, Rules, Send, Settle, Step
from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import Event, Finding
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.base import CachedContact, Completion, Settlement
from intercomd_daemon.spool.record import pack

DRY_RUN = "DRY_RUN"
_UNAVAILABLE = frozenset({"CONTACT_ARCHIVED", "CONTACT_BLOCKED", "CONTACT_DELETED"})
_WRITES = frozenset({Call.CREATE_CONTACT, Call.UPDATE_CONTACT})
# Refusals of what was said, not of whom it was said of.
_CONTENT = frozenset({"ATTRIBUTE_REFUSED", FORBIDDEN, "REQUEST_INVALID", "TOO_LARGE"})


class _Flight(msgspec.Struct, eq=False):
    """The call that is under way."""

    call: Call
    group: list[Waiting]
    speech: Speech | None = None
    """Of a call that writes the contact."""
    event: Event | None = None


class Lane:
    """The ordered queue of one user of one connection, and the one call that is in flight for it."""

    def __init__(
        self, key: str, contact: Contact, rules: Rules, catalogue: Catalogue, unavailable: Unavailable
    ) -> None:
        self.key = key
        self.contact = contact
        self.queue = Queue()
        self.failures = 0
        """Tries of the head that failed for passing reasons."""
        self.busy = False
        """Whether a call, or a commit, is under way for it; kept by whoever performs its steps."""
        self._rules = rules
        self._catalogue = catalogue
        self._unavailable = unavailable
        self._flight: _Flight | None = None
        self._begin()

    def _begin(self) -> None:
        """Forgets what was learned for the head that has been judged."""
        self._resolution = Resolution()
        self._saying_less = False
        self._unclearable: set[str] = set()
        self._creating = False
        self._created = False
        self.failures = 0

    @property
    def head(self) -> Waiting | None:
        """The envelope whose turn it is."""
        return self.queue.head

    def next(self, now: float) -> Step:
        """The next step; `now` is Unix seconds. Not to be asked while a call is in flight."""
        head = self.head
        if head is None:
            return Rest()
        refusal = self._unavailable.why(self.key, now)
        if refusal:
            return self._refuse_all(head, refusal, now)
        if head.update_due(with_email=self._rules.merge.update_email):
            step = self._update(now)
            if step is not None:
                return step
        if head.event is None:
            return self._settle([head], now)
        age_max = self._rules.event_age_max_seconds
        if age_max and head.event.created_at < now - age_max:
            head.event_ended(OutcomeType.DEAD_LETTERED, "EXPIRED")
            return self._settle([head], now)
        if self._creating and self.contact.id:
            # Found, by us or by a lane that shares the contact.
            self._found()
        return (self._say([head], now) if self._creating else None) or self._track(head, head.event)

    def _update(self, now: float) -> Step | None:
        """The call for what the envelopes at the head say of the contact; None if an event can leave without one."""
        group = gather(self.queue.of_head, self._rules.merge)
        step = self._say(group, now)
        if step is None and not group[0].envelope.events:
            return self._settle(group, now, book=bool(self._resolution.taken))
        return step

    def _say(self, group: list[Waiting], now: float) -> Step | None:
        """The call that says what is unsaid; None, and the updates ended, if nothing is."""
        rules = self._rules.merge
        new = unsaid(group, self.contact, rules, now)
        custom = {name: value for name, (value, _) in new.items() if is_custom(name)}
        if custom and self._catalogue.must_be_read(custom, now):
            return ReadAttributes()
        speech = compose(new, group, self.contact, self._catalogue, rules, now, unclearable=self._unclearable)
        if speech.missing:
            return CreateAttribute(*speech.missing)
        if self._saying_less:
            speech = reduce(speech, group, rules, to_identity=self._creating)
        reason = "ATTRIBUTES_LEFT_OUT" if speech.left_out else ""
        if self._resolution.nothing_left(self.contact, email_of(group), speech.fields):
            # Remembered like one that was sent, or every later update would try it again.
            self.contact.begin(speech.spoken, self)
            self.contact.told(speech.spoken, self, now)
            self.contact.release(self)
            reason = "EMAIL_TAKEN"
        elif speech.fields or self._creating:
            return self._write(group, speech)
        for waiting in group:
            waiting.contact_ended(OutcomeType.SKIPPED if reason else OutcomeType.UNCHANGED, reason)
        return None

    def _write(self, group: list[Waiting], speech: Speech) -> Send:
        envelope = group[-1].envelope
        request = self._resolution.request(self.contact, envelope.customer_id, email_of(group), speech.fields)
        self._flight = _Flight(request.call, group, speech)
        if request.call in _WRITES:
            self.contact.begin([*speech.fields, *speech.spoken], self._flight)
        for waiting in group:
            waiting.attempts += 1
        return Send(request)

    def _track(self, head: Waiting, event: Event) -> Send:
        customer_id, email = head.envelope.customer_id, head.envelope.email
        # "`user_id` is preferred over `email`"; after a 404, and for leads, only Intercom's own `id` is sure.
        if self.contact.id and (self._created or not customer_id):
            identity = ("id", self.contact.id)
        else:
            identity = ("user_id", customer_id) if customer_id else ("email", email)
        self._flight = _Flight(Call.TRACK_EVENT, [head], event=event)
        head.attempts += 1
        return Send(encode.track_event(event, identity))

    def answered(self, verdict: Verdict, answer: Answer, now: float) -> After:
        """Takes the verdict on the call in flight."""
        flight = self._flight
        if flight is None:
            return After()
        self._flight = None
        after = self._judge(flight, verdict, answer, now)
        self.contact.release(flight)
        return after

    def _judge(self, flight: _Flight, verdict: Verdict, answer: Answer, now: float) -> After:
        if verdict.kind is Kind.SUSPENDED or verdict.reason == RATE_LIMITED:
            return After()
        if verdict.kind is Kind.PASSING:
            self.failures += 1
            return After(back_off=True)
        if flight.event is not None:
            return self._event_answered(flight, verdict, answer, now)
        attribute = verdict.attribute
        if flight.speech and attribute in flight.speech.fields and is_custom(attribute):
            value = flight.speech.fields[attribute]
            if verdict.clue is Clue.ATTRIBUTE:
                self._catalogue.reported_missing(attribute, now)
            elif value is None:
                self._unclearable.add(attribute)  # "on leads null was refused", which says nothing of other contacts.
            else:
                self._catalogue.value_refused(attribute, value, now)
            return After()
        if verdict.kind is Kind.DONE and flight.call in _WRITES:
            return self._written(flight, verdict, answer, now)
        if verdict.kind is Kind.REFUSED or attribute:
            return self._write_refused(flight, verdict.reason, answer, now)
        return self._resolve(flight, verdict, answer, now)

    def _resolve(self, flight: _Flight, verdict: Verdict, answer: Answer, now: float) -> After:
        customer_id, email = flight.group[-1].envelope.customer_id, email_of(flight.group)
        taken = self._resolution.taken
        turn = self._resolution.learn(
            self.contact, flight.call, verdict, customer_id, email, unarchive=self._rules.unarchive
        )
        if self._resolution.taken != taken:
            message = "another contact owns this email, so it was left out; give it up there, or send the right one"
            for waiting in flight.group:
                if waiting.envelope.email == self._resolution.taken:
                    waiting.add_finding(Finding("EMAIL_TAKEN", "identity.email", message))
        missed = flight.group[0].missed() if self._resolution.lost else Turn.GO_ON
        if Turn.REFUSE in {turn, missed}:
            return self._write_refused(flight, self._resolution.refusal or verdict.reason, answer, now)
        if Turn.BACK_OFF in {turn, missed}:
            self._resolution = Resolution()
            self.failures += 1
            return After(back_off=True)
        return After()

    def _found(self) -> None:
        self._creating = False
        self._created = True

    def _written(self, flight: _Flight, verdict: Verdict, answer: Answer, now: float) -> After:
        dry = verdict.reason == DRY_RUN
        self.contact.id = verdict.contact_id or self._resolution.adopt or self.contact.id
        if flight.speech is not None and not dry:
            self.contact.told(flight.speech.spoken, flight, now)
        if self._creating:
            self._found()
            return After(Settlement(self._rules.connection, contacts=[self._book_entry()]))
        type_ = OutcomeType.SKIPPED if dry else OutcomeType.DELIVERED
        for waiting in flight.group:
            waiting.contact_ended(type_, verdict.reason, answer.status, answer.request_id)
        return After(self._settle(flight.group, now, book=not dry).settlement)

    def _write_refused(self, flight: _Flight, reason: str, answer: Answer, now: float) -> After:
        if len(flight.group) > 1:
            # "A refused call that carries more than one envelope is never buried: its envelopes go one by one."
            for waiting in flight.group:
                waiting.alone = True
            self._resolution = Resolution()
            return After()
        if flight.call is Call.UNARCHIVE_CONTACT and reason not in _UNAVAILABLE:
            # Whatever the answer says, the contact stays archived.
            reason = "CONTACT_ARCHIVED"
        head = flight.group[0]
        if reason in _CONTENT and not self._saying_less:
            if _list_may_tell(flight, answer.status) and self._catalogue.doubt(now):
                return After()
            if _less_would_do(flight, answer.status, creating=self._creating):
                self._saying_less = True
                return After()
        if reason in _UNAVAILABLE:
            self._unavailable.add(self.key, reason, now)
        head.keep_answer(answer.body)
        if self._creating:
            head.event_ended(OutcomeType.DEAD_LETTERED, reason, answer.status, answer.request_id)
        else:
            head.contact_ended(OutcomeType.DEAD_LETTERED, reason, answer.status, answer.request_id)
        return After(self._settle([head], now, book=True).settlement)

    def _event_answered(self, flight: _Flight, verdict: Verdict, answer: Answer, now: float) -> After:
        head = flight.group[0]
        if verdict.clue is Clue.NOT_FOUND:
            turn = head.missed()
            self.contact.forget()
            if turn is not Turn.REFUSE:
                self._creating = True
                self._saying_less = head.update_refused
                self._resolution = Resolution()
                self.failures += turn is Turn.BACK_OFF
                return After(back_off=turn is Turn.BACK_OFF)
        if verdict.kind is Kind.DONE:
            type_ = OutcomeType.SKIPPED if verdict.reason == DRY_RUN else OutcomeType.DELIVERED
        else:
            type_ = OutcomeType.DEAD_LETTERED
            head.keep_answer(answer.body)
        head.event_ended(type_, verdict.reason, answer.status, answer.request_id)
        learned = self._created or self._resolution.taken or verdict.clue is Clue.NOT_FOUND
        return After(self._settle([head], now, book=bool(learned)).settlement)

    def _refuse_all(self, head: Waiting, reason: str, now: float) -> Settle:
        if head.update_due(with_email=self._rules.merge.update_email):
            head.contact_ended(OutcomeType.DEAD_LETTERED, reason)
        while head.event is not None:
            head.event_ended(OutcomeType.DEAD_LETTERED, reason)
        return self._settle([head], now)

    def _settle(self, group: list[Waiting], now: float, *, book: bool = False) -> Settle:
        """What the judged calls change: envelopes that are done leave the lane, the others note how far they are."""
        ended: list[Completion] = []
        progress: list[tuple[int, bytes]] = []
        for waiting in group:
            if waiting.event is None:
                self.queue.remove_first(waiting.priority)
                ended.append(waiting.end(self._rules.connection, now))
            else:
                progress.append((waiting.key, pack(waiting.progress())))
        self._begin()
        entries = [self._book_entry()] if book else []
        return Settle(Settlement(self._rules.connection, ended, progress, entries))

    def _book_entry(self) -> CachedContact:
        return CachedContact(self.key, self.contact.id, self.contact.pack())


def _list_may_tell(flight: _Flight, status: int) -> bool:
    """Whether the list of attributes, read again, may tell which value was refused without a name."""
    fields = flight.speech.fields if flight.speech and flight.call in _WRITES and status in {400, 422} else ()
    return any(map(is_custom, fields))


def _less_would_do(flight: _Flight, status: int, *, creating: bool) -> bool:
    """Whether a refused write is worth another call that says less."""
    if flight.speech is None or flight.call not in _WRITES:
        return False
    if creating:
        # "A bad attribute must not cost the event": the contact alone is enough for it.
        return any(name != "email" for name in flight.speech.fields)
    # "A 400 that names nothing: once more without custom attributes, those listed as refused."
    return status in {400, 422} and {True, False} == {is_custom(name) for name in flight.speech.fields}
