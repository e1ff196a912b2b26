"""What a status asks of a publisher, row by row."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from intercomd.retry import Advice, advise, backoff_seconds, retry_after_seconds

CODE = grpc.StatusCode
LARGE, SMALL = 128 * 1024 + 1, 128 * 1024


def status(*details: Message) -> bytes:
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return Status(code=14, message="full", details=packed).SerializeToString()


@pytest.mark.parametrize(
    ("code", "retry_after", "request_bytes", "advice"),
    [
        (CODE.UNAVAILABLE, 1.0, SMALL, Advice.REPEAT),
        (CODE.UNAVAILABLE, None, LARGE, Advice.REPEAT),
        (CODE.DEADLINE_EXCEEDED, None, LARGE, Advice.REPEAT),
        (CODE.CANCELLED, None, LARGE, Advice.REPEAT),
        (CODE.INTERNAL, None, LARGE, Advice.REPEAT),
        (CODE.UNKNOWN, None, LARGE, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, 1.0, LARGE, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, None, SMALL, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, None, LARGE, Advice.DIVIDE),
        (CODE.INVALID_ARGUMENT, None, SMALL, Advice.DIVIDE),
        (CODE.INVALID_ARGUMENT, 1.0, LARGE, Advice.DIVIDE),
        (CODE.UNAUTHENTICATED, None, SMALL, Advice.STOP),
        (CODE.PERMISSION_DENIED, None, SMALL, Advice.STOP),
        (CODE.UNIMPLEMENTED, None, SMALL, Advice.STOP),
        (CODE.FAILED_PRECONDITION, None, SMALL, Advice.STOP),
    ],
)
def test_each_status_has_its_advice(
    code: grpc.StatusCode, retry_after: float | None, request_bytes: int, advice: Advice
) -> None:
    assert advise(code, retry_after, request_bytes) is advice


@pytest.mark.parametrize(
    ("trailers", "seconds"),
    [
        ((), None),
        ((("grpc-retry-pushback-ms", "1500"),), 1.5),
        ((("grpc-retry-pushback-ms", "0"),), 0.0),
        ((("grpc-retry-pushback-ms", "-1"),), None),
        ((("grpc-retry-pushback-ms", "soon"),), None),
        ((("grpc-status-details-bin", status(RetryInfo(retry_delay=Duration(seconds=2)))),), 2.0),
        ((("grpc-status-details-bin", status(QuotaFailure(), RetryInfo(retry_delay=Duration(seconds=3)))),), 3.0),
        ((("grpc-status-details-bin", status(QuotaFailure())),), None),
        ((("grpc-status-details-bin", status(RetryInfo())),), None),
        ((("grpc-status-details-bin", b"\xff\xff"),), None),
        (
            (
                ("grpc-status-details-bin", status(RetryInfo(retry_delay=Duration(seconds=2)))),
                ("grpc-retry-pushback-ms", "1000"),
            ),
            1.0,
        ),
    ],
)
def test_wait_is_the_pushback_else_the_retry_info(
    trailers: tuple[tuple[str, str | bytes], ...], seconds: float | None
) -> None:
    assert retry_after_seconds(trailers) == seconds


@given(details=st.binary(max_size=200))
def test_any_error_details_are_tolerated(details: bytes) -> None:
    retry_after_seconds([("grpc-status-details-bin", details)])


@pytest.mark.parametrize(
    ("failures", "share", "seconds"), [(1, 1.0, 0.5), (2, 1.0, 1.0), (3, 0.5, 1.0), (4, 1.0, 3.0), (10_000, 1.0, 3.0)]
)
@pytest.mark.fills("PublisherSettings.backoff_seconds_max")
def test_pauses_double_up_to_their_bound_with_jitter(failures: int, share: float, seconds: float) -> None:
    assert backoff_seconds(failures, 0.5, 3.0, share) == seconds
