"""An OTLP receiver: the gRPC service that collectors serve, which keeps the spans that it gets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT_SECONDS = 60.0


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """The spans that came, and the names of the services that sent them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.endpoint = ""
        self._came = asyncio.Event()

    async def Export(self, request: Any, _context: Any) -> Any:  # noqa: ANN401, N802 - gRPC's name
        for resource in request.resource_spans:
            names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            self.services.add(names["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self._came.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        """Returns the spans of a name."""
        return [span for span in self.spans if span.name == name]

    async def until(self, holds: Callable[["Collector"], object]) -> None:
        """Waits until something holds; it is looked at again whenever spans come."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not holds(self):
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Serves a receiver on a port of its own."""
    receiver = Collector()
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield receiver
    await server.stop(None)


def attributes_of(span: Span) -> dict[str, Any]:
    """Returns the attributes of a span by name."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
