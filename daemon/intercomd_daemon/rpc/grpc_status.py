"""Maps errors to gRPC statuses: code, message, and the google.rpc details that programs read."""

from math import ceil
from typing import NamedTuple

from google.protobuf.message import Message

# The package brings stubs, but no py.typed.
from google.rpc.code_pb2 import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
)
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import (
    CommitUnknown,
    ConnectionNotAllowed,
    ConnectionNotFound,
    CountMismatch,
    EnvelopeNotWaiting,
    ForwardingLoop,
    IntercomdError,
    OperationsNotAllowed,
    QuotaExceeded,
    RequestRefused,
    RetryLater,
    SpoolChanged,
    TooManyWatches,
    Unauthenticated,
)

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 5.0
DETAILS = "grpc-status-details-bin"
"""The trailer in which gRPC libraries of all languages expect a google.rpc.Status."""
PUSHBACK = "grpc-retry-pushback-ms"
"""gRPC's own retries wait for this time (gRFC A6)."""
DOMAIN = "intercomd"
"""The domain of the reasons in an ErrorInfo."""
_NAME_CHARACTERS_MAX = 255
"""Characters of a name from the request that a detail repeats: clients accept at most 16 KiB of trailers."""


class CallStatus(NamedTuple):
    """The status that a call ends with."""

    code: int
    """A number of google.rpc.Code."""
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def status_of(error: IntercomdError) -> CallStatus:  # noqa: C901, PLR0911, PLR0912 - one case for each error
    """Returns the status of an error, always with details.

    Raises:
        TypeError: no call may end with this error.
    """
    match error:
        case RequestRefused(field=field, message=message):
            violation = BadRequest.FieldViolation(field=field, description=message)
            return _status(INVALID_ARGUMENT, error, BadRequest(field_violations=[violation]))
        case RetryLater(retry_seconds=seconds):
            milliseconds = int(min(max(seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX) * 1000)
            return _status(UNAVAILABLE, error, _retry(milliseconds), trailers=((PUSHBACK, str(milliseconds)),))
        case CommitUnknown():
            # No RetryInfo: it would say that nothing was accepted.
            return _status(UNAVAILABLE, error, _info("COMMIT_UNKNOWN"))
        case QuotaExceeded(caller=caller, quota=quota, retry_seconds=seconds):
            milliseconds = max(1, ceil(seconds * 1000))
            exceeded = QuotaFailure.Violation(subject=f"callers.{caller}.{quota}", description=str(error))
            details = (QuotaFailure(violations=[exceeded]), _retry(milliseconds))
            return _status(RESOURCE_EXHAUSTED, error, *details, trailers=((PUSHBACK, str(milliseconds)),))
        case Unauthenticated(reason=reason):
            return _status(UNAUTHENTICATED, error, _info(reason))
        case ConnectionNotAllowed(connection=connection):
            return _status(
                PERMISSION_DENIED, error, _info("CONNECTION_NOT_ALLOWED", connection=connection[:_NAME_CHARACTERS_MAX])
            )
        case OperationsNotAllowed():
            return _status(PERMISSION_DENIED, error, _info("OPERATIONS_NOT_ALLOWED"))
        case ConnectionNotFound(connection=connection):
            return _status(
                NOT_FOUND, error, _info("CONNECTION_NOT_FOUND", connection=connection[:_NAME_CHARACTERS_MAX])
            )
        case EnvelopeNotWaiting(connection=connection, envelope_id=envelope_id):
            names = {
                "connection": connection[:_NAME_CHARACTERS_MAX],
                "envelope_id": envelope_id[:_NAME_CHARACTERS_MAX],
            }
            return _status(NOT_FOUND, error, _info("ENVELOPE_NOT_WAITING", **names))
        case CountMismatch(expected=expected, total=total):
            counts = _info("COUNT_MISMATCH", expected_count=str(expected), total_count=str(total))
            return _status(FAILED_PRECONDITION, error, counts)
        case SpoolChanged(spool_id=spool_id):
            return _status(FAILED_PRECONDITION, error, _info("SPOOL_CHANGED", spool_id=spool_id))
        case ForwardingLoop():
            return _status(FAILED_PRECONDITION, error, _info("FORWARDING_LOOP"))
        case TooManyWatches():
            exceeded = QuotaFailure.Violation(subject="WatchOutcomes", description=str(error))
            return _status(RESOURCE_EXHAUSTED, error, QuotaFailure(violations=[exceeded]))
    raise TypeError(f"{type(error).__name__} has no status") from error


def _info(reason: str, **metadata: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _retry(milliseconds: int) -> RetryInfo:
    retry = RetryInfo()
    retry.retry_delay.FromMilliseconds(milliseconds)
    return retry


def _status(
    code: int, error: IntercomdError, *details: Message, trailers: tuple[tuple[str, str | bytes], ...] = ()
) -> CallStatus:
    status = Status(code=code, message=str(error))
    for detail in details:
        status.details.add().Pack(detail)
    return CallStatus(code, str(error), ((DETAILS, status.SerializeToString()), *trailers))
