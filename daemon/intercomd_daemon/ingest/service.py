"""IngestService: decodes requests, passes their envelopes to the acceptor and responds, within bounds on open work."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from google.protobuf.message import Message
from grpc.aio import Server

from intercomd.envelope_id import new_envelope_id
from intercomd.v1.ingest_pb2 import (
    DESCRIPTOR,
    PreviewResponse,
    PublishResponse,
)
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import QuotaExceeded, RequestRefused, RetryLater
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decode import MakeId, decode_preview, decode_publish, decode_stream_publish
from intercomd_daemon.ingest.decoded import DecodedRequest
from intercomd_daemon.ingest.limits import OPEN_REQUESTS_BYTES_MAX, STREAMS_MAX
from intercomd_daemon.ingest.responses import PreviewedRequest, preview_response, publish_response, stream_response
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.stream import StreamSession, shutting_down
from intercomd_daemon.ingest.upstream_responses import merge_previews, sources_of, validation_response
from intercomd_daemon.rpc.authentication import Guard, MethodGate
from intercomd_daemon.rpc.handlers import Interceptor, Method, ServiceHandlers
from intercomd_daemon.rpc.refused_call import Context, Handler
from intercomd_daemon.spool.rows import Usage

_SERVICE = DESCRIPTOR.services_by_name["IngestService"]
SERVICE: Final = _SERVICE.full_name
METHODS: Final = frozenset(_SERVICE.methods_by_name)

MakePreview = Callable[[str, AcceptedEnvelope], Sequence[PreviewedRequest]]
"""Returns the calls to Intercom of an accepted envelope, by the name of its connection."""


class Upstream(Protocol):
    """The gateway of an agent, which knows the settings that decide on envelopes."""

    async def validate(self, envelopes: Sequence[bytes]) -> PublishResponse | None:
        """Returns the gateway's results for encoded envelopes; None if it is away.

        Raises:
            RequestRefused: the gateway refuses the request.
        """
        ...

    async def preview(self, envelopes: Sequence[bytes]) -> PreviewResponse:
        """Returns the gateway's previews of encoded envelopes.

        Raises:
            RequestRefused: the gateway refuses the request.
            RetryLater: it is away.
        """
        ...


OPEN_REQUESTS_RETRY_SECONDS = 1.0
"""Requests last for a commit: the shortest wait that the contract allows is enough."""
STREAMS_RETRY_SECONDS = 5.0
"""Streams last long: the longest wait that the contract allows."""


class IngestService:
    """Implements Publish, PublishStream and Preview.

    The server must receive more than `request_bytes_max`. Then this service, and not gRPC, refuses a larger request,
    with a message that names limit and fix.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        preview: MakePreview,
        usage: Callable[[], Usage],
        limits: IngestSettings,
        clock: Callable[[], float],
        interceptors: Sequence[Interceptor] = (),
        guard: Guard | None = None,
        upstream: Upstream | None = None,
    ) -> None:
        """`usage` is called for each response and must be cheap; the clock returns Unix seconds.

        `guard` knows the callers of the listener; `upstream` is set at an agent.
        """
        self._upstream = upstream
        self._guard = guard or Guard()
        self._acceptor = acceptor
        self._preview = preview
        self._usage = usage
        self._limits = limits
        self._clock = clock
        self._draining = False
        self._sessions: set[StreamSession] = set()
        self._open_bytes = 0
        self._handlers = ServiceHandlers(SERVICE, (*interceptors, self._within_quota), self._guard.on_call)
        self._handlers.unary(
            "Publish",
            self._publish,
            self._decoder_within_quota(decode_publish),
            partial(self._refuse_above_quota, "Publish"),
        )
        self._handlers.bidirectional_stream("PublishStream", self._publish_stream, self._decoder(decode_stream_publish))
        self._handlers.unary(
            "Preview",
            self._publish_preview,
            self._decoder_within_quota(decode_preview),
            partial(self._refuse_above_quota, "Preview"),
        )

    def add_to(self, server: Server | MethodGate) -> None:
        """Registers the service with a server that has not started yet."""
        self._handlers.add_to(server)

    def reconfigure(self, settings: IngestSettings) -> None:
        """Decodes requests within these limits from now on."""
        self._limits = settings

    def _refuse_above_quota(self, name: str) -> Handler | None:
        """Returns what refuses a call that arrives above its caller's quota, before its request is read."""
        refusing = self._guard.above_quota()
        if refusing is not None:
            self._guard.on_call(name, "RESOURCE_EXHAUSTED")
        return refusing

    def _within_quota(self, name: str, method: Method) -> Method:
        """Returns a unary method behind its caller's quota; a stream waits in its session instead."""
        if name == "PublishStream":
            return method

        def limited(
            request: DecodedRequest | RequestRefused | QuotaExceeded, context: Context
        ) -> Awaitable[Message | None]:
            if isinstance(request, QuotaExceeded):
                raise request
            self._guard.check_quota()
            # Envelopes count in Publish, Preview and validate_only; a request that was refused counts only its bytes.
            envelopes = 0 if isinstance(request, RequestRefused) else len(request.envelopes)
            self._guard.take(request.size_bytes, envelopes)
            return method(request, context)

        return limited

    def drain(self) -> None:
        """Refuses new requests from now on; requests that were received are still accepted."""
        self._draining = True
        for session in self._sessions:
            session.drain()

    async def wait_idle(self) -> None:
        """Waits until no call is open."""
        await self._handlers.wait_idle()

    def _decoder(
        self, decode: Callable[[bytes, IngestSettings, MakeId], DecodedRequest]
    ) -> Callable[[bytes], DecodedRequest]:
        return lambda data: decode(data, self._limits, new_envelope_id)

    def _decoder_within_quota(
        self, decode: Callable[[bytes, IngestSettings, MakeId], DecodedRequest]
    ) -> Callable[[bytes], DecodedRequest]:
        """Returns a decoder that first checks the quota: other requests may have used it up since this call arrived."""

        def decode_within_quota(data: bytes) -> DecodedRequest:
            self._guard.check_quota()
            return decode(data, self._limits, new_envelope_id)

        return decode_within_quota

    def _check_open(self) -> None:
        if self._draining:
            raise shutting_down()

    async def _publish(self, request: DecodedRequest) -> PublishResponse:
        self._check_open()
        self._reserve(request.size_bytes)
        try:
            if request.validate_only:
                results = await self._acceptor.check(request.envelopes, self._guard.caller)
                if self._upstream is not None:
                    validated = await self._upstream.validate(sources_of(results))
                    return validation_response(results, validated, self._usage(), self._clock())
            else:
                results = await self._acceptor.accept(
                    request.envelopes, request.size_bytes, self._guard.caller, request.forwarder
                )
        finally:
            self._release(request.size_bytes)
        return publish_response(results, self._usage(), self._clock())

    def _reserve(self, size_bytes: int) -> None:
        """Counts the bytes of an open request.

        Raises:
            RetryLater: it is above the limit, and not the only one.
        """
        if self._open_bytes and self._open_bytes + size_bytes > OPEN_REQUESTS_BYTES_MAX:
            text = f"{self._open_bytes} bytes of requests in progress, limit {OPEN_REQUESTS_BYTES_MAX}: retry later"
            raise RetryLater(text, OPEN_REQUESTS_RETRY_SECONDS)
        self._open_bytes += size_bytes

    def _release(self, size_bytes: int) -> None:
        self._open_bytes -= size_bytes

    async def _publish_stream(self, messages: AsyncIterator[DecodedRequest | RequestRefused], context: Context) -> None:
        async def respond(request: DecodedRequest, results: Sequence[Decision]) -> None:
            await context.write(stream_response(request.sequence, results, self._usage(), self._clock()))

        self._check_open()
        if len(self._sessions) >= STREAMS_MAX:
            text = f"{len(self._sessions)} streams are open, limit {STREAMS_MAX}: close one, or call Publish"
            raise RetryLater(text, STREAMS_RETRY_SECONDS)
        session = StreamSession(self._acceptor, respond, self._guard)
        self._sessions.add(session)
        try:
            with self._guard.revocable(session.end):
                await session.run(messages)
        finally:
            self._sessions.discard(session)

    async def _publish_preview(self, request: DecodedRequest) -> PreviewResponse:
        self._check_open()
        self._reserve(request.size_bytes)
        try:
            results = await self._acceptor.check(request.envelopes, self._guard.caller)
            if self._upstream is not None:
                return merge_previews(results, await self._upstream.preview(sources_of(results)))
        finally:
            self._release(request.size_bytes)
        return preview_response(
            (result, self._preview(result.connection, result.accepted) if result.accepted else ()) for result in results
        )
