"""Classifies error statuses: what to do, and how long to wait. Pure: no clock, no randomness, no call."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

# The daemon itself sends only UNAVAILABLE; the others come from proxies and lost connections. A repeat with the same
# ids does no harm: accepted envelopes are then duplicates.
TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)

PUSHBACK_SECONDS_MAX = 60.0
"""The longest pause that a target may request: a wrong header must not stop publishing for hours."""

# google.rpc.Status, RetryInfo and ErrorInfo by their field numbers, which spares a dependency for three messages.
STATUS_DETAILS_FIELD = 3
RETRY_DELAY_FIELD = 1
REASON_FIELD = 1
METADATA_FIELD = 3
KEY_FIELD, VALUE_FIELD = 1, 2  # protobuf encodes a map as repeated messages of a key and a value

# gRPC's details of a call to a server that does not speak HTTP/2: "Failed parsing HTTP/2 (Expected SETTINGS frame as
# the first frame, got frame type 79)", "Trying to connect an http1.x server".
_NOT_HTTP2 = re.compile(r"Failed parsing HTTP/2|http1\.x server", re.IGNORECASE)
# gRPC's details where a server with TLS closes a connection that begins in plain text, or without a client certificate.
_CLOSED = re.compile(r"Socket closed|Connection reset by peer", re.IGNORECASE)


class Advice(Enum):
    """What the publisher does after a failed call."""

    REPEAT = auto()
    """Send the same request again, after a pause."""
    DIVIDE = auto()
    """Send the envelopes in smaller requests; this request would be refused again."""
    REJECT_CONNECTION = auto()
    """Reject the envelopes of one connection, and send the others again."""
    STOP = auto()
    """Stop: repeating helps only after a change of the configuration."""


@dataclass(frozen=True, slots=True)
class Details:
    """The trailers of an error status.

    Attributes:
        retry_after_seconds: the pause that the daemon requests, at most 60 s; None: it requests none.
        forbidden_connection: the connection of an ErrorInfo CONNECTION_NOT_ALLOWED; None without one.
    """

    retry_after_seconds: float | None = None
    forbidden_connection: str | None = None


def advise(code: grpc.StatusCode, text: str, details: Details) -> Advice:
    """Returns what to do after a status, by the contract.

    RESOURCE_EXHAUSTED with a pause is a quota. Without one it may be gRPC's own limit of a message's size.
    """
    if code is grpc.StatusCode.UNAVAILABLE and _NOT_HTTP2.search(text):
        return Advice.STOP
    if code in TRANSIENT:
        return Advice.REPEAT
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Advice.DIVIDE
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Advice.DIVIDE if details.retry_after_seconds is None else Advice.REPEAT
    if code is grpc.StatusCode.PERMISSION_DENIED and details.forbidden_connection is not None:
        return Advice.REJECT_CONNECTION
    return Advice.STOP


def explain(code: grpc.StatusCode, text: str, target: str, *, has_tls: bool = False, has_succeeded: bool = True) -> str:
    """Returns the status in one line, with the fix if repeating does not help.

    Args:
        code: the status.
        text: its details.
        target: the publisher's target.
        has_tls: calls are secured.
        has_succeeded: an earlier call has succeeded.
    """
    line = " ".join(text.split())
    status = f"{code.name}: {line}" if line else code.name
    if code is grpc.StatusCode.UNAVAILABLE and _NOT_HTTP2.search(text):
        return (
            f"{target} answers HTTP/1 or another protocol, not gRPC: set `target` to the ingest address, by default "
            f"port 50051 ({status})"
        )
    if not has_succeeded and code is grpc.StatusCode.UNAVAILABLE and _CLOSED.search(text):
        fix = "requires a client certificate, set `tls` to one that it accepts" if has_tls else "expects TLS, set `tls`"
        return f"{target} closed the connection: if it {fix} ({status})"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return (
            f"{target} does not serve intercomd.v1.IngestService: set `target` to the ingest address, by default "
            f"port 50051, not the operations address ({status})"
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"{target} refuses the credential: set `token` or `token_file` to a token that it accepts ({status})"
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return f"{target} does not allow this caller to publish: ask for the permission or use another token ({status})"
    return status


def backoff_seconds(failures: int, first_seconds: float, max_seconds: float, share: float) -> float:
    """Returns the pause after `failures` failures: exponential, with `share` (0.0 to 1.0) as full jitter."""
    return share * min(max_seconds, first_seconds * 2.0 ** min(failures - 1, 32))


def read_details(trailers: Iterable[tuple[str, str | bytes]]) -> Details:
    """Reads grpc-retry-pushback-ms and the google.rpc details; the former goes before RetryInfo."""
    values = dict(trailers)
    encoded = values.get("grpc-status-details-bin")
    details = _status_details(encoded) if isinstance(encoded, bytes) else Details()
    pushback = values.get("grpc-retry-pushback-ms")
    if isinstance(pushback, str) and pushback.isascii() and pushback.isdigit():
        # Ten digits or more exceed the cap by far.
        seconds = int(pushback) / 1000 if len(pushback) < 10 else PUSHBACK_SECONDS_MAX
        details = replace(details, retry_after_seconds=seconds)
    if details.retry_after_seconds is None:
        return details
    return replace(details, retry_after_seconds=min(max(details.retry_after_seconds, 0.0), PUSHBACK_SECONDS_MAX))


def retry_after_seconds(trailers: Iterable[tuple[str, str | bytes]]) -> float | None:
    """Returns the pause that the daemon requests, at most 60 s; None: it requests none."""
    return read_details(trailers).retry_after_seconds


def _status_details(status: bytes) -> Details:
    """Returns RetryInfo and ErrorInfo of an encoded google.rpc.Status."""
    details = Details()
    try:
        for encoded in _fields(status, STATUS_DETAILS_FIELD):
            detail = Any.FromString(encoded)
            if detail.type_url.endswith("/google.rpc.RetryInfo"):
                for delay in _fields(detail.value, RETRY_DELAY_FIELD):
                    seconds = Duration.FromString(delay).ToNanoseconds() / 1e9
                    details = replace(details, retry_after_seconds=seconds)
            elif detail.type_url.endswith("/google.rpc.ErrorInfo"):
                details = replace(details, forbidden_connection=_forbidden_connection(detail.value))
    except DecodeError:
        return Details()
    return details


def _forbidden_connection(error_info: bytes) -> str | None:
    if _fields(error_info, REASON_FIELD) != [b"CONNECTION_NOT_ALLOWED"]:
        return None
    for entry in _fields(error_info, METADATA_FIELD):
        if _fields(entry, KEY_FIELD) == [b"connection"]:
            return b"".join(_fields(entry, VALUE_FIELD)).decode(errors="replace")
    return None


def _fields(message: bytes, number: int) -> list[bytes]:
    """Returns the values of a length-delimited field, in the encoding of a message without its type."""
    unknown = UnknownFieldSet(Empty.FromString(message))
    fields = [unknown[index] for index in range(len(unknown))]
    return [field.data for field in fields if field.field_number == number and isinstance(field.data, bytes)]
