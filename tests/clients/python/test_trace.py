"""Envelopes carry the trace context of the span in which they are published."""

import subprocess
import sys

from opentelemetry.sdk.trace import TracerProvider

from intercomd import Envelope
from intercomd.framing import frame, unframe

OWN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_envelope_carries_the_current_span() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("publish") as span:
        context = span.get_span_context()
        kept = unframe(frame(Envelope(envelope_id="a")))
    flags = int(context.trace_flags)
    assert kept.traceparent == f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"
    assert flags & 1, "the span is sampled"
    assert kept.envelope_id == "a"


def test_envelope_keeps_its_own_trace_context() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("publish"):
        assert unframe(frame(Envelope(traceparent=OWN))).traceparent == OWN


def test_envelope_without_a_span_has_no_trace_context() -> None:
    assert unframe(frame(Envelope(envelope_id="a"))).traceparent == ""


def test_client_does_not_import_opentelemetry() -> None:
    program = "import sys, intercomd.framing as f; f.frame(f.Envelope(envelope_id='a')); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert "intercomd.trace" in ended.stdout.split()
    assert "opentelemetry" not in ended.stdout.split()
