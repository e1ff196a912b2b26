"""Validates an envelope's identity, id, time, event name and trace context.

Each function validates one part, adds findings, and returns the part as it is sent.
"""

from collections.abc import Collection

from intercomd_daemon import trace_context
from intercomd_daemon.conversion import LATEST_TIME, rfc3339
from intercomd_daemon.envelope import Finding
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.decision import Decision, Disposition, Findings
from intercomd_daemon.ingest.decoded import DecodedEnvelope
from intercomd_daemon.ingest.limits import (
    CLOCK_SKEW_SECONDS,
    CUSTOMER_ID_CHARACTERS_MAX,
    EMAIL_CHARACTERS_MAX,
    ENVELOPE_ID_BYTES_MAX,
    EVENT_NAME_CHARACTERS_MAX,
    OLDEST_TIME,
)
from intercomd_daemon.ingest.names import event_name
from intercomd_daemon.ingest.values import CONTROL_CHARACTER


def identity_of(customer_id: str, email: str, placeholder_ids: Collection[str], found: Findings) -> tuple[str, str]:
    """Returns the customer id trimmed, and the email trimmed and in lower case.

    `placeholder_ids` are texts in lower case that stand for a missing customer id.

    Blank text counts as absent. Intercom: "Emails are lower-cased".
    """
    # Before trimming: `strip` takes U+001C to U+001F for white space and would remove them unnoticed.
    if not customer_id.isprintable() and CONTROL_CHARACTER.search(customer_id):
        message = f"invalid customer id {quoted(customer_id)}: expected text without control characters"
        found.reject("INVALID_CUSTOMER_ID", "identity.customer_id", message)
    customer_id = customer_id.strip()
    email = email.strip().lower()
    if not customer_id and not email:
        message = "the identity has neither a customer id nor an email: set one of them"
        found.reject("IDENTITY_REQUIRED", "identity", message)
    if len(customer_id) > CUSTOMER_ID_CHARACTERS_MAX:
        message = (
            f"customer id of {len(customer_id)} characters, limit {CUSTOMER_ID_CHARACTERS_MAX}: "
            f"shorten {quoted(customer_id)}"
        )
        found.reject("IDENTITY_TOO_LONG", "identity.customer_id", message)
    elif customer_id.lower() in placeholder_ids:
        message = (
            f"customer id {quoted(customer_id)} is a placeholder for a missing id (placeholder_ids): "
            "set the user's id, or only an email"
        )
        found.reject("PLACEHOLDER_ID", "identity.customer_id", message)
    if email:
        _check_email(email, found)
    return customer_id, email


def _check_email(email: str, found: Findings) -> None:
    if len(email) > EMAIL_CHARACTERS_MAX:
        message = f"email of {len(email)} characters, limit {EMAIL_CHARACTERS_MAX}: shorten {quoted(email)}"
        found.reject("IDENTITY_TOO_LONG", "identity.email", message)
    elif email.count("@") != 1 or email[0] == "@" or email[-1] == "@" or " " in email or not email.isprintable():
        # White space other than " ", control characters and invisible ones are not printable. Intercom checks the rest.
        message = f"invalid email {quoted(email)}: expected local@domain without whitespace"
        found.reject("INVALID_EMAIL", "identity.email", message)


def check_envelope_id(envelope_id: str, found: Findings) -> None:
    """Rejects an id of more than 128 bytes."""
    # An id of ASCII characters, as most are, has as many bytes as characters and needs no encoding.
    if len(envelope_id) <= ENVELOPE_ID_BYTES_MAX and envelope_id.isascii():
        return
    size_bytes = len(envelope_id.encode())
    if size_bytes > ENVELOPE_ID_BYTES_MAX:
        message = f"id of {size_bytes} bytes, limit {ENVELOPE_ID_BYTES_MAX}: use a shorter one, such as a UUIDv7"
        found.reject("ENVELOPE_ID_TOO_LONG", "envelope_id", message)


def created_at_of(event_time: int | None, now: int, found: Findings) -> int:
    """Returns the event's time in whole Unix seconds: `now` if it is absent or in the future."""
    if event_time is None:
        return now
    if event_time < OLDEST_TIME:
        message = (
            f"event_time of {event_time} seconds is before 2000-01-01T00:00:00Z: send Unix seconds, "
            "or leave it out for the time of acceptance"
        )
        found.reject("INVALID_TIME", "event_time", message)
        return now
    if event_time > now + CLOCK_SKEW_SECONDS:
        if event_time > LATEST_TIME:
            message = f"event_time of {event_time} seconds is after the year 9999: send Unix seconds, not milliseconds"
            found.reject("INVALID_TIME", "event_time", message)
        else:
            message = (
                f"event_time {rfc3339(event_time)} is more than {CLOCK_SKEW_SECONDS} s in the future: became the time "
                f"of acceptance, {rfc3339(now)}; check the sender's clock"
            )
            found.adjust("TIME_CLAMPED", "event_time", message)
        return now
    return event_time


def event_name_of(given: str, path: str, found: Findings) -> str:
    """Returns an event's name as Intercom accepts it: 1 to 255 characters, `-` for `.` and `$`."""
    name = event_name(given)
    if not name:
        found.reject(
            "EVENT_NAME_REQUIRED",
            path,
            f"no event name: set one of 1 to {EVENT_NAME_CHARACTERS_MAX} characters",
        )
    elif len(name) > EVENT_NAME_CHARACTERS_MAX:
        message = f"event name of {len(name)} characters, limit {EVENT_NAME_CHARACTERS_MAX}: shorten {quoted(name)}"
        found.reject("EVENT_NAME_TOO_LONG", path, message)
    elif name != given:
        message = (
            f"event name {quoted(given)} has surrounding white space, or . $ or control characters, which Intercom "
            f"does not accept: became {quoted(name)}"
        )
        found.adjust("EVENT_NAME_CHANGED", path, message)
    return name


def traceparent_of(given: str, found: Findings) -> str:
    """Returns the W3C trace context; empty if it is malformed."""
    if given and trace_context.parse(given) is None:
        found.adjust(
            "FIELD_IGNORED",
            "traceparent",
            f"invalid traceparent {quoted(given)}: dropped it; send the W3C format 00-<trace id>-<span id>-<flags>",
        )
        return ""
    return given


def check_empty(envelope: DecodedEnvelope, found: Findings) -> None:
    """Rejects an envelope without attributes, removals and event."""
    content = envelope.user_attributes or envelope.removed_user_attributes or envelope.event or envelope.violations
    if not content:
        message = "the envelope has no user attributes, removals or event: add one of them, or do not send it"
        found.reject("EMPTY_ENVELOPE", "", message)


def unknown_connection(envelope: DecodedEnvelope, name: str, field: str) -> Decision:
    """Returns the decision of an envelope for a connection that the settings do not have."""
    message = f'unknown connection {quoted(name)}: name a connection of the settings, or none for "default"'
    finding = Finding("UNKNOWN_CONNECTION", field, message)
    return Decision(envelope.envelope_id, envelope.connection, Disposition.REJECTED, (finding,))
