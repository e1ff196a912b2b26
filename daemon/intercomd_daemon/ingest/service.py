"""IngestService: decodes requests, has the acceptor take their envelopes, and answers, within bounds on open work."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from grpc.aio import Server

from intercomd.envelope_id import new_envelope_id
from intercomd.v1.ingest_pb2 import (
    DESCRIPTOR,
    PreviewResponse,
    PublishResponse,
)
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import RequestRefused, RetryLater
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.answer import PreviewedRequest, preview_response, publish_response, stream_response
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decode import MakeId, decode_preview, decode_publish, decode_stream_publish
from intercomd_daemon.ingest.decoded import Request
from intercomd_daemon.ingest.limits import HELD_BYTES_MAX, STREAMS_MAX
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.stream import StreamSession, shutting_down
from intercomd_daemon.rpc.handlers import Context, Interceptor, ServiceHandlers
from intercomd_daemon.spool.base import Usage

SERVICE: Final = DESCRIPTOR.services_by_name["IngestService"].full_name

Preview = Callable[[str, AcceptedEnvelope], Sequence[PreviewedRequest]]
"""From a connection's name and an accepted envelope to the requests that it would become."""
HELD_RETRY_SECONDS = 1.0
"""A matter of a commit."""
STREAMS_RETRY_SECONDS = 5.0
"""Streams last: the longest wait that the contract allows."""


class IngestService:
    """Answers Publish, PublishStream and Preview.

    The server that it is added to must receive more than `request_bytes_max`, so that a request above it is answered
    by the service, with the remedy.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        preview: Preview,
        usage: Callable[[], Usage],
        limits: IngestSettings,
        clock: Callable[[], float],
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        """`usage` costs nothing and is asked for each answer; the clock tells Unix seconds."""
        self._acceptor = acceptor
        self._preview = preview
        self._usage = usage
        self._limits = limits
        self._clock = clock
        self._draining = False
        self._sessions: set[StreamSession] = set()
        self._held_bytes = 0
        self._handlers = ServiceHandlers(SERVICE, interceptors)
        self._handlers.unary("Publish", self._publish, self._decoder(decode_publish))
        self._handlers.bidirectional_stream("PublishStream", self._publish_stream, self._decoder(decode_stream_publish))
        self._handlers.unary("Preview", self._answer_preview, self._decoder(decode_preview))

    def add_to(self, server: Server) -> None:
        """Lets the server answer calls of `intercomd.v1.IngestService`."""
        self._handlers.add_to(server)

    def drain(self) -> None:
        """From now on refuses new requests; what has been read is still taken and answered."""
        self._draining = True
        for session in self._sessions:
            session.drain()

    async def wait_idle(self) -> None:
        """Waits until no call is open."""
        await self._handlers.wait_idle()

    def _decoder(self, decode: Callable[[bytes, IngestSettings, MakeId], Request]) -> Callable[[bytes], Request]:
        return lambda data: decode(data, self._limits, new_envelope_id)

    def _check_open(self) -> None:
        if self._draining:
            raise shutting_down()

    async def _publish(self, request: Request) -> PublishResponse:
        self._check_open()
        with self._hold(request.size_bytes):
            if request.validate_only:
                results = await self._acceptor.look(request.envelopes)
            else:
                results = await self._acceptor.accept(request.envelopes, request.size_bytes)
        return publish_response(results, self._usage(), self._clock())

    @contextmanager
    def _hold(self, size_bytes: int) -> Iterator[None]:
        """Bounds the bytes of the requests that are under way; one alone is never too large."""
        if self._held_bytes and self._held_bytes + size_bytes > HELD_BYTES_MAX:
            raise RetryLater(f"requests of {self._held_bytes} bytes are under way already", HELD_RETRY_SECONDS)
        self._held_bytes += size_bytes
        try:
            yield
        finally:
            self._held_bytes -= size_bytes

    async def _publish_stream(self, messages: AsyncIterator[Request | RequestRefused], context: Context) -> None:
        async def answer(request: Request, results: Sequence[Decision]) -> None:
            await context.write(stream_response(request.sequence, results, self._usage(), self._clock()))

        self._check_open()
        if len(self._sessions) >= STREAMS_MAX:
            raise RetryLater(f"{STREAMS_MAX} streams are open: close one, or call Publish", STREAMS_RETRY_SECONDS)
        session = StreamSession(self._acceptor, answer)
        self._sessions.add(session)
        try:
            await session.hold(messages)
        finally:
            self._sessions.discard(session)

    async def _answer_preview(self, request: Request) -> PreviewResponse:
        self._check_open()
        with self._hold(request.size_bytes):
            results = await self._acceptor.look(request.envelopes)
        return preview_response(
            (result, self._preview(result.connection, result.accepted) if result.accepted else ()) for result in results
        )
