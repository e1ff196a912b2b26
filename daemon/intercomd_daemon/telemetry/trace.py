"""Reads the trace id of a `traceparent` header, as W3C Trace Context defines it."""

import re

# "version "-" trace-id "-" parent-id "-" trace-flags", in lower-case hexadecimal digits; "all bytes zero" and version
# ff are invalid, and a version above 00 may have more after the flags.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)


def trace_id_of(traceparent: str) -> str:
    """Returns the trace id, 32 hexadecimal digits, or "" for an invalid header."""
    matched = _TRACEPARENT.fullmatch(traceparent)
    if not matched or (matched["more"] and matched["version"] == "00"):
        return ""
    return matched["trace_id"]
