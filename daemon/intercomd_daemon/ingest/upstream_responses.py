"""Builds an agent's responses from its own decisions and the gateway's results for what it would accept."""

from collections.abc import Sequence

from msgspec.structs import replace

from intercomd.v1.ingest_pb2 import PreviewResponse, PublishResponse
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.responses import preview_response, publish_response
from intercomd_daemon.spool.rows import Usage

_LOCALLY = Finding(
    "VALIDATED_LOCALLY",
    "",
    "the gateway is away: only the fixed limits were checked, not what its settings decide; validate again later",
)


def sources_of(decisions: Sequence[Decision]) -> list[bytes]:
    """Returns the envelopes that the agent would accept, encoded as it would forward them."""
    return [each.accepted.source for each in decisions if each.accepted is not None]


def validation_response(
    decisions: Sequence[Decision], upstream: PublishResponse | None, usage: Usage, now: float
) -> PublishResponse:
    """Returns the response to `validate_only`; `upstream` has the gateway's results, None: it is away."""
    if upstream is None:
        decisions = [
            replace(each, adjustments=(*each.adjustments, _LOCALLY)) if each.accepted is not None else each
            for each in decisions
        ]
    response = publish_response(decisions, usage, now)
    if upstream is not None:
        for place, result in zip(_accepted(decisions), upstream.results, strict=False):
            response.results[place].CopyFrom(result)
    return response


def merge_previews(decisions: Sequence[Decision], upstream: PreviewResponse) -> PreviewResponse:
    """Returns the gateway's previews, and the agent's own results for what it would not accept."""
    response = preview_response((each, ()) for each in decisions)
    for place, preview in zip(_accepted(decisions), upstream.previews, strict=False):
        response.previews[place].CopyFrom(preview)
    return response


def _accepted(decisions: Sequence[Decision]) -> list[int]:
    return [place for place, each in enumerate(decisions) if each.accepted is not None]
