"""An agent's answers to validate_only and Preview: its own decisions, and the gateway's results."""

from intercomd.v1.ingest_pb2 import DISPOSITION_REJECTED, DISPOSITION_SKIPPED, PreviewResponse, PublishResponse
from intercomd_daemon.envelope import AcceptedEnvelope, Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.upstream_responses import merge_previews, sources_of, validation_response
from intercomd_daemon.spool.rows import Usage

USAGE = Usage({}, 0, 100, "", "own")


def accepted(name: str) -> Decision:
    envelope = AcceptedEnvelope(name, "u-1", "", 1.0, (), (), "", name.encode())
    return Decision(name, "default", Disposition.ACCEPTED, accepted=envelope, event_time=5)


DECISIONS = [
    accepted("a"),
    Decision("b", "default", Disposition.REJECTED, (Finding("INVALID_EMAIL", "identity.email", "bad"),)),
    accepted("c"),
]


def test_agent_sends_the_envelopes_that_it_accepts() -> None:
    assert sources_of(DECISIONS) == [b"a", b"c"]


def test_gateways_results_replace_those_of_accepted_envelopes() -> None:
    upstream = PublishResponse()
    upstream.results.add(envelope_id="a", disposition=DISPOSITION_SKIPPED)
    upstream.results.add(envelope_id="c", disposition=DISPOSITION_REJECTED)
    response = validation_response(DECISIONS, upstream, USAGE, 9.0)
    assert [each.disposition for each in response.results] == [3, 4, 4]
    assert [each.envelope_id for each in response.results] == ["a", "b", "c"]
    assert response.spool.spool_id == "own"


def test_local_validation_says_so() -> None:
    response = validation_response(DECISIONS, None, USAGE, 9.0)
    assert [each.disposition for each in response.results] == [1, 4, 1]
    reasons = [[adjustment.reason for adjustment in each.adjustments] for each in response.results]
    assert reasons == [["VALIDATED_LOCALLY"], [], ["VALIDATED_LOCALLY"]]


def test_previews_of_the_gateway_replace_those_of_accepted_envelopes() -> None:
    upstream = PreviewResponse()
    for name in ("a", "c"):
        upstream.previews.add().requests.add(method="POST", path=f"/{name}")
    response = merge_previews(DECISIONS, upstream)
    assert [[request.path for request in each.requests] for each in response.previews] == [["/a"], [], ["/c"]]
    assert response.previews[1].result.violations[0].reason == "INVALID_EMAIL"
