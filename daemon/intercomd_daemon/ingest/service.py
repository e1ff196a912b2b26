"""IngestService on grpc.aio: decode, accept, reply.

The deserializer is our own, so that bytes that are no request are answered as the caller's fault. Which envelopes are
accepted, and as what, it does not know.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc

from intercomd.envelope_id import new_envelope_id
from intercomd.v1.ingest_pb2 import (
    DESCRIPTOR,
    PreviewResponse,
    PublishResponse,
    PublishStreamResponse,
)
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import NotNow, RequestRefused
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.answer import PreviewedRequest, preview_response, publish_response, stream_response
from intercomd_daemon.ingest.decode import MakeId, decode_preview, decode_publish, decode_stream_publish
from intercomd_daemon.ingest.examined import Examined
from intercomd_daemon.ingest.limits import HELD_BYTES_MAX, STREAMS_MAX, RequestLimits
from intercomd_daemon.ingest.refusal import refusal_of
from intercomd_daemon.ingest.sent import Request
from intercomd_daemon.ingest.stream import Conversation, draining
from intercomd_daemon.spool.base import Usage

SERVICE: str = DESCRIPTOR.services_by_name["IngestService"].full_name

Preview = Callable[[str, AcceptedEnvelope], Sequence[PreviewedRequest]]
"""From a connection's name and an accepted envelope to the requests that it would become."""
HELD_RETRY_SECONDS = 1.0
"""A matter of a commit."""
STREAMS_RETRY_SECONDS = 5.0
"""Streams last: the longest wait that the contract allows."""
_Received = Request | RequestRefused
_Context = grpc.aio.ServicerContext[Any, Any]
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


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
        limits: RequestLimits,
        clock: Callable[[], float],
    ) -> None:
        """`usage` costs nothing and is asked for each answer; the clock tells Unix seconds."""
        self._acceptor = acceptor
        self._preview = preview
        self._usage = usage
        self._limits = limits
        self._clock = clock
        self._draining = False
        self._conversations: set[Conversation] = set()
        self._open_calls = 0
        self._answered = asyncio.Event()
        self._answered.set()
        self._held_bytes = 0

    def add_to(self, server: grpc.aio.Server) -> None:
        """Lets the server answer calls of `intercomd.v1.IngestService`."""
        handlers = {
            "Publish": grpc.unary_unary_rpc_method_handler(
                self._counted(self._publish),
                request_deserializer=self._deserializer(decode_publish),
                response_serializer=PublishResponse.SerializeToString,
            ),
            "PublishStream": grpc.stream_stream_rpc_method_handler(
                self._counted(self._publish_stream),
                request_deserializer=self._deserializer(decode_stream_publish),
                response_serializer=PublishStreamResponse.SerializeToString,
            ),
            "Preview": grpc.unary_unary_rpc_method_handler(
                self._counted(self._answer_preview),
                request_deserializer=self._deserializer(decode_preview),
                response_serializer=PreviewResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def drain(self) -> None:
        """From now on refuses new requests; what has been read is still taken and answered."""
        self._draining = True
        for conversation in self._conversations:
            conversation.drain()

    async def answered(self) -> None:
        """Waits until no call is open."""
        await self._answered.wait()

    def _counted(self, answer: Callable[[Any, _Context], Awaitable[Any]]) -> Callable[[Any, _Context], Awaitable[Any]]:
        async def call(received: Any, context: _Context) -> Any:  # noqa: ANN401 - of the three methods
            self._open_calls += 1
            self._answered.clear()
            try:
                return await answer(received, context)
            finally:
                self._open_calls -= 1
                if not self._open_calls:
                    self._answered.set()

        return call

    def _deserializer(self, decode: Callable[[bytes, RequestLimits, MakeId], Request]) -> Callable[[bytes], _Received]:
        def deserialize(data: bytes) -> _Received:
            try:
                return decode(data, self._limits, new_envelope_id)
            except RequestRefused as refused:
                return refused

        return deserialize

    def _welcome(self, received: _Received) -> Request:
        if isinstance(received, RequestRefused):
            raise received
        if self._draining:
            raise draining()
        return received

    async def _publish(self, received: _Received, context: _Context) -> PublishResponse:
        try:
            request = self._welcome(received)
            with self._hold(request.size_bytes):
                if request.validate_only:
                    results = await self._acceptor.look(request.envelopes)
                else:
                    results = await self._acceptor.accept(request.envelopes, request.size_bytes)
        except (RequestRefused, NotNow) as error:
            await _refuse(error, context)
        return publish_response(results, self._usage(), self._clock())

    @contextmanager
    def _hold(self, size_bytes: int) -> Iterator[None]:
        """Bounds the bytes of the requests that are under way; one alone is never too large."""
        if self._held_bytes and self._held_bytes + size_bytes > HELD_BYTES_MAX:
            raise NotNow(f"requests of {self._held_bytes} bytes are under way already", HELD_RETRY_SECONDS)
        self._held_bytes += size_bytes
        try:
            yield
        finally:
            self._held_bytes -= size_bytes

    def _let_in(self, conversation: Conversation) -> None:
        if self._draining:
            raise draining()
        if len(self._conversations) >= STREAMS_MAX:
            raise NotNow(f"{STREAMS_MAX} streams are open: close one, or call Publish", STREAMS_RETRY_SECONDS)
        self._conversations.add(conversation)

    async def _publish_stream(self, received: AsyncIterator[_Received], context: _Context) -> None:
        async def answer(request: Request, results: Sequence[Examined]) -> None:
            await context.write(stream_response(request.sequence, results, self._usage(), self._clock()))

        conversation = Conversation(self._acceptor, answer)
        try:
            self._let_in(conversation)
            await conversation.hold(received)
        except (RequestRefused, NotNow) as error:
            await _refuse(error, context)
        finally:
            self._conversations.discard(conversation)

    async def _answer_preview(self, received: _Received, context: _Context) -> PreviewResponse:
        try:
            request = self._welcome(received)
            with self._hold(request.size_bytes):
                results = await self._acceptor.look(request.envelopes)
            return preview_response(
                (result, self._preview(result.connection, result.accepted) if result.accepted else ())
                for result in results
            )
        except (RequestRefused, NotNow) as error:
            await _refuse(error, context)


async def _refuse(error: RequestRefused | NotNow, context: _Context) -> NoReturn:
    code, message, trailers = refusal_of(error)
    await context.abort(_CODES[code], message, trailers)
