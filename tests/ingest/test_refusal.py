"""Each error of ours is one status, with details that a program can read."""

import pytest
from google.rpc.code_pb2 import INVALID_ARGUMENT, UNAVAILABLE
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd_daemon.errors import Draining, NotNow, RequestRefused, SpoolFull
from intercomd_daemon.ingest.refusal import refusal_of


def test_a_wrong_request_is_the_callers_fault() -> None:
    code, message, trailers = refusal_of(RequestRefused("envelopes", "too many"))
    assert (code, message) == (INVALID_ARGUMENT, "too many")
    ((name, data),) = trailers
    status = Status.FromString(data)
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    assert (name, status.code, status.message) == ("grpc-status-details-bin", INVALID_ARGUMENT, "too many")
    assert [(each.field, each.description) for each in detail.field_violations] == [("envelopes", "too many")]


@pytest.mark.parametrize(
    ("error", "milliseconds"),
    [
        (NotNow("later", 2.5), 2500),
        (SpoolFull("full", 0.0), 1000),
        (Draining("stopping", 60.0), 5000),
    ],
)
def test_not_now_says_when_twice(error: NotNow, milliseconds: int) -> None:
    code, message, trailers = refusal_of(error)
    named = dict(trailers)
    detail = RetryInfo()
    status = Status.FromString(named["grpc-status-details-bin"])
    assert status.details[0].Unpack(detail)
    assert (code, message, status.code) == (UNAVAILABLE, error.message, UNAVAILABLE)
    assert detail.retry_delay.ToMilliseconds() == milliseconds
    assert named["grpc-retry-pushback-ms"] == str(milliseconds)
