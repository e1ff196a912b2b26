"""Errors of ours as gRPC statuses: the code, the words, and the google.rpc details that a program can read.

Pure: one error in, one refusal out. Which error arises where, it does not know.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

# The package brings stubs, but no py.typed.
from google.rpc.code_pb2 import FAILED_PRECONDITION, NOT_FOUND, RESOURCE_EXHAUSTED
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import IntercomdError, NotNow, RequestRefused
from intercomd_daemon.ingest import refusal as ingest_refusal
from intercomd_daemon.ingest.names import shown
from intercomd_daemon.ingest.refusal import DETAILS, Refusal

DOMAIN = "intercomd"
"""Whose reasons those of an ErrorInfo are."""


_NAME_CHARACTERS_MAX = 255
"""Of what a caller named, handed back in a detail."""


class UnknownConnection(IntercomdError):
    """No connection of the configuration has that name."""

    def __init__(self, connection: str) -> None:
        """`connection` is the name that was asked for."""
        super().__init__(f"no connection of the configuration is called {shown(connection)}; GetStatus lists them")
        # It comes from the caller, and an answer's trailers have 16 KiB at most, or the caller gets none of them.
        self.connection = connection[:_NAME_CHARACTERS_MAX]


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


def refusal_of(error: IntercomdError) -> Refusal:
    """The status of an error, always with details; what senders can meet too is the same as for them.

    Raises:
        TypeError: the error is none that a call of the operations service may end with.
    """
    match error:
        case RequestRefused() | NotNow():
            return ingest_refusal.refusal_of(error)
        case UnknownConnection():
            told = {"connection": error.connection}
            return _refusal(NOT_FOUND, error, ErrorInfo(reason="CONNECTION_NOT_FOUND", domain=DOMAIN, metadata=told))
        case CountMismatch():
            told = {"expected_count": str(error.expected), "total_count": str(error.total)}
            return _refusal(
                FAILED_PRECONDITION, error, ErrorInfo(reason="COUNT_MISMATCH", domain=DOMAIN, metadata=told)
            )
        case TooManyWatches():
            violation = QuotaFailure.Violation(subject="WatchOutcomes", description=str(error))
            return _refusal(RESOURCE_EXHAUSTED, error, QuotaFailure(violations=[violation]))
    raise TypeError(f"{type(error).__name__} has no status here") from error


def _refusal(code: int, error: IntercomdError, detail: Message) -> Refusal:
    packed = Any()
    packed.Pack(detail)
    status = Status(code=code, message=str(error), details=[packed])
    return Refusal(code, str(error), ((DETAILS, status.SerializeToString()),))
