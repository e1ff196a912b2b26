"""A stand-in for the daemon: a real gRPC server that answers as the contract says, and fails when it is told to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import pytest

from intercomd import Disposition, Envelope, EnvelopeResult, PublisherSettings
from intercomd.v1.ingest_pb2 import (
    PublishRequest,
    PublishResponse,
    Violation,
)
from intercomd.v1.ingest_pb2_grpc import IngestServiceServicer, add_IngestServiceServicer_to_server

UNDECODABLE = "undecodable"


@dataclass(frozen=True)
class Refusal:
    """One status in place of an answer."""

    code: grpc.StatusCode
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    after_taking: bool = False  # as when the answer is lost on its way


@dataclass
class Daemon(IngestServiceServicer):
    envelopes_max: int = 500
    port: int = 0
    refusals: deque[Refusal] = field(default_factory=deque)
    requests: list[PublishRequest] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    accepted: dict[str, Envelope] = field(default_factory=dict)
    arrivals: asyncio.Queue[PublishRequest] = field(default_factory=asyncio.Queue)
    answering: asyncio.Event = field(default_factory=asyncio.Event)  # while it is not set, requests get no answer
    results_left_out: int = 0

    async def start(self) -> None:
        """Serves, after a stop on the same port as before."""
        self.server = grpc.aio.server()
        add_IngestServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port(self.target)
        await self.server.start()

    def refuse_next(
        self, code: grpc.StatusCode, trailers: tuple[tuple[str, str | bytes], ...] = (), *, after_taking: bool = False
    ) -> None:
        """The next request that has no such order yet gets a status in place of an answer."""
        self.refusals.append(Refusal(code, trailers, after_taking))

    async def stop(self) -> None:
        """Cuts every connection."""
        await self.server.stop(None)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def names(self) -> list[str]:
        """The names of the events that were accepted, in order."""
        return [envelope.custom_event.name for envelope in self.accepted.values()]

    async def Publish(  # noqa: N802 - the contract's name
        self, request: PublishRequest, context: grpc.aio.ServicerContext[PublishRequest, PublishResponse]
    ) -> PublishResponse:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.arrivals.put_nowait(request)
        await self.answering.wait()
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal and not refusal.after_taking:
            await self.refuse(refusal, context)
        names = {envelope.custom_event.name for envelope in request.envelopes}
        if not 0 < len(request.envelopes) <= self.envelopes_max or UNDECODABLE in names:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not decodable, or too large")
        results = [self.take(envelope, validate_only=request.validate_only) for envelope in request.envelopes]
        if refusal:
            await self.refuse(refusal, context)
        return PublishResponse(results=results[self.results_left_out :])

    async def refuse(
        self, refusal: Refusal, context: grpc.aio.ServicerContext[PublishRequest, PublishResponse]
    ) -> None:
        context.set_trailing_metadata(refusal.trailers)
        await context.abort(refusal.code, "as told")

    def take(self, envelope: Envelope, *, validate_only: bool) -> EnvelopeResult:
        result = EnvelopeResult(envelope_id=envelope.envelope_id, disposition=Disposition.DISPOSITION_ACCEPTED)
        if not envelope.identity.ByteSize():
            result.disposition = Disposition.DISPOSITION_REJECTED
            result.violations.append(Violation(reason="IDENTITY_REQUIRED", field="identity"))
        elif envelope.envelope_id in self.accepted:
            result.disposition = Disposition.DISPOSITION_DUPLICATE
        elif not validate_only:
            self.accepted[envelope.envelope_id] = envelope
        return result


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    daemon = Daemon()
    daemon.answering.set()
    await daemon.start()
    yield daemon
    daemon.answering.set()
    await daemon.stop()


@pytest.fixture
def quick() -> PublisherSettings:
    """Settings for a daemon that is near, and for tests that are short."""
    return PublisherSettings(backoff_seconds=0.001, backoff_seconds_max=0.05)
