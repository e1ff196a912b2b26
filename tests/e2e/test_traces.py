"""Traces of a whole daemon, from a caller's span to the spans of the calls to Intercom."""

import asyncio

import pytest

from daemons.process import Start
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.app.daemon import TRACES_SECONDS
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope
from senders.otlp import collector

SPAN_ID = "b7ad6b7169203331"


def trace(number: int) -> str:
    return f"00-{number:032x}-{SPAN_ID}-01"


async def test_spans_follow_an_envelope_from_its_caller_to_intercom(start: Start, sandbox: Sandbox) -> None:
    """By the call's metadata, by the envelope's own context, and after a restart that came between."""
    sandbox.workspace.add_contact("u1")
    async with collector() as receiver:
        daemon = await start(traces={"endpoint": receiver.endpoint})
        request = PublishRequest(envelopes=[envelope("u1", "One", envelope_id="one")])
        await daemon.ingest.Publish(request, metadata=(("traceparent", trace(1)),))
        await daemon.publish(envelope("u1", "Two", envelope_id="two", traceparent=trace(2)))
        await daemon.ended(["one", "two"])
        await sandbox.stop()
        await daemon.publish(envelope("u1", "Three", envelope_id="three", traceparent=trace(3)))
        await receiver.until(lambda received: len(received.named("accept")) == 3)
        await daemon.kill()
        await sandbox.start()
        await daemon.start()
        await daemon.ended(["three"])
        assert await daemon.stop() == 0
        accepted = {span.trace_id.hex() for span in receiver.named("accept")}
        called = {span.trace_id.hex() for span in receiver.named("POST /events")}
    assert called >= accepted
    assert accepted == {f"{number:032x}" for number in (1, 2, 3)}
    ids = [line["trace_id"] for line in daemon.lines if line["event"] == "outcome"]
    assert ids == [f"{number:032x}" for number in (1, 2, 3)]


@pytest.mark.fills("app.daemon.TRACES_SECONDS")
async def test_collector_that_is_away_delays_neither_calls_nor_a_stop(start: Start, sandbox: Sandbox) -> None:
    sandbox.workspace.add_contact("u1")
    async with collector() as receiver:
        endpoint = receiver.endpoint
    daemon = await start(traces={"endpoint": endpoint}, stopping={"linger": "0s"})
    await daemon.publish(envelope("u1", "One", envelope_id="one"))
    await daemon.ended(["one"])
    async with asyncio.timeout(10 * TRACES_SECONDS):
        assert await daemon.stop() == 0
