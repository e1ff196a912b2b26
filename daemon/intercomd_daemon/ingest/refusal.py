"""The one map from errors to statuses: code, details and trailers of a request of which nothing was taken."""

from typing import NamedTuple

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.code_pb2 import INVALID_ARGUMENT, UNAVAILABLE
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import NotNow, RequestRefused

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 5.0
DETAILS = "grpc-status-details-bin"
"""Where gRPC's libraries of all languages look for a google.rpc.Status."""
PUSHBACK = "grpc-retry-pushback-ms"
"""By it gRPC's own retries wait as long as we ask for (gRFC A6)."""


class Refusal(NamedTuple):
    """What a call is ended with."""

    code: int
    """A number of google.rpc.Code."""
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def refusal_of(error: RequestRefused | NotNow) -> Refusal:
    """The status that tells the caller whose fault it is and what to do."""
    if isinstance(error, RequestRefused):
        bad_request = BadRequest()
        bad_request.field_violations.add(field=error.field, description=error.message)
        return _refusal(INVALID_ARGUMENT, error.message, bad_request)
    milliseconds = int(min(max(error.retry_seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX) * 1000)
    retry = RetryInfo()
    retry.retry_delay.FromMilliseconds(milliseconds)
    return _refusal(UNAVAILABLE, error.message, retry, (PUSHBACK, str(milliseconds)))


def _refusal(code: int, message: str, detail: Message, *trailers: tuple[str, str | bytes]) -> Refusal:
    packed = AnyMessage()
    packed.Pack(detail)
    status = Status(code=code, message=message, details=[packed])
    return Refusal(code, message, ((DETAILS, status.SerializeToString()), *trailers))
