"""What an error status asks of a publisher, and how long to wait. Pure: no clock, no randomness, no call."""

from collections.abc import Iterable
from enum import Enum, auto

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

# The daemon's limit of one envelope: a request below it was not refused for its size.
ENVELOPE_BYTES_MAX = 128 * 1024

# Of these the daemon sends UNAVAILABLE alone; the others come from the way to it, a proxy or a lost connection. A
# repeat with the same ids does no harm: what was taken is answered as a duplicate.
PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)

# google.rpc.Status and google.rpc.RetryInfo by their field numbers, which spares a dependency for two messages.
STATUS_DETAILS_FIELD = 3
RETRY_DELAY_FIELD = 1


class Advice(Enum):
    """What to do after a failed call."""

    REPEAT = auto()
    """The same request again, after a pause."""
    DIVIDE = auto()
    """Never this request again; the daemon may take its envelopes in smaller ones."""
    STOP = auto()
    """Nothing that this publisher can do."""


def advise(code: grpc.StatusCode, retry_after_seconds: float | None, request_bytes: int) -> Advice:
    """Reads a status as the contract means it.

    RESOURCE_EXHAUSTED with a time to wait is a quota. Without one it may be gRPC's own limit of a message's size, as
    long as the request is larger than a single envelope may be; else it is some limit on the way that passes.
    """
    if code in PASSING:
        return Advice.REPEAT
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Advice.DIVIDE
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        too_large = retry_after_seconds is None and request_bytes > ENVELOPE_BYTES_MAX
        return Advice.DIVIDE if too_large else Advice.REPEAT
    return Advice.STOP


def backoff_seconds(failures: int, first_seconds: float, max_seconds: float, share: float) -> float:
    """Exponential backoff with full jitter: `share`, 0.0 to 1.0, of the longest pause after so many failures."""
    return share * min(max_seconds, first_seconds * 2.0 ** min(failures - 1, 32))


def retry_after_seconds(trailers: Iterable[tuple[str, str | bytes]]) -> float | None:
    """How long the daemon asks to wait: the trailer grpc-retry-pushback-ms, else RetryInfo; None where it does not."""
    values = dict(trailers)
    pushback = values.get("grpc-retry-pushback-ms")
    if isinstance(pushback, str) and pushback.isascii() and pushback.isdigit():
        return int(pushback) / 1000
    details = values.get("grpc-status-details-bin")
    return _retry_info_seconds(details) if isinstance(details, bytes) else None


def _retry_info_seconds(status: bytes) -> float | None:
    """The delay of the google.rpc.RetryInfo in an encoded google.rpc.Status."""
    try:
        for encoded in _fields(status, STATUS_DETAILS_FIELD):
            detail = Any.FromString(encoded)
            if detail.type_url.endswith("/google.rpc.RetryInfo"):
                for delay in _fields(detail.value, RETRY_DELAY_FIELD):
                    return Duration.FromString(delay).ToNanoseconds() / 1e9
    except DecodeError:
        return None
    return None


def _fields(message: bytes, number: int) -> list[bytes]:
    """The values of a field that has a length, in the encoding of a message whose type is not at hand."""
    unknown = UnknownFieldSet(Empty.FromString(message))
    fields = [unknown[index] for index in range(len(unknown))]
    return [field.data for field in fields if field.field_number == number and isinstance(field.data, bytes)]
