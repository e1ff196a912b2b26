"""IngestService over a real channel: unary calls."""

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from ingest.acceptance import GatedSpool, RecordingReport
from ingest.server import LIMITS, NOW, RULES, TIMEOUT_SECONDS, Served, envelope, preview, refused
from intercomd.v1 import ingest_pb2 as messages
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.limits import OPEN_REQUESTS_BYTES_MAX
from intercomd_daemon.ingest.service import SERVICE, IngestService
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import unpack


async def test_publish_appends_to_the_spool_and_returns_results(
    served: Served, spool: MemorySpool, report: RecordingReport
) -> None:
    request = messages.PublishRequest(
        request_id="r", envelopes=[envelope("a"), envelope(), envelope("c", identity=None), envelope("a")]
    )
    response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert [(result.envelope_id, result.disposition) for result in response.results] == [
        ("a", messages.DISPOSITION_ACCEPTED),
        ("r/1", messages.DISPOSITION_ACCEPTED),
        ("c", messages.DISPOSITION_REJECTED),
        ("a", messages.DISPOSITION_DUPLICATE),
    ]
    assert response.results[0].event_time.seconds == int(NOW) - 50
    assert response.spool.envelopes == 2
    assert 0 < response.spool.fill_ratio < 1
    assert response.spool.oldest_age.ToMilliseconds() == 0
    batch = await spool.read("default", Priority.NORMAL, 0, 10, 1 << 20)
    first = unpack(batch.rows[0].data, AcceptedEnvelope)
    assert first.source == request.envelopes[0].SerializeToString()
    assert len(report.batches) == 1


async def test_publish_recognises_a_repeated_request_id(served: Served) -> None:
    request = messages.PublishRequest(request_id="r", envelopes=[envelope(), envelope()])
    await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    again = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert {result.disposition for result in again.results} == {messages.DISPOSITION_DUPLICATE}


async def test_publish_makes_an_id_where_none_is_given(served: Served) -> None:
    request = messages.PublishRequest(envelopes=[envelope()])
    responses = [await served.stub.Publish(request, timeout=TIMEOUT_SECONDS) for _ in range(2)]
    names = [response.results[0].envelope_id for response in responses]
    assert names[0] < names[1]
    assert [len(name) for name in names] == [36, 36]
    assert {response.results[0].disposition for response in responses} == {messages.DISPOSITION_ACCEPTED}


@pytest.mark.parametrize("method", ["Publish", "Preview"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff",
        b"\x12\x03\x0a\x01\xff",
        b"\x0a\x03\x0a\x01\xff",
        b"\x12\x00" * 501 + b"\x0a\x00" * 501,
        bytes(4 * 1024 * 1024 + 1),
    ],
    ids=[
        "empty",
        "malformed",
        "not UTF-8 in the envelope",
        "not UTF-8 in the request",
        "501 envelopes",
        "too many bytes",
    ],
)
async def test_malformed_request_is_invalid_argument(served: Served, method: str, data: bytes) -> None:
    detail = BadRequest()
    await refused(served.raw(method, data), grpc.StatusCode.INVALID_ARGUMENT, detail)
    assert detail.field_violations[0].description


async def test_full_spool_refuses_publish_and_still_validates(report: RecordingReport) -> None:
    async with Served(GatedSpool(rows_max=0), report) as served:
        request = messages.PublishRequest(envelopes=[envelope("a")])
        detail = RetryInfo()
        error = await refused(served.stub.Publish(request), grpc.StatusCode.UNAVAILABLE, detail)
        assert detail.retry_delay.seconds == 2
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "2000"
        request.validate_only = True
        response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
        assert response.results[0].disposition == messages.DISPOSITION_ACCEPTED
        previewed = await served.stub.Preview(messages.PreviewRequest(envelopes=[envelope()]), timeout=TIMEOUT_SECONDS)
        assert previewed.previews[0].result.disposition == messages.DISPOSITION_ACCEPTED


async def test_validate_only_writes_nothing(served: Served, report: RecordingReport) -> None:
    request = messages.PublishRequest(envelopes=[envelope("a"), envelope("a")], validate_only=True)
    response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert [result.disposition for result in response.results] == [messages.DISPOSITION_ACCEPTED] * 2
    assert response.spool.envelopes == 0
    assert report.batches == []


async def test_preview_returns_the_requests_of_accepted_envelopes(served: Served) -> None:
    request = messages.PreviewRequest(envelopes=[envelope(), envelope(identity=None)])
    response = await served.stub.Preview(request, timeout=TIMEOUT_SECONDS)
    assert [list(preview.requests) for preview in response.previews] == [
        [messages.HttpRequest(method="POST", path="/events", json_body='{"default":"Order placed"}')],
        [],
    ]


async def test_draining_service_refuses_new_requests(served: Served) -> None:
    served.service.drain()
    publish = messages.PublishRequest(envelopes=[envelope()])
    preview_request = messages.PreviewRequest(envelopes=[envelope()])
    await refused(served.stub.Publish(publish), grpc.StatusCode.UNAVAILABLE, RetryInfo())
    await refused(served.stub.Preview(preview_request), grpc.StatusCode.UNAVAILABLE, RetryInfo())
    await refused(served.stub.PublishStream(iter(())).read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())


def test_service_has_the_name_in_the_proto() -> None:
    assert SERVICE == "intercomd.v1.IngestService"


@pytest.mark.fills("ingest.limits.OPEN_REQUESTS_BYTES_MAX")
def test_open_requests_are_bounded_in_bytes(spool: MemorySpool, report: RecordingReport) -> None:
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)
    service = IngestService(acceptor, preview, spool.usage, LIMITS, lambda: NOW)
    service._reserve(OPEN_REQUESTS_BYTES_MAX + 1)  # One alone is never too large.
    service._release(OPEN_REQUESTS_BYTES_MAX + 1)
    service._reserve(OPEN_REQUESTS_BYTES_MAX - 10)
    service._reserve(10)
    with pytest.raises(RetryLater) as refused:
        service._reserve(1)
    assert refused.value.retry_seconds == 1.0
    service._release(OPEN_REQUESTS_BYTES_MAX)
    service._reserve(OPEN_REQUESTS_BYTES_MAX)
