"""The operation `TrackEvent`: when an event expires, how it names the contact, and what a missing contact leads to."""

from collections.abc import Sequence

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import Classification, Hint, Kind
from intercomd_daemon.deliver.lane.actions import (
    DRY_RUN,
    BackOff,
    Ended,
    Flight,
    LaneContext,
    NextStep,
    NoCall,
    Plan,
    Replan,
    SaveContact,
)
from intercomd_daemon.deliver.lane.contact_writer import ComposedUpdate, ContactWriter, Presence, WriteRefused, Written
from intercomd_daemon.deliver.lane.pending import PendingEnvelope, Retry
from intercomd_daemon.deliver.lane.update_contact import compose
from intercomd_daemon.envelope import TrackEvent
from intercomd_daemon.outcome import EffectKind, OutcomeType


class EventCall(Flight):
    """A call that tracks an event."""


class TrackEventKind:
    """Performs the events of one lane: an `OperationKind`."""

    __slots__ = ("_context", "_writer")

    def __init__(self, context: LaneContext, writer: ContactWriter) -> None:
        self._context = context
        self._writer = writer

    @staticmethod
    def has_work(pending: PendingEnvelope, settings: ConnectionSettings) -> bool:  # noqa: ARG004 - as the protocol has it
        """Whether the event changes anything: every event does."""
        return True

    def plan(self, queue: Sequence[PendingEnvelope], now: float) -> Plan:
        """Returns the call for the event, or, if Intercom did not find the contact, the call that creates it first."""
        head, context, writer = queue[0], self._context, self._writer
        event = head.operation
        if not isinstance(event, TrackEvent):
            raise TypeError(event)
        age_max = context.settings.event_age_max_seconds
        if age_max and event.created_at < now - age_max:
            return NoCall([head], OutcomeType.DEAD_LETTERED, "EXPIRED")
        if writer.presence is Presence.MISSING:
            if not context.contact.id:
                update = compose([head], context, writer, now)
                return writer.call([head], update) if isinstance(update, ComposedUpdate) else update
            writer.contact_found()
        customer_id, email = head.envelope.customer_id, head.envelope.email
        # "Intercom prefers `user_id` over `email`. Events of leads need Intercom's own `id`" (I23). After a 404, too,
        # only that is sure.
        if context.contact.id and (writer.presence is Presence.CONFIRMED or not customer_id):
            identity = ("id", context.contact.id)
        else:
            identity = ("user_id", customer_id) if customer_id else ("email", email)
        return EventCall(requests.track_event(event, identity), [head])

    def on_response(self, flight: Flight, classification: Classification, status: int, now: float) -> NextStep:
        """Ends the event, unless the contact must be created first."""
        if isinstance(flight, EventCall):
            return self._on_event_response(flight, classification)
        match self._writer.on_response(flight, classification, status, now):
            case Written():
                self._writer.contact_found()
                return SaveContact()
            case WriteRefused(reason):
                return Ended(OutcomeType.DEAD_LETTERED, reason, contact_changed=True)
            case other:
                return other

    def _on_event_response(self, flight: EventCall, classification: Classification) -> NextStep:
        writer = self._writer
        contact_changed = writer.presence is Presence.CONFIRMED or bool(writer.taken_email)
        if classification.hint is Hint.NOT_FOUND:
            (pending,) = flight.group
            retry = pending.contact_not_found()
            self._context.contact.forget()
            if retry is not Retry.NEVER:
                # With the values of the update, unless Intercom refused them before.
                writer.contact_missing(identity_only=pending.refused(EffectKind.CONTACT))
                return BackOff() if retry is Retry.LATER else Replan()
            contact_changed = True
        if classification.kind is not Kind.DONE:
            return Ended(OutcomeType.DEAD_LETTERED, classification.reason, contact_changed)
        type_ = OutcomeType.SKIPPED if classification.reason == DRY_RUN else OutcomeType.DELIVERED
        return Ended(type_, classification.reason, contact_changed)
