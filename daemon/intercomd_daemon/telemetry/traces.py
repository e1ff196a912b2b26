"""Spans of accepting, committing and calling Intercom, sent by OTLP. The only module that imports OpenTelemetry.

A span belongs to the trace of its caller: that of the request's metadata, or that of the envelopes. Where envelopes of
several traces share a request or a call, the span belongs to the first one's trace and links to the others'. Spans hold
names, numbers and statuses, nothing of a person.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from intercomd_daemon import trace_context
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.ingest.decision import AcceptTimes, Decision, Disposition

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span, SpanContext, SpanKind

LINKS_MAX = 128
"""Of one span: OpenTelemetry's own limit, which drops further ones."""
_NANOSECONDS = 1_000_000_000


class TracesUnavailable(IntercomdError):
    """OpenTelemetry is not installed, or cannot use one of its variables; the message names the fix."""


class Traces:
    """Makes spans and sends them in a thread of its own; call its methods on the event loop, none of them waits."""

    def __init__(
        self,
        endpoint: str,
        sample_ratio: float,
        environment: Mapping[str, str],
        version: str,
        channel_options: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Sends spans to an OTLP endpoint, with the variables of OpenTelemetry for everything else.

        Raises:
            TracesUnavailable: OpenTelemetry is not installed, or a variable has a value that it cannot use.
        """
        try:
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider, sampling  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise TracesUnavailable("traces need OpenTelemetry: pip install 'intercomd[otel]'") from error
        sampler: Sampler | None = sampling.ParentBased(sampling.TraceIdRatioBased(sample_ratio))
        if sample_ratio == 1.0 and environment.get("OTEL_TRACES_SAMPLER"):
            sampler = None  # the SDK reads the variable
        resource = Resource.create({"service.name": "intercomd"} | _service_of(environment))
        self._provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        options: Any = tuple(channel_options)  # annotated as pairs of texts
        try:
            processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, channel_options=options))
        except Exception as error:  # ValueError, or a class of its own that derives from Exception
            message = f"OpenTelemetry cannot use its variables ({error}): correct or unset those named OTEL_"
            raise TracesUnavailable(message) from error
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("intercomd", version)
        self._api = trace

    def on_decisions(self, results: Sequence[Decision], times: AcceptTimes, traceparent: str) -> None:
        """Makes the spans of an accepted request; `traceparent` is that of its metadata."""
        contexts = [traceparent] if traceparent else []
        contexts += [result.traceparent for result in results if result.traceparent]
        accepted = sum(result.disposition is Disposition.ACCEPTED for result in results)
        attributes = {"intercomd.envelopes": len(results), "intercomd.accepted": accepted}
        span = self._start("accept", self._api.SpanKind.SERVER, contexts, times.received, attributes)
        if times.committed:
            commit = self._tracer.start_span(
                "commit", self._api.set_span_in_context(span), start_time=_nanoseconds(times.decided)
            )
            commit.end(_nanoseconds(times.committed))
        span.end(_nanoseconds(times.committed or times.decided))

    def on_call(self, connection: str, call: str, status: int, seconds: float, traceparents: Iterable[str]) -> None:
        """Makes the span of a call to Intercom that has just ended; `call` is a method and a path template."""
        ended = time.time()
        method, _, path = call.partition(" ")
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.template": path,
            "intercomd.connection": connection,
        }
        if status:
            attributes["http.response.status_code"] = status
        span = self._start(call, self._api.SpanKind.CLIENT, traceparents, ended - seconds, attributes)
        if not status or status >= 400:
            span.set_status(self._api.StatusCode.ERROR, f"HTTP {status}" if status else "no answer")
        span.end(_nanoseconds(ended))

    def close(self) -> asyncio.Future[None]:
        """Sends the last spans in a thread that does not keep the process from ending; returns when it is done."""
        loop = asyncio.get_running_loop()
        closed: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            if not closed.done():
                closed.set_result(None)

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed, and nothing waits any more
                loop.call_soon_threadsafe(finish)

        Thread(target=shut_down, name="traces", daemon=True).start()
        return closed

    def _start(
        self,
        name: str,
        kind: "SpanKind",
        traceparents: Iterable[str],
        began: float,
        attributes: Mapping[str, str | int],
    ) -> "Span":
        parents = [context for context in map(self._context_of, dict.fromkeys(traceparents)) if context]
        parent = None
        if parents:
            parent = self._api.set_span_in_context(self._api.NonRecordingSpan(parents[0]))
        links = [self._api.Link(context) for context in parents[1 : LINKS_MAX + 1]]
        return self._tracer.start_span(
            name, parent, kind, attributes=attributes, links=links, start_time=_nanoseconds(began)
        )

    def _context_of(self, traceparent: str) -> "SpanContext | None":
        context = trace_context.parse(traceparent)
        if context is None:
            return None
        flags = self._api.TraceFlags(int(context.flags, 16))
        return self._api.SpanContext(
            int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags
        )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)


def _service_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the service's name if a variable sets it, which the SDK would not put above our default."""
    name = environment.get("OTEL_SERVICE_NAME", "")
    return {"service.name": name} if name else {}
