"""W3C Trace Context: parses the `traceparent` of an envelope or of a call's metadata."""

import re
from contextvars import ContextVar
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
# "version "-" trace-id "-" parent-id "-" trace-flags", in lower-case hexadecimal digits; version ff and ids of zeros
# only are invalid, and a version above 00 may have more after the flags.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?P<span_id>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)

request_traceparent: ContextVar[str] = ContextVar("request_traceparent", default="")
"""The `traceparent` in the metadata of the current call; empty: none, or traces are off."""


class TraceContext(NamedTuple):
    """The identity of a span, in hexadecimal digits."""

    trace_id: str
    span_id: str
    flags: str


def parse(traceparent: str) -> TraceContext | None:
    """Returns the context of a `traceparent`; None if it is invalid."""
    matched = _TRACEPARENT.fullmatch(traceparent)
    if not matched or (matched["more"] and matched["version"] == "00"):
        return None
    return TraceContext(matched["trace_id"], matched["span_id"], matched["flags"])
