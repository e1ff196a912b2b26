"""Traces of a whole daemon, from a caller's span to the spans of the calls to Intercom."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from daemons.process import Daemon, Start
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.app.daemon import TRACES_SECONDS
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope
from senders.otlp import collector

SPAN_ID = "b7ad6b7169203331"


def trace(number: int) -> str:
    return f"00-{number:032x}-{SPAN_ID}-01"


async def test_spans_follow_an_envelope_from_its_caller_to_intercom(
    start: Start, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the call's metadata, by the envelope's own context, and after a restart that came between."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
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
        await receiver.until(lambda received: len(received.named("POST /events")) >= 3)
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


WITHOUT_OPENTELEMETRY = (
    sys.executable,
    "-c",
    "import sys; sys.modules['opentelemetry'] = None; from intercomd_daemon.__main__ import main; main()",
)
"""The command in an interpreter whose imports of OpenTelemetry fail, as without the extra."""


async def test_endpoint_without_opentelemetry_is_found_by_check_and_ends_run(tmp_path: Path, sandbox: Sandbox) -> None:
    fix = "pip install 'intercomd[otel]'"
    daemon = Daemon(tmp_path, sandbox.base_url, {"traces": {"endpoint": "http://127.0.0.1:1"}}, WITHOUT_OPENTELEMETRY)
    await daemon.launch()
    assert await daemon.gone() == 1
    (fatal,) = daemon.logged("fatal")
    assert fix in fatal["error"]
    process = await asyncio.create_subprocess_exec(
        *WITHOUT_OPENTELEMETRY,
        "check",
        "--config",
        tmp_path / "intercomd.toml",
        "--json",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    (wrong,) = [found for found in map(json.loads, output.splitlines()) if found["level"] == "wrong"]
    assert process.returncode == 78
    assert (wrong["subject"], fix in wrong["message"]) == ("traces", True)
    await daemon.close()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1000000")],
)
async def test_unusable_variable_ends_run_with_a_log_line(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    daemon = await Daemon(tmp_path, sandbox.base_url, {"traces": {"endpoint": "http://127.0.0.1:1"}}).launch()
    assert await daemon.gone() == 1
    assert "correct or unset those named OTEL_" in daemon.logged("fatal")[0]["error"]
    await daemon.close()
