"""Spans, as a real OTLP receiver gets them."""

import pytest

from intercomd_daemon.ingest.decision import AcceptTimes, Decision, Disposition
from intercomd_daemon.telemetry.traces import LINKS_MAX, Traces
from senders.otlp import Collector, attributes_of, collector

TIMES = AcceptTimes(1_750_000_000.0, 1_750_000_000.25, 1_750_000_000.5)
SECOND = 1_000_000_000
SPAN_ID = "b7ad6b7169203331"


def trace(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{SPAN_ID}-{flags}"


def decision(traceparent: str = "", disposition: Disposition = Disposition.ACCEPTED) -> Decision:
    return Decision("e", "default", disposition, traceparent=traceparent)


async def sent(receiver: Collector, *, sample_ratio: float = 1.0) -> Traces:
    return Traces(receiver.endpoint, sample_ratio, {}, "1.2.3", (("grpc.enable_http_proxy", 0),))


async def test_accepted_request_has_a_span_with_its_commit() -> None:
    """In the trace of the request's metadata; each envelope's own trace is linked."""
    async with collector() as receiver:
        traces = await sent(receiver)
        refused = Decision("r", "default", Disposition.REJECTED)
        traces.on_decisions([decision(trace(2)), decision(), decision(trace(3)), refused], TIMES, trace(1))
        await traces.close()
        (accept,), (commit,) = receiver.named("accept"), receiver.named("commit")
    assert receiver.services == {"intercomd"}
    assert accept.trace_id.hex() == commit.trace_id.hex() == f"{1:032x}"
    assert accept.parent_span_id.hex() == SPAN_ID
    assert commit.parent_span_id == accept.span_id
    assert [link.trace_id.hex() for link in accept.links] == [f"{2:032x}", f"{3:032x}"]
    assert attributes_of(accept) == {"intercomd.envelopes": 4, "intercomd.accepted": 3}
    times = (accept.start_time_unix_nano, commit.start_time_unix_nano, accept.end_time_unix_nano)
    assert times == tuple((1_750_000_000 + after) * SECOND for after in (0, 0.25, 0.5))


async def test_request_without_a_commit_has_one_span() -> None:
    async with collector() as receiver:
        traces = await sent(receiver)
        traces.on_decisions([Decision("r", "default", Disposition.REJECTED)], TIMES._replace(committed=0.0), "")
        await traces.close()
        assert [span.name for span in receiver.spans] == ["accept"]
        assert receiver.spans[0].parent_span_id == b""


@pytest.mark.parametrize(("status", "code"), [(200, 0), (202, 0), (404, 2), (500, 2), (0, 2)])
async def test_call_has_a_span_in_the_trace_of_its_envelope(status: int, code: int) -> None:
    async with collector() as receiver:
        traces = await sent(receiver)
        traces.on_call("eu", "PUT /contacts/{id}", status, 0.5, [trace(7), "", trace(8), trace(7)])
        await traces.close()
        (span,) = receiver.named("PUT /contacts/{id}")
    assert span.trace_id.hex() == f"{7:032x}"
    assert [link.trace_id.hex() for link in span.links] == [f"{8:032x}"]
    assert span.end_time_unix_nano - span.start_time_unix_nano == pytest.approx(SECOND / 2, abs=1000)
    assert span.status.code == code
    known = {"http.request.method": "PUT", "url.template": "/contacts/{id}", "intercomd.connection": "eu"}
    assert attributes_of(span) == known | ({"http.response.status_code": status} if status else {})


async def test_sampling_is_the_callers_decision() -> None:
    """A trace that is not sampled has no spans; ours are sampled by the ratio."""
    async with collector() as receiver:
        traces = await sent(receiver, sample_ratio=1e-9)
        traces.on_call("eu", "GET /me", 200, 0.1, [])
        traces.on_call("eu", "POST /events", 202, 0.1, [trace(1, "00")])
        traces.on_call("eu", "POST /events", 202, 0.1, [trace(2, "01")])
        await traces.close()
        assert [span.trace_id.hex() for span in receiver.spans] == [f"{2:032x}"]


@pytest.mark.fills("telemetry.traces.LINKS_MAX")
async def test_links_of_one_span_are_bounded() -> None:
    async with collector() as receiver:
        traces = await sent(receiver)
        traces.on_call("eu", "POST /events", 202, 0.1, [trace(number) for number in range(1, LINKS_MAX + 10)])
        await traces.close()
        assert len(receiver.spans[0].links) == LINKS_MAX


async def test_malformed_contexts_are_left_out() -> None:
    async with collector() as receiver:
        traces = await sent(receiver)
        traces.on_call("eu", "POST /events", 202, 0.1, ["nonsense", "00-" + "0" * 32 + f"-{SPAN_ID}-01", trace(9)])
        await traces.close()
        assert receiver.spans[0].trace_id.hex() == f"{9:032x}"
