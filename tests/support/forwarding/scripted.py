"""A gateway over real gRPC whose answers a test scripts; it records every request."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    PreviewRequest,
    PreviewResponse,
    PublishRequest,
    PublishResponse,
)
from intercomd.v1.ingest_pb2_grpc import IngestServiceServicer, add_IngestServiceServicer_to_server
from intercomd_daemon.passed_agents import HEADER


class Refusal(Exception):
    """Ends a call with a status."""

    def __init__(
        self, code: grpc.StatusCode, message: str = "", trailers: tuple[tuple[str, str | bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailers = trailers


Answer = Callable[[PublishRequest], PublishResponse] | Refusal | asyncio.Event
"""Returns the response to a request, ends the call, or holds it until the event."""


def info(code: grpc.StatusCode, reason: str, **metadata: str) -> Refusal:
    """A refusal with an ErrorInfo."""
    status = Status(code=code.value[0], message="refused")
    status.details.add().Pack(ErrorInfo(reason=reason, domain="intercomd", metadata=metadata))
    return Refusal(code, "refused", (("grpc-status-details-bin", status.SerializeToString()),))


def accept(
    request: PublishRequest, disposition: int = DISPOSITION_ACCEPTED, spool_id: str = "spool-1"
) -> PublishResponse:
    """Returns a response that gives all envelopes this disposition."""
    response = PublishResponse()
    response.spool.spool_id = spool_id
    for envelope in request.envelopes:
        response.results.add(envelope_id=envelope.envelope_id, disposition=disposition)  # type: ignore[arg-type]
    return response


class ScriptedGateway(IngestServiceServicer):
    """Answers `Publish` with the next of `script`, and by accepting all once it is used up; probes are accepted."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.probes: list[Answer] = []
        self.requests: list[PublishRequest] = []
        self.tokens: list[str] = []
        self.passed: list[str] = []
        """The `intercomd-agents` of each call."""
        self.address = ""
        self._server = grpc.aio.server()
        add_IngestServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def Publish(self, request: PublishRequest, context: Any) -> PublishResponse:  # noqa: N802, ANN401 - gRPC's
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        self.passed.append(dict(context.invocation_metadata()).get(HEADER, ""))
        script = self.probes if request.validate_only else self.script
        if not request.validate_only:
            self.requests.append(request)
        return await self._answer(script.pop(0) if script else accept, request, context)

    async def Preview(self, request: PreviewRequest, context: Any) -> PreviewResponse:  # noqa: N802, ANN401 - gRPC's
        self.passed.append(dict(context.invocation_metadata()).get(HEADER, ""))
        script = self.probes
        if script:
            await self._answer(script.pop(0), PublishRequest(), context)
        response = PreviewResponse()
        for envelope in request.envelopes:
            response.previews.add().result.envelope_id = envelope.envelope_id
        return response

    async def _answer(self, answer: Answer, request: PublishRequest, context: Any) -> PublishResponse:  # noqa: ANN401
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return accept(request)
        if not isinstance(answer, Refusal):
            return answer(request)
        await context.abort(answer.code, answer.message, answer.trailers)
        raise AssertionError

    def names(self) -> list[list[str]]:
        """The ids of the envelopes of each request."""
        return [[envelope.envelope_id for envelope in request.envelopes] for request in self.requests]
