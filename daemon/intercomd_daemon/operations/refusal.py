"""Errors of ours as gRPC statuses: the code, the words, and the google.rpc details that a program can read.

Pure: one error in, one refusal out. Which error arises where, it does not know.
"""

from typing import NamedTuple

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

# The package brings stubs, but no py.typed.
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    RetryInfo,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc import StatusCode

from intercomd_daemon.errors import IntercomdError, NotNow, RequestRefused

DOMAIN = "intercomd"
"""Whose reasons those of an ErrorInfo are."""


class UnknownConnection(IntercomdError):
    """No connection of the configuration has that name."""

    def __init__(self, connection: str) -> None:
        """`connection` is the name that was asked for."""
        super().__init__(f"no connection of the configuration is called {connection!r}; GetStatus lists them")
        self.connection = connection


class CountMismatch(IntercomdError):
    """The filter does not match as many dead letters as the caller believes; nothing was done."""

    def __init__(self, expected: int, total: int) -> None:
        """`expected` is the caller's number, `total` ours of this moment."""
        super().__init__(
            f"{total} dead letters match, not {expected}; list them again and repeat with the count that it names"
        )
        self.expected = expected
        self.total = total


class TooManyWatches(IntercomdError):
    """As many watches are open as the daemon allows."""


class Refusal(NamedTuple):
    """What a call is ended with."""

    code: StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def refusal_of(error: IntercomdError) -> Refusal:
    """The status of an error, always with details.

    Raises:
        TypeError: the error is none that a call of the operations service may end with.
    """
    match error:
        case RequestRefused():
            violation = BadRequest.FieldViolation(field=error.field, description=error.message)
            return _refusal(StatusCode.INVALID_ARGUMENT, error, BadRequest(field_violations=[violation]))
        case NotNow():
            delay = Duration()
            delay.FromMilliseconds(round(error.retry_seconds * 1000))
            # gRPC's own retries look at the pushback alone: RetryInfo never goes without it.
            pushback = ("grpc-retry-pushback-ms", str(delay.ToMilliseconds()))
            return _refusal(StatusCode.UNAVAILABLE, error, RetryInfo(retry_delay=delay), pushback)
        case UnknownConnection():
            told = {"connection": error.connection}
            return _refusal(StatusCode.NOT_FOUND, error, _error_info("CONNECTION_NOT_FOUND", told))
        case CountMismatch():
            told = {"expected_count": str(error.expected), "total_count": str(error.total)}
            return _refusal(StatusCode.FAILED_PRECONDITION, error, _error_info("COUNT_MISMATCH", told))
        case TooManyWatches():
            violation_of_quota = QuotaFailure.Violation(subject="WatchOutcomes", description=str(error))
            return _refusal(StatusCode.RESOURCE_EXHAUSTED, error, QuotaFailure(violations=[violation_of_quota]))
    raise TypeError(f"{type(error).__name__} has no status here") from error


def _error_info(reason: str, metadata: dict[str, str]) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _refusal(code: StatusCode, error: IntercomdError, detail: Message, *trailers: tuple[str, str]) -> Refusal:
    packed = Any()
    packed.Pack(detail)
    status = Status(code=code.value[0], message=str(error), details=[packed])
    return Refusal(code, str(error), (("grpc-status-details-bin", status.SerializeToString()), *trailers))
