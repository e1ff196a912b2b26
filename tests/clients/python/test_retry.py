"""Each error status has its advice."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from intercomd.retry import Advice, Details, advise, backoff_seconds, explain, read_details, retry_after_seconds

CODE = grpc.StatusCode


def status(*details: Message) -> bytes:
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return Status(code=14, message="full", details=packed).SerializeToString()


@pytest.mark.parametrize(
    ("code", "retry_after", "advice"),
    [
        (CODE.UNAVAILABLE, 1.0, Advice.REPEAT),
        (CODE.UNAVAILABLE, None, Advice.REPEAT),
        (CODE.DEADLINE_EXCEEDED, None, Advice.REPEAT),
        (CODE.CANCELLED, None, Advice.REPEAT),
        (CODE.INTERNAL, None, Advice.REPEAT),
        (CODE.UNKNOWN, None, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, 1.0, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, 0.0, Advice.REPEAT),
        (CODE.RESOURCE_EXHAUSTED, None, Advice.DIVIDE),
        (CODE.INVALID_ARGUMENT, None, Advice.DIVIDE),
        (CODE.INVALID_ARGUMENT, 1.0, Advice.DIVIDE),
        (CODE.UNAUTHENTICATED, None, Advice.STOP),
        (CODE.PERMISSION_DENIED, None, Advice.STOP),
        (CODE.UNIMPLEMENTED, None, Advice.STOP),
        (CODE.FAILED_PRECONDITION, None, Advice.STOP),
    ],
)
def test_each_status_has_its_advice(code: grpc.StatusCode, retry_after: float | None, advice: Advice) -> None:
    assert advise(code, "", Details(retry_after_seconds=retry_after)) is advice


@pytest.mark.parametrize(
    "text",
    [
        "Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 79)",
        "Trying to connect an http1.x server",
    ],
)
def test_http_server_is_named(text: str) -> None:
    assert advise(CODE.UNAVAILABLE, text, Details()) is Advice.STOP
    assert "answers HTTP/1" in explain(CODE.UNAVAILABLE, text, "127.0.0.1:8080")


def test_status_is_one_line() -> None:
    assert explain(CODE.UNKNOWN, " two\r\nlines", "127.0.0.1:50051") == "UNKNOWN: two lines"


@pytest.mark.parametrize("text", ["ipv4:127.0.0.1:50051: Socket closed", "recvmsg:Connection reset by peer"])
def test_plain_text_to_tls_is_named_until_a_call_succeeds(text: str) -> None:
    plain = explain(CODE.UNAVAILABLE, text, "127.0.0.1:50051", has_succeeded=False)
    assert "if it expects TLS, set `tls`" in plain
    secured = explain(CODE.UNAVAILABLE, text, "127.0.0.1:50051", has_tls=True, has_succeeded=False)
    assert "if it requires a client certificate, set `tls`" in secured
    assert "set" not in explain(CODE.UNAVAILABLE, text, "127.0.0.1:50051").replace("reset", "")


@pytest.mark.parametrize("pushback", ["60001", "9" * 8, "1000000000000", "9" * 6000])
def test_pushback_is_capped_at_a_minute(pushback: str) -> None:
    assert retry_after_seconds([("grpc-retry-pushback-ms", pushback)]) == 60.0


@pytest.mark.parametrize(
    ("info", "connection"),
    [
        (ErrorInfo(reason="CONNECTION_NOT_ALLOWED", metadata={"connection": "eu"}), "eu"),
        (ErrorInfo(reason="CONNECTION_NOT_ALLOWED", metadata={"other": "x", "connection": "eu"}), "eu"),
        (ErrorInfo(reason="CONNECTION_NOT_ALLOWED"), None),
        (ErrorInfo(reason="OPERATIONS_NOT_ALLOWED", metadata={"connection": "eu"}), None),
    ],
)
def test_forbidden_connection_is_read_from_its_error_info(info: ErrorInfo, connection: str | None) -> None:
    details = read_details([("grpc-status-details-bin", status(info))])
    assert details.forbidden_connection == connection
    advice = Advice.STOP if connection is None else Advice.REJECT_CONNECTION
    assert advise(CODE.PERMISSION_DENIED, "", details) is advice


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
        ((("grpc-status-details-bin", status(RetryInfo(retry_delay=Duration(seconds=-5)))),), 0.0),
        ((("grpc-status-details-bin", status(RetryInfo(retry_delay=Duration(seconds=2**63 - 1)))),), 60.0),
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
