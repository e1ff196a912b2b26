"""Nouns to answers: what became of each envelope and how full the spool is, as protobuf, within the answer's limit.

Adjustments give way first, then all violations but the first of an envelope; what gave way is counted.
"""

from collections.abc import Iterable, MutableSequence, Sequence

from intercomd.v1.ingest_pb2 import (
    EnvelopePreview,
    EnvelopeResult,
    HttpRequest,
    PreviewResponse,
    PublishResponse,
    PublishStreamResponse,
)
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.limits import PREVIEW_BYTES_MAX, RESPONSE_BYTES_MAX
from intercomd_daemon.rpc.spool_status import fill_spool_status
from intercomd_daemon.spool.base import Usage

PreviewedRequest = tuple[str, str, str]
"""Method, path, JSON body."""

_FRAME_BYTES = 16 * 1024
"""Kept free in an answer for what is not a result, and for the lengths that frame each."""


def publish_response(results: Sequence[Decision], usage: Usage, now: float) -> PublishResponse:
    """The answer to a batch."""
    response = PublishResponse()
    fill_spool_status(response.spool, usage, now)
    for result in results:
        _fill(response.results.add(), result)
    _shorten(response.results, response.ByteSize())
    return response


def stream_response(sequence: int, results: Sequence[Decision], usage: Usage, now: float) -> PublishStreamResponse:
    """The answer to one message of a stream."""
    response = PublishStreamResponse(sequence=sequence)
    fill_spool_status(response.spool, usage, now)
    for result in results:
        _fill(response.results.add(), result)
    _shorten(response.results, response.ByteSize())
    return response


def preview_response(previews: Iterable[tuple[Decision, Sequence[PreviewedRequest]]]) -> PreviewResponse:
    """What the envelopes would become.

    Raises:
        RequestRefused: the answer would not arrive, being larger than what clients receive.
    """
    response = PreviewResponse()
    size = 0
    for result, requests in previews:
        preview = EnvelopePreview()
        _fill(preview.result, result)
        for method, path, body in requests:
            preview.requests.append(HttpRequest(method=method, path=path, json_body=body))
        size += preview.ByteSize()
        if size > PREVIEW_BYTES_MAX:
            text = f"the answer would pass {PREVIEW_BYTES_MAX} bytes: preview fewer envelopes at once"
            raise RequestRefused("envelopes", text)
        response.previews.append(preview)
    return response


def _fill(message: EnvelopeResult, result: Decision) -> None:
    message.envelope_id = _short_id(result.envelope_id)
    message.disposition = int(result.disposition)  # type: ignore[assignment]  # the numbers are the contract's
    for violation in result.violations:
        message.violations.add(reason=violation.reason, field=violation.field, message=violation.message)
    for adjustment in result.adjustments:
        message.adjustments.add(reason=adjustment.reason, field=adjustment.field, message=adjustment.message)
    if result.adjustments_omitted:
        message.adjustments_omitted = result.adjustments_omitted
    if result.disposition is Disposition.ACCEPTED and result.accepted is not None and result.accepted.events:
        message.event_time.seconds = result.accepted.events[0].created_at


def _short_id(envelope_id: str) -> str:
    """The id; of one that is too long, and was refused for it, the beginning."""
    if len(envelope_id) <= GIVEN_ID_BYTES_MAX:
        return envelope_id
    return envelope_id.encode()[:GIVEN_ID_BYTES_MAX].decode(errors="ignore")


def _shorten(results: MutableSequence[EnvelopeResult], size: int) -> None:
    """Takes findings out, from the last envelope on, until the answer is within its limit."""
    if size <= RESPONSE_BYTES_MAX - _FRAME_BYTES:
        return
    for lighten in (_without_adjustments, _without_further_violations):
        for result in reversed(results):
            if size > RESPONSE_BYTES_MAX - _FRAME_BYTES:
                before = result.ByteSize()
                lighten(result)
                size -= before - result.ByteSize()


def _without_adjustments(result: EnvelopeResult) -> None:
    result.adjustments_omitted += len(result.adjustments)
    result.ClearField("adjustments")


def _without_further_violations(result: EnvelopeResult) -> None:
    further = len(result.violations) - 1
    if further > 0:
        del result.violations[1:]
        result.violations[0].message += f" (and {further} further violations)"
