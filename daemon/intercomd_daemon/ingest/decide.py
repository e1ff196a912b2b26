"""Decides an envelope by its content and the settings: its connection, its disposition, and its operations.

Precedence: unknown connection, inactive connection or development data, identity and validity, event skip. Duplicates
and the seconds of events are decided later, in accept.py.
"""

from intercomd_daemon.connection import ConnectionsByName, ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope, Environment, Finding, TrackEvent, operations_of
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.commerce import commerce_events, commerce_skip
from intercomd_daemon.ingest.contact_update import Update, update_of
from intercomd_daemon.ingest.decision import Decision, Disposition, Findings
from intercomd_daemon.ingest.decoded import CommerceEvent, CustomEvent, DecodedEnvelope, SessionEnd
from intercomd_daemon.ingest.limits import CLOCK_SKEW_SECONDS
from intercomd_daemon.ingest.metadata import custom_metadata
from intercomd_daemon.ingest.session_end import session_end_event, session_end_skip
from intercomd_daemon.ingest.validate import (
    check_empty,
    check_envelope_id,
    created_at_of,
    event_name_of,
    identity_of,
    traceparent_of,
    unknown_connection,
)

# A member of an enum costs a call each time it is read from its class.
_DEVELOPMENT, _ACCEPTED = Environment.DEVELOPMENT, Disposition.ACCEPTED


def decide(
    envelope: DecodedEnvelope, connections: ConnectionsByName, now: float, caller: str = "", traceparent: str = ""
) -> Decision:
    """Returns the disposition, the findings and, if accepted, the envelope to store.

    `now` is in Unix seconds; `traceparent` is that of the call, for an envelope without one of its own.
    """
    connection = connections.get(envelope.connection)
    if connection is None or not connection.active or envelope.environment is _DEVELOPMENT:
        target = _target(envelope, connection, connections)
        if isinstance(target, Decision):
            return target
        connection = target
    # Every check adds to `found`, so that the sender learns of all violations at once.
    found = Findings(envelope.violations, envelope.adjustments, reject_values=connection.limits.on_excess == "reject")
    if envelope.has_own_id:
        check_envelope_id(envelope.envelope_id, found)
    customer_id, email = identity_of(envelope.customer_id, envelope.email, connection.placeholder_ids, found)
    created_at = created_at_of(envelope.event_time, int(now), found)
    update = _update(envelope, connection, found)
    events, skip = _events(envelope, created_at, now, connection, found) if envelope.event else ((), None)
    traceparent = traceparent_of(envelope.traceparent, found) or traceparent
    if found.violations or (not update.values and not events):
        return _not_accepted(envelope, connection.name, skip, found)
    if skip is not None:
        found.adjust("EVENT_SKIPPED", skip.field, f"{skip.reason}: {skip.message}")
    adjustments = tuple(found.adjustments)
    envelope_id, encoded = envelope.envelope_id, envelope.encoded
    operations = operations_of(customer_id, email, update.values, events, update.times)
    accepted = AcceptedEnvelope(
        envelope_id, customer_id, email, now, operations, adjustments, traceparent, encoded, caller=caller
    )
    return Decision(
        envelope_id,
        connection.name,
        _ACCEPTED,
        adjustments=adjustments,
        adjustments_omitted=found.adjustments_omitted,
        priority=envelope.priority,
        recognised=envelope.recognised,
        accepted=accepted,
        event_time=events[0].created_at if events else None,
        traceparent=traceparent,
    )


def _target(
    envelope: DecodedEnvelope, named: ConnectionSettings | None, connections: ConnectionsByName
) -> ConnectionSettings | Decision:
    """Returns the connection that the envelope goes to, or the decision if it goes to none."""
    if named is None:
        return unknown_connection(envelope, envelope.connection, "connection")
    if envelope.environment is Environment.DEVELOPMENT and named.active:
        if not named.development_connection:
            message = f"development data is off for {quoted(named.name)}: set development_connection to route it"
            return _skipped(envelope, named.name, Finding("DEVELOPMENT_DATA", "environment", message))
        target = connections.get(named.development_connection)
        if target is None:
            return unknown_connection(envelope, named.development_connection, "environment")
        named = target
    if not named.active:
        message = f"connection {quoted(named.name)} is off in the settings: set active = true"
        return _skipped(envelope, named.name, Finding("CONNECTION_INACTIVE", "connection", message))
    return named


def _update(envelope: DecodedEnvelope, rules: ConnectionSettings, found: Findings) -> Update:
    """Returns the contact update; an envelope without attributes, removals and event is a violation."""
    attributes, removed = envelope.user_attributes, envelope.removed_user_attributes
    if attributes or removed:
        return update_of(attributes, removed, rules, found)
    check_empty(envelope, found)
    return Update({})


def _events(
    envelope: DecodedEnvelope, created_at: int, now: float, rules: ConnectionSettings, found: Findings
) -> tuple[tuple[TrackEvent, ...], Finding | None]:
    """Returns the events to send, or the reason why the valid event is skipped."""
    event = envelope.event
    if isinstance(event, CustomEvent):
        name = event_name_of(event.name, "custom_event.name", found)
        metadata = (
            custom_metadata(event.attributes, "custom_event.attributes", rules, found) if event.attributes else b""
        )
        return (TrackEvent(name, created_at, metadata),), None
    before = len(found.adjustments)
    if isinstance(event, CommerceEvent):
        events, skip = commerce_events(event, created_at, int(now) + CLOCK_SKEW_SECONDS, rules, found)
        skip = commerce_skip(envelope.source, rules) or skip
    elif isinstance(event, SessionEnd):
        events, skip = (session_end_event(event, created_at, rules, found),), session_end_skip(rules)
    else:
        event_type = quoted(event.type) if event else ""
        message = f"events of type {event_type} are not supported: send it as a custom event"
        events, skip = (), Finding("UNSUPPORTED_EVENT_TYPE", "other_event", message)
    if skip is None:
        return events, None
    del found.adjustments[before:]  # The adjustments of an event that is not sent.
    return (), skip


def _not_accepted(envelope: DecodedEnvelope, connection: str, skip: Finding | None, found: Findings) -> Decision:
    if found.violations:
        return Decision(envelope.envelope_id, connection, Disposition.REJECTED, tuple(found.violations))
    if skip is None:
        skip = Finding(
            "NOTHING_LEFT",
            "user_attributes",
            "every attribute was dropped: see the adjustments",
        )
    return _skipped(envelope, connection, skip, found)


def _skipped(envelope: DecodedEnvelope, connection: str, reason: Finding, found: Findings | None = None) -> Decision:
    adjustments, omitted = (tuple(found.adjustments), found.adjustments_omitted) if found else ((), 0)
    return Decision(
        envelope.envelope_id, connection, Disposition.SKIPPED, (reason,), adjustments, omitted, envelope.priority
    )
