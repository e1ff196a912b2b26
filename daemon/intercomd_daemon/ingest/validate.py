"""What can never be delivered: envelopes without an identity, with a wrong one, from an impossible time.

Each function looks at one part of an envelope, adds what it finds, and returns what is left to send. Attributes and
events have their own modules.
"""

import re

from intercomd_daemon.conversion import LATEST_TIME
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.limits import (
    CLOCK_SKEW_SECONDS,
    CUSTOMER_ID_CHARACTERS_MAX,
    EMAIL_CHARACTERS_MAX,
    ENVELOPE_ID_BYTES_MAX,
    EVENT_NAME_CHARACTERS_MAX,
    OLDEST_TIME,
)
from intercomd_daemon.ingest.names import event_name

# https://www.w3.org/TR/trace-context/#traceparent-header: version ff is invalid, and so are ids of zeros only.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def identity_of(customer_id: str, email: str, found: Findings) -> tuple[str, str]:
    """The customer id trimmed, and the email trimmed and in lower case; "at least one, or it is not forwarded".

    "Blank or white space counts as absent"; "Emails are lower-cased by Intercom".
    """
    customer_id = customer_id.strip()
    email = email.strip().lower()
    if not customer_id and not email:
        message = "a customer id or an email is needed: without one nothing can be said of anybody"
        found.reject("IDENTITY_REQUIRED", "identity", message)
    if len(customer_id) > CUSTOMER_ID_CHARACTERS_MAX:
        message = f"a customer id has at most {CUSTOMER_ID_CHARACTERS_MAX} characters"
        found.reject("IDENTITY_TOO_LONG", "identity.customer_id", message)
    if email:
        _check_email(email, found)
    return customer_id, email


def _check_email(email: str, found: Findings) -> None:
    if len(email) > EMAIL_CHARACTERS_MAX:
        message = f"an email address has at most {EMAIL_CHARACTERS_MAX} characters"
        found.reject("IDENTITY_TOO_LONG", "identity.email", message)
    elif email.count("@") != 1 or email[0] == "@" or email[-1] == "@" or " " in email or not email.isprintable():
        # White space other than " ", control characters and invisible ones are not printable. Intercom judges the rest.
        message = "one @ with text on both sides of it, and no white space, is wanted: mend it, or leave it out"
        found.reject("INVALID_EMAIL", "identity.email", message)


def check_envelope_id(envelope_id: str, found: Findings) -> None:
    """An id has at most 128 bytes."""
    if len(envelope_id) > ENVELOPE_ID_BYTES_MAX or not envelope_id.isascii():
        _measure_envelope_id(envelope_id, found)


def _measure_envelope_id(envelope_id: str, found: Findings) -> None:
    if len(envelope_id.encode()) > ENVELOPE_ID_BYTES_MAX:
        message = f"an id has at most {ENVELOPE_ID_BYTES_MAX} bytes: a UUIDv7 is best"
        found.reject("ENVELOPE_ID_TOO_LONG", "envelope_id", message)


def created_at_of(event_time: int | None, now: int, found: Findings) -> int:
    """The event's time in whole Unix seconds: absent it is now, in the future it becomes now."""
    if event_time is None:
        return now
    if event_time < OLDEST_TIME:
        message = "a time before 2000 is a mistake: send the seconds since 1970, or leave it out for the present"
        found.reject("INVALID_TIME", "event_time", message)
        return now
    if event_time > now + CLOCK_SKEW_SECONDS:
        return _clamped(event_time, now, found)
    return event_time


def _clamped(event_time: int, now: int, found: Findings) -> int:
    if event_time > LATEST_TIME:
        message = "a time after the year 9999 is a mistake: send seconds, not milliseconds"
        found.reject("INVALID_TIME", "event_time", message)
    else:
        message = f"it was more than {CLOCK_SKEW_SECONDS} s in the future, and became the time of acceptance, {now}"
        found.adjust("TIME_CLAMPED", "event_time", message)
    return now


def event_name_of(given: str, path: str, found: Findings) -> str:
    """An event's name as Intercom takes it: 1 to 255 characters, `.` and `$` as `-`."""
    name = event_name(given)
    if not name:
        found.reject("EVENT_NAME_REQUIRED", path, f"a name of 1 to {EVENT_NAME_CHARACTERS_MAX} characters is needed")
    elif len(name) > EVENT_NAME_CHARACTERS_MAX:
        message = f"an event's name has at most {EVENT_NAME_CHARACTERS_MAX} characters, what we add to it included"
        found.reject("EVENT_NAME_TOO_LONG", path, message)
    elif name != given:
        message = (
            f"white space around a name, and . $ in it, are not for Intercom: {quoted(given)} became {quoted(name)}"
        )
        found.adjust("EVENT_NAME_CHANGED", path, message)
    return name


def traceparent_of(given: str, found: Findings) -> str:
    """The W3C trace context; empty if it is none."""
    if given and not _TRACEPARENT.fullmatch(given):
        found.adjust("FIELD_IGNORED", "traceparent", "it is no traceparent by W3C Trace Context: it was left out")
        return ""
    return given
