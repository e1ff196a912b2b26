"""Responses have all findings, and stay within the size that clients receive."""

import pytest

from intercomd.v1 import ingest_pb2 as pb
from intercomd_daemon.envelope import Finding
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.limits import PREVIEW_BYTES_MAX, RESPONSE_BYTES_MAX
from intercomd_daemon.ingest.responses import PreviewedRequest, preview_response, publish_response, stream_response
from intercomd_daemon.spool.rows import LogUsage, Usage

USAGE = Usage({"default": LogUsage(normal=2, bulk=1, oldest_accept_time=90.0), "eu": LogUsage()}, 50, 200, "")


def accepted(**given: object) -> Decision:
    fields = {"envelope_id": "e-1", "connection": "default", "disposition": Disposition.ACCEPTED, "event_time": 1000}
    return Decision(**fields | given)


def test_result_has_disposition_findings_and_event_time() -> None:
    finding = Finding("VALUE_TRUNCATED", "user_attributes[0].value", "cut")
    response = publish_response([accepted(adjustments=(finding,), adjustments_omitted=2)], USAGE, 100.0)
    assert list(response.results) == [
        pb.EnvelopeResult(
            envelope_id="e-1",
            disposition=pb.DISPOSITION_ACCEPTED,
            adjustments=[{"reason": "VALUE_TRUNCATED", "field": "user_attributes[0].value", "message": "cut"}],
            event_time={"seconds": 1000},
            adjustments_omitted=2,
        )
    ]


@pytest.mark.parametrize("disposition", [Disposition.DUPLICATE, Disposition.SKIPPED, Disposition.REJECTED])
def test_result_of_an_envelope_not_accepted_has_no_event_time(disposition: Disposition) -> None:
    finding = Finding("IDENTITY_REQUIRED", "identity", "m")
    result = accepted(disposition=disposition, violations=(finding,))
    message = stream_response(7, [result], USAGE, 100.0)
    assert message.sequence == 7
    assert message.results[0].disposition == int(disposition)
    assert message.results[0].violations[0].reason == "IDENTITY_REQUIRED"
    assert not message.results[0].HasField("event_time")


def test_result_of_attributes_alone_has_no_event_time() -> None:
    assert not publish_response([accepted(event_time=None)], USAGE, 100.0).results[0].HasField("event_time")


def test_result_cuts_an_id_that_is_too_long() -> None:
    rejected = accepted(envelope_id="ü" * 5000, disposition=Disposition.REJECTED, accepted=None)
    assert publish_response([rejected], USAGE, 100.0).results[0].envelope_id == "ü" * 66


@pytest.mark.fills("ingest.limits.RESPONSE_BYTES_MAX")
def test_large_response_loses_adjustments_from_the_end_and_counts_them() -> None:
    findings = tuple(Finding("ATTRIBUTE_DROPPED", f"user_attributes[{index}]", "m" * 100) for index in range(200))
    response = publish_response([accepted(adjustments=findings)] * 100, USAGE, 100.0)
    assert response.ByteSize() <= RESPONSE_BYTES_MAX
    counts = [(len(result.adjustments), result.adjustments_omitted) for result in response.results]
    assert set(counts) == {(200, 0), (0, 200)}
    assert counts == sorted(counts, reverse=True)


def test_large_response_keeps_the_first_violation_of_each_envelope() -> None:
    findings = tuple(Finding("INVALID_ATTRIBUTE_VALUE", f"user_attributes[{index}]", "m" * 100) for index in range(100))
    rejected = accepted(disposition=Disposition.REJECTED, accepted=None, violations=findings, adjustments=findings[:1])
    single = accepted(disposition=Disposition.REJECTED, accepted=None, violations=findings[:1])
    response = publish_response([rejected] * 400 + [single], USAGE, 100.0)
    assert response.ByteSize() <= RESPONSE_BYTES_MAX
    assert len(response.results[0].violations) == 100
    assert len(response.results[399].violations) == 1
    assert response.results[399].violations[0].message.endswith("(and 99 further violations)")
    assert response.results[400].violations[0].message == "m" * 100


def test_largest_batch_fits_with_a_violation_each() -> None:
    finding = Finding(
        "INVALID_ATTRIBUTE_VALUE", "commerce_event.product_action.products[99].attributes[9].value", "m" * 400
    )
    rejected = accepted(envelope_id="x" * 128, disposition=Disposition.REJECTED, violations=(finding,) * 250)
    assert publish_response([rejected] * 500, USAGE, 100.0).ByteSize() <= RESPONSE_BYTES_MAX


def test_preview_has_the_requests() -> None:
    response = preview_response([(accepted(), [PreviewedRequest("POST", "/events", "{}")]), (accepted(), ())])
    assert list(response.previews[0].requests) == [pb.HttpRequest(method="POST", path="/events", json_body="{}")]
    assert [preview.result.envelope_id for preview in response.previews] == ["e-1", "e-1"]
    assert not response.previews[1].requests


@pytest.mark.fills("ingest.limits.PREVIEW_BYTES_MAX")
def test_preview_above_the_limit_is_refused() -> None:
    body = "x" * (PREVIEW_BYTES_MAX // 2)
    with pytest.raises(RequestRefused) as refused:
        preview_response([(accepted(), [PreviewedRequest("POST", "/events", body)])] * 2)
    assert refused.value.field == "envelopes"
