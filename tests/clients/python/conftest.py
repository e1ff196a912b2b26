"""Two daemons: a gRPC server in this process that fails on request, and `intercomd run` in front of a sandbox."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import grpc
import pytest

from daemons.process import Daemon as DaemonProcess
from intercomd import Disposition, Envelope, EnvelopeResult, PublisherSettings
from intercomd.v1.ingest_pb2 import (
    PublishRequest,
    PublishResponse,
    Violation,
)
from intercomd.v1.ingest_pb2_grpc import IngestServiceServicer, add_IngestServiceServicer_to_server
from intercomd.v1.operations_pb2 import GetStatusRequest
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings

UNDECODABLE = "undecodable"


@dataclass(frozen=True)
class Refusal:
    """A status that the server returns instead of a response."""

    code: grpc.StatusCode
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    after_taking: bool = False  # as if the response was lost


@dataclass
class Daemon(IngestServiceServicer):
    """A server in this process that answers as the contract says; tests hold its responses back and order refusals."""

    envelopes_max: int = 500
    port: int = 0
    refusals: deque[Refusal] = field(default_factory=deque)
    requests: list[PublishRequest] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    accepted: dict[str, Envelope] = field(default_factory=dict)
    arrivals: asyncio.Queue[PublishRequest] = field(default_factory=asyncio.Queue)
    answering: asyncio.Event = field(default_factory=asyncio.Event)  # while it is not set, requests get no response
    results_left_out: int = 0

    async def start(self) -> None:
        """Starts the server, after a stop on the same port."""
        self.server = grpc.aio.server()
        add_IngestServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port(self.target)
        await self.server.start()

    def refuse_next(
        self, code: grpc.StatusCode, trailers: tuple[tuple[str, str | bytes], ...] = (), *, after_taking: bool = False
    ) -> None:
        """Orders a refusal of the next request; several orders apply to successive requests."""
        self.refusals.append(Refusal(code, trailers, after_taking))

    async def stop(self) -> None:
        """Stops the server and cuts every connection."""
        await self.server.stop(None)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def names(self) -> list[str]:
        """The names of the accepted events, in order."""
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
        await context.abort(refusal.code, "refused by the test")

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


@dataclass
class RunningDaemon:
    """`intercomd run` in a process of its own, which delivers to a sandbox."""

    process: DaemonProcess
    sandbox: Sandbox

    @property
    def target(self) -> str:
        return self.process.ingest_address

    async def delivered(self, count: int) -> list[str]:
        """Waits for the outcomes of `count` envelopes; returns the names of all events at Intercom, in their order.

        Fails if more envelopes arrived, or one arrived twice: at the daemon or at Intercom.
        """
        await self.process.until(lambda: self.process.outcomes.total() >= count)
        status = await self.process.operations.GetStatus(GetStatusRequest())
        assert status.spool.envelopes == 0
        async with aiohttp.ClientSession() as session:
            page = await session.get(f"http://{self.process.http_address}/metrics")
            lines = (await page.text()).splitlines()
        duplicates = [line for line in lines if 'disposition="duplicate"' in line.lower()]
        assert all(line.endswith(" 0.0") for line in duplicates), duplicates
        outcomes = await self.process.journal()
        assert {outcome.type for outcome in outcomes} == {OutcomeType.OUTCOME_TYPE_DELIVERED}
        assert len({outcome.envelope_id for outcome in outcomes}) == len(outcomes)
        assert self.sandbox.repeats == []
        return [event.name for event in self.sandbox.events]


@pytest.fixture
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    async with Sandbox(SandboxSettings(rate_limit=1_000_000)) as sandbox:
        folder: Path = tmp_path_factory.mktemp("daemon")
        process = DaemonProcess(folder, sandbox.base_url)
        yield RunningDaemon(await process.start(), sandbox)
        await process.close()
        assert sandbox.illegal_requests == []
