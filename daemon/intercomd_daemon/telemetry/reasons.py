"""The reasons that metrics tell apart, so that no sender and no answer of Intercom's can add a label's value."""

import re

OTHER = "other"

# fmt: off
VIOLATIONS = frozenset({
    "COMMERCE_EVENT_EMPTY", "EMPTY_ENVELOPE", "ENVELOPE_ID_TOO_LONG", "ENVELOPE_TOO_LARGE", "EVENT_NAME_REQUIRED",
    "EVENT_NAME_TOO_LONG", "IDENTITY_REQUIRED", "IDENTITY_TOO_LONG", "INVALID_AMOUNT", "INVALID_ATTRIBUTE_NAME",
    "INVALID_ATTRIBUTE_VALUE", "INVALID_EMAIL", "INVALID_TIME", "TOO_MANY_ATTRIBUTES", "UNKNOWN_CONNECTION",
    "UNSUPPORTED_FIELD",
})
"""Why envelopes are rejected."""
SKIPS = frozenset({
    "COMMERCE_FROM_WEB", "CONNECTION_INACTIVE", "DEVELOPMENT_DATA", "EVENT_TYPE_OFF", "NOTHING_LEFT", "NO_PRODUCTS",
    "UNSUPPORTED_EVENT_TYPE",
})
"""Why envelopes are not for Intercom."""
ADJUSTMENTS = frozenset({
    "ATTRIBUTES_LEFT_OUT", "ATTRIBUTE_DROPPED", "ATTRIBUTE_RENAMED", "EMAIL_TAKEN", "EVENT_NAME_CHANGED",
    "EVENT_SKIPPED", "FIELD_IGNORED", "SAME_SECOND", "TIME_CLAMPED", "TIME_SHIFTED", "VALUE_CONVERTED",
    "VALUE_TRUNCATED",
})
"""What is changed in envelopes, on acceptance or while delivering."""
ENDS = frozenset({
    "ATTRIBUTE_REFUSED", "CONTACT_ARCHIVED", "CONTACT_BLOCKED", "CONTACT_NOT_FOUND", "DAMAGED", "DRY_RUN",
    "EVENT_NAMES_EXHAUSTED", "EXPIRED", "IDENTITY_AMBIGUOUS", "IDENTITY_CONFLICT", "REQUEST_INVALID", "TOO_LARGE",
})
"""Why envelopes were skipped or refused while delivering."""
# fmt: on
KNOWN = VIOLATIONS | SKIPS | ADJUSTMENTS | ENDS

_HTTP = re.compile(r"HTTP_([1-5])\d\d")


def label_of(reason: str) -> str:
    """The reason as a label's value: itself if known, of a status its class (`HTTP_5xx`), else `other`; none is ""."""
    if not reason or reason in KNOWN:
        return reason
    matched = _HTTP.fullmatch(reason)
    return f"HTTP_{matched[1]}xx" if matched else OTHER
