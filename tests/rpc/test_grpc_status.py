"""Every IntercomdError has its status, with details that a program can read."""

import pytest
from google.rpc.code_pb2 import UNAVAILABLE
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

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
    SecondsTaken,
    ShuttingDown,
    SpoolChanged,
    SpoolFull,
    SpoolLocked,
    TooManyWatches,
    Unauthenticated,
)
from intercomd_daemon.rpc.grpc_status import status_of

CASES = [
    (RequestRefused("filter.email", "is blank"), StatusCode.INVALID_ARGUMENT, BadRequest),
    (RetryLater("starting", 1.0), StatusCode.UNAVAILABLE, RetryInfo),
    (SpoolFull("full", 5.0), StatusCode.UNAVAILABLE, RetryInfo),
    (ShuttingDown("stopping", 1.0), StatusCode.UNAVAILABLE, RetryInfo),
    (SecondsTaken([(1, 2)]), StatusCode.UNAVAILABLE, RetryInfo),
    (CommitUnknown("the database did not answer"), StatusCode.UNAVAILABLE, ErrorInfo),
    (ConnectionNotFound("ue"), StatusCode.NOT_FOUND, ErrorInfo),
    (EnvelopeNotWaiting("eu", "e-1"), StatusCode.NOT_FOUND, ErrorInfo),
    (CountMismatch(3, 4), StatusCode.FAILED_PRECONDITION, ErrorInfo),
    (ForwardingLoop("s-1"), StatusCode.FAILED_PRECONDITION, ErrorInfo),
    (SpoolChanged("s-2"), StatusCode.FAILED_PRECONDITION, ErrorInfo),
    (TooManyWatches("64 watches are open"), StatusCode.RESOURCE_EXHAUSTED, QuotaFailure),
    (QuotaExceeded("billing", "bytes_per_second", 1_000.0, 7.25), StatusCode.RESOURCE_EXHAUSTED, QuotaFailure),
    (Unauthenticated("CREDENTIALS_MISSING", "no token"), StatusCode.UNAUTHENTICATED, ErrorInfo),
    (ConnectionNotAllowed("eu", "billing"), StatusCode.PERMISSION_DENIED, ErrorInfo),
    (OperationsNotAllowed("GetStatus needs status"), StatusCode.PERMISSION_DENIED, ErrorInfo),
]


@pytest.mark.parametrize(("error", "code", "detail_type"), CASES)
def test_each_error_has_its_code_and_its_message_in_the_details(
    error: IntercomdError, code: StatusCode, detail_type: type
) -> None:
    ended = status_of(error)
    status = Status.FromString(dict(ended.trailers)["grpc-status-details-bin"])
    assert ended.code == code.value[0]
    assert (status.code, status.message) == (code.value[0], ended.message)
    assert status.details[0].Is(detail_type.DESCRIPTOR)


def test_unknown_commit_has_no_retry_delay() -> None:
    """RetryInfo and the pushback trailer would say that nothing was accepted."""
    ended = status_of(CommitUnknown("the database did not answer"))
    trailers = dict(ended.trailers)
    details = Status.FromString(trailers.pop("grpc-status-details-bin")).details
    assert trailers == {}
    assert not [detail for detail in details if detail.Is(RetryInfo.DESCRIPTOR)]


def test_request_refused_names_the_field() -> None:
    detail = BadRequest()
    _unpack(RequestRefused("filter.email", "is blank"), detail)
    assert [(each.field, each.description) for each in detail.field_violations] == [("filter.email", "is blank")]


def test_status_with_a_long_name_arrives() -> None:
    """Clients accept at most 16 KiB of trailers."""
    detail = ErrorInfo()
    trailers = _unpack(ConnectionNotFound("é" * 100_000), detail)
    assert detail.metadata["connection"] == "é" * 255
    assert len(trailers["grpc-status-details-bin"]) < 4096


def test_retry_delay_is_in_the_details_and_in_pushback() -> None:
    detail = RetryInfo()
    trailers = _unpack(SpoolFull("full", 1.5), detail)
    assert detail.retry_delay.ToMilliseconds() == 1500
    assert trailers["grpc-retry-pushback-ms"] == "1500"


def test_count_mismatch_names_both_counts() -> None:
    detail = ErrorInfo()
    _unpack(CountMismatch(3, 4), detail)
    assert (detail.reason, detail.domain) == ("COUNT_MISMATCH", "intercomd")
    assert dict(detail.metadata) == {"expected_count": "3", "total_count": "4"}


def test_envelope_that_does_not_wait_is_named_with_its_connection() -> None:
    detail = ErrorInfo()
    _unpack(EnvelopeNotWaiting("eu", "e-1"), detail)
    assert (detail.reason, detail.domain) == ("ENVELOPE_NOT_WAITING", "intercomd")
    assert dict(detail.metadata) == {"connection": "eu", "envelope_id": "e-1"}


def test_error_without_a_status_is_refused() -> None:
    with pytest.raises(TypeError):
        status_of(SpoolLocked("another daemon holds it"))


@pytest.mark.parametrize(
    ("error", "milliseconds"),
    [
        (RetryLater("later", 2.5), 2500),
        (SpoolFull("full", 0.0), 1000),
        (ShuttingDown("stopping", 60.0), 5000),
    ],
)
def test_retry_later_names_the_delay_within_its_bounds_twice(error: RetryLater, milliseconds: int) -> None:
    code, message, trailers = status_of(error)
    named = dict(trailers)
    detail = RetryInfo()
    status = Status.FromString(named["grpc-status-details-bin"])
    assert status.details[0].Unpack(detail)
    assert (code, message, status.code) == (UNAVAILABLE, error.message, UNAVAILABLE)
    assert detail.retry_delay.ToMilliseconds() == milliseconds
    assert named["grpc-retry-pushback-ms"] == str(milliseconds)


def _unpack(error: IntercomdError, detail: BadRequest | RetryInfo | ErrorInfo) -> dict[str, str | bytes]:
    trailers = dict(status_of(error).trailers)
    assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(detail)
    return trailers


@pytest.mark.parametrize(
    ("quota", "rate", "limit"),
    [
        ("envelopes_per_second", 50.0, "50 envelopes per second"),
        ("bytes_per_second", 10_240.0, "10240 bytes per second"),
    ],
)
def test_used_up_quota_is_named_with_its_limit_and_the_fix(quota: str, rate: float, limit: str) -> None:
    message = status_of(QuotaExceeded("billing", quota, rate, 0.94)).message
    assert message == (
        f"caller billing has used up its quota of {limit} (callers.billing.{quota}):"
        " retry after 0.9 s, or raise the quota"
    )
