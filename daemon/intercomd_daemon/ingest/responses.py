"""Builds the responses: the result of each envelope and the status of the spool, within the limit of a response.

A response above the limit loses adjustments first, then all violations of an envelope but the first; both are counted.
"""

from collections.abc import Iterable, MutableSequence, Sequence
from typing import NamedTuple

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
from intercomd_daemon.spool.rows import Usage

_ACCEPTED = Disposition.ACCEPTED  # A member of an enum costs a call each time it is read from its class.
_OTHER_BYTES = 16 * 1024
"""Reserved in a response for everything but the results."""


class PreviewedRequest(NamedTuple):
    """A call to Intercom that would be made."""

    method: str
    path: str
    json_body: str


def publish_response(results: Sequence[Decision], usage: Usage, now: float) -> PublishResponse:
    """Returns the response to a `PublishRequest`; `now` is Unix seconds."""
    response = PublishResponse()
    fill_spool_status(response.spool, usage, now)
    for result in results:
        _fill(response.results.add(), result)
    _shorten(response.results, response.ByteSize())
    return response


def stream_response(sequence: int, results: Sequence[Decision], usage: Usage, now: float) -> PublishStreamResponse:
    """Returns the response to one message of a stream; `now` is Unix seconds."""
    response = PublishStreamResponse(sequence=sequence)
    fill_spool_status(response.spool, usage, now)
    for result in results:
        _fill(response.results.add(), result)
    _shorten(response.results, response.ByteSize())
    return response


def preview_response(previews: Iterable[tuple[Decision, Sequence[PreviewedRequest]]]) -> PreviewResponse:
    """Returns the decision and the requests of each envelope.

    Raises:
        RequestRefused: the response would be larger than what clients receive by default.
    """
    response = PreviewResponse()
    size = 0
    for result, requests in previews:
        preview = EnvelopePreview()
        _fill(preview.result, result)
        for each in requests:
            preview.requests.append(HttpRequest(method=each.method, path=each.path, json_body=each.json_body))
        size += preview.ByteSize()
        if size > PREVIEW_BYTES_MAX:
            text = f"response of {size} bytes or more, limit {PREVIEW_BYTES_MAX}: preview fewer envelopes at once"
            raise RequestRefused("envelopes", text)
        response.previews.append(preview)
    return response


def _fill(message: EnvelopeResult, result: Decision) -> None:
    message.envelope_id = _short_id(result.envelope_id)
    message.disposition = result.disposition  # type: ignore[assignment]  # the numbers are the contract's
    for violation in result.violations:
        message.violations.add(reason=violation.reason, field=violation.field, message=violation.message)
    for adjustment in result.adjustments:
        message.adjustments.add(reason=adjustment.reason, field=adjustment.field, message=adjustment.message)
    if result.adjustments_omitted:
        message.adjustments_omitted = result.adjustments_omitted
    if result.event_time is not None and result.disposition is _ACCEPTED:
        message.event_time.seconds = result.event_time


def _short_id(envelope_id: str) -> str:
    """Returns the id, or the beginning of an id that is too long, for which the envelope was rejected."""
    if len(envelope_id) <= GIVEN_ID_BYTES_MAX:
        return envelope_id
    return envelope_id.encode()[:GIVEN_ID_BYTES_MAX].decode(errors="ignore")


def _shorten(results: MutableSequence[EnvelopeResult], size: int) -> None:
    """Removes findings, from the last envelope on, until the response is within its limit."""
    if size <= RESPONSE_BYTES_MAX - _OTHER_BYTES:
        return
    for remove in (_remove_adjustments, _remove_further_violations):
        for result in reversed(results):
            if size > RESPONSE_BYTES_MAX - _OTHER_BYTES:
                before = result.ByteSize()
                remove(result)
                size -= before - result.ByteSize()


def _remove_adjustments(result: EnvelopeResult) -> None:
    result.adjustments_omitted += len(result.adjustments)
    result.ClearField("adjustments")


def _remove_further_violations(result: EnvelopeResult) -> None:
    further = len(result.violations) - 1
    if further > 0:
        del result.violations[1:]
        result.violations[0].message += f" (and {further} further violations)"
