"""The state machine of a lane: which call one user needs next, and what follows from each classified response.

`next` names the next call when one may leave; `on_response` takes its response. Pure: it never awaits, reads no clock
and draws no random number.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import RATE_LIMITED, Classification, Kind, describe_failure
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.actions import (
    AfterResponse,
    BackOff,
    Ended,
    Flight,
    Idle,
    LaneContext,
    NextAction,
    NextStep,
    NoCall,
    Plan,
    SaveContact,
    Send,
    Settle,
)
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.contact_writer import ContactWriter
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope, PendingQueue
from intercomd_daemon.deliver.lane.track_event import TrackEventKind
from intercomd_daemon.deliver.lane.update_contact import UpdateContactKind
from intercomd_daemon.envelope import TrackEvent, UpdateContact
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.completion import GIVEN_UP
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, Completion, Settlement


class OperationKind(Protocol):
    """How a lane performs one kind of operation.

    It decides which calls to make and what they achieve. The lane handles ordering, the call in flight and commits.
    """

    def __init__(self, context: LaneContext, writer: ContactWriter) -> None: ...

    @staticmethod
    def has_work(pending: PendingEnvelope, settings: ConnectionSettings) -> bool:
        """Whether the next operation changes anything; if not, it is passed over without an effect."""

    def plan(self, queue: Sequence[PendingEnvelope], now: float) -> Plan:
        """Returns what the next operation of the first envelope needs; a call may include later envelopes."""

    def on_response(self, flight: Flight, classification: Classification, status: int, now: float) -> NextStep:
        """Handles a response that is neither transient nor about the access."""


REPORTED_FAILURES = 5
"""The first report comes after some seconds, the later ones every quarter of an hour."""
KINDS: Mapping[type | None, type[OperationKind]] = {UpdateContact: UpdateContactKind, TrackEvent: TrackEventKind}
"""How each kind of operation is performed."""


class Lane:
    """The envelopes of one user of one connection, and the one call that is in flight for them.

    The lane handles ordering, the call in flight and commits. The kind of an operation decides its calls, and what a
    response means for it.
    """

    def __init__(
        self,
        key: str,
        contact: Contact,
        settings: ConnectionSettings,
        catalog: AttributeCatalog,
        unavailable: UnavailableContacts,
        failures: int = 0,
    ) -> None:
        """`failures`: in a row, when the lane was parked."""
        self.key = key
        self.queue = PendingQueue()
        self.failures = failures
        """Transient failures of the head in a row."""
        self._context = LaneContext(key, contact, settings, catalog, unavailable)
        self._writer = ContactWriter(self._context)
        self._kinds = {operation: kind(self._context, self._writer) for operation, kind in KINDS.items()}
        self._flight: Flight | None = None

    @property
    def contact(self) -> Contact:
        """The user's contact, which lanes of the same person share."""
        return self._context.contact

    def is_in_flight(self, key: int) -> bool:
        """Whether the call in flight is about this envelope."""
        return self._flight is not None and any(pending.key == key for pending in self._flight.group)

    def failures_to_report(self) -> dict[str, object]:
        """Returns what to report of the head after every REPORTED_FAILURES failures in a row; else nothing."""
        head = self.queue.head
        if head is None or not self.failures or self.failures % REPORTED_FAILURES:
            return {}
        return {
            "lane": self.key,
            "envelope_id": head.envelope.envelope_id,
            "failures": self.failures,
            "status": head.http_status,
        }

    def share_contact(self, contact: Contact) -> None:
        """Joins another lane of the same person: both know what either of them knew of the contact."""
        contact.absorb(self._context.contact)
        self._context.contact = contact

    def give_up(self, key: int, now: float) -> Completion | None:
        """Removes an envelope and gives it up; None if it is not in memory. Must not be called during a call."""
        pending = self.queue.find(key)
        if pending is None:
            return None
        if pending is self.queue.head:
            self._reset()
        self.queue.remove(pending)
        return give_up(pending, self._context.settings, now)

    def next(self, now: float) -> NextAction:
        """Returns the next action; `now` is Unix seconds. Must not be called while a call is in flight."""
        head = self.queue.head
        if head is None:
            return Idle()
        refusal = self._context.unavailable.why(self.key, now)
        if refusal:
            # The contact is archived, blocked or deleted: operations are refused without a call.
            _refuse_remaining(head, self._context.settings, refusal)
        while (operation := head.operation) is not None:
            kind = self._kinds[type(operation)]
            if not kind.has_work(head, self._context.settings):
                head.pass_over()
                continue
            plan = kind.plan(self.queue.of_head, now)
            if isinstance(plan, Flight):
                self._flight = plan
                for pending in plan.group:
                    pending.attempts += 1
                traceparents = [pending.envelope.traceparent for pending in plan.group if pending.envelope.traceparent]
                return Send(plan.request, tuple(traceparents))
            if not isinstance(plan, NoCall):
                return plan
            for pending in plan.group:
                pending.end_operation(plan.type, plan.reason)
            # Unchanged values need no commit of their own, so the head's next call can follow at once.
            if head.operation is None or plan.type is OutcomeType.DEAD_LETTERED:
                return Settle(self._settle(plan.group, now, contact_changed=plan.contact_changed))
        return Settle(self._settle([head], now))

    def on_response(self, classification: Classification, response: Response, now: float) -> AfterResponse:
        """Handles the response to the call in flight, as classified. Without a call in flight, nothing follows."""
        flight, self._flight = self._flight, None
        if flight is None:
            return AfterResponse()
        after = self._apply(flight, classification, response, now)
        self._context.contact.end_write(flight)
        return after

    def _apply(self, flight: Flight, classification: Classification, response: Response, now: float) -> AfterResponse:
        if classification.kind is Kind.SUSPENDED or classification.reason == RATE_LIMITED:
            # The connection waits, and the lane repeats the call after that.
            return AfterResponse()
        if classification.kind is Kind.TRANSIENT:
            for pending in flight.group:
                pending.on_failure(response.status, describe_failure(flight.request.call, classification, response))
            return self._back_off()
        head = flight.group[0]
        step = self._kinds[type(head.operation)].on_response(flight, classification, response.status, now)
        if isinstance(step, Ended):
            if step.type is OutcomeType.DEAD_LETTERED:
                head.keep_response(response.body)
            for pending in flight.group:
                pending.end_operation(step.type, step.reason, response.status, response.request_id)
            return AfterResponse(self._settle(flight.group, now, contact_changed=step.contact_changed))
        if isinstance(step, BackOff):
            return self._back_off()
        if isinstance(step, SaveContact):
            return AfterResponse(Settlement(self._context.settings.name, contacts=[self._cached_contact()]))
        return AfterResponse()

    def _back_off(self) -> AfterResponse:
        self.failures += 1
        return AfterResponse(back_off=True)

    def _settle(self, group: list[PendingEnvelope], now: float, *, contact_changed: bool = False) -> Settlement:
        """Returns the commit for operations that have ended, and removes the envelopes that have their outcome."""
        self._reset()
        completions: list[Completion] = []
        progress: list[tuple[int, bytes]] = []
        for pending in group:
            if pending.operation is None:
                self.queue.remove_first(pending.priority)
                completions.append(pending.end(self._context.settings.name, now))
            else:
                progress.append((pending.key, pack(pending.progress())))
        contacts = [self._cached_contact()] if contact_changed else []
        return Settlement(self._context.settings.name, completions, progress, contacts)

    def _reset(self) -> None:
        self._writer.reset()
        self.failures = 0

    def _cached_contact(self) -> CachedContact:
        return CachedContact(self.key, self._context.contact.id, self._context.contact.pack())


def give_up(pending: PendingEnvelope, settings: ConnectionSettings, now: float) -> Completion:
    """Gives up an envelope: the remaining operations are refused as GIVEN_UP, so that a replay performs them."""
    _refuse_remaining(pending, settings, GIVEN_UP, pending.http_status, at_least_one=True)
    completion = pending.end(settings.name, now)
    return replace(completion, outcome=replace(completion.outcome, reason=GIVEN_UP))


def _refuse_remaining(
    pending: PendingEnvelope, settings: ConnectionSettings, reason: str, status: int = 0, *, at_least_one: bool = False
) -> None:
    """Refuses the remaining operations. `at_least_one`: the last one even if it has no work and no other had any."""
    while (operation := pending.operation) is not None:
        kind = KINDS[type(operation)]
        needed = at_least_one and pending.at_last_operation and not pending.has_effect
        if needed or kind.has_work(pending, settings):
            pending.end_operation(OutcomeType.DEAD_LETTERED, reason, status)
        else:
            pending.pass_over()
