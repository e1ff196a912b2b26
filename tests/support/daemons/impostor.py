"""A server that returns to Publish what intercomd never does: bytes on HTTP/2 below gRPC, one answer for each call."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from intercomd.v1.ingest_pb2 import Disposition, EnvelopeResult, PublishRequest, PublishResponse

# RFC 9113, 4.1 and 6: the types of frames and their flags.
PREFACE_BYTES, FRAME_HEADER_BYTES = 24, 9
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
WINDOW_BYTES = 1 << 30
INTERNAL_ERROR = (2).to_bytes(4)
MESSAGE_HEADER_BYTES = 5  # of gRPC: whether the message is compressed, and its length

Fields = Sequence[tuple[str, str]]
GRPC: Fields = ((":status", "200"), ("content-type", "application/grpc"))
OK: Fields = (("grpc-status", "0"),)


@dataclass(slots=True)
class Call:
    """One call of Publish."""

    stream: int
    writer: asyncio.StreamWriter
    body: bytearray = field(default_factory=bytearray)

    @property
    def ids(self) -> list[str]:
        """The ids of the request's envelopes."""
        return [each.envelope_id for each in PublishRequest.FromString(self.body[MESSAGE_HEADER_BYTES:]).envelopes]

    def send(self, kind: int, flags: int, payload: bytes) -> None:
        """Sends a frame on the call's stream."""
        self.writer.write(_frame(kind, flags, self.stream, payload))

    def send_fields(self, fields: Fields, *, ends: bool = False) -> None:
        """Sends headers or trailers."""
        self.send(HEADERS, END_HEADERS | (END_STREAM if ends else 0), _fields(fields))

    def respond(self, message: bytes) -> None:
        """Sends a response as gRPC does."""
        self.send_fields(GRPC)
        self.send(DATA, 0, b"\0" + len(message).to_bytes(4) + message)
        self.send_fields(OK, ends=True)

    def respond_with(self, ids: Sequence[str], disposition: int = Disposition.DISPOSITION_ACCEPTED) -> None:
        """Sends results for envelopes with these ids."""
        results = [EnvelopeResult(envelope_id=each, disposition=Disposition.ValueType(disposition)) for each in ids]
        self.respond(PublishResponse(results=results).SerializeToString())

    def end_with(self, status: str, *fields: tuple[str, str]) -> None:
        """Sends a status, without a response."""
        self.send_fields([*GRPC, ("grpc-status", status), *fields], ends=True)

    def send_page(self, status: str) -> None:
        """Sends a page, as a proxy does."""
        self.send_fields([(":status", status), ("content-type", "text/html")])
        self.send(DATA, END_STREAM, b"<html><body>a proxy's page</body></html>")


def _send_headers_and_trailers(call: Call) -> None:
    call.send_fields(GRPC)
    call.send_fields(OK, ends=True)


def _cut(call: Call) -> None:
    call.writer.transport.abort()


ANSWERS: dict[str, Callable[[Call], None]] = {
    "accepted": lambda call: call.respond_with(call.ids),
    "bytes that are no protobuf": lambda call: call.respond(b"\xff\xff\xff"),
    "no message": _send_headers_and_trailers,
    "trailers only": lambda call: call.end_with("0"),
    "a result less": lambda call: call.respond_with(call.ids[1:]),
    "a result more": lambda call: call.respond_with([*call.ids, "more"]),
    "another order": lambda call: call.respond_with(call.ids[::-1]),
    "other ids": lambda call: call.respond_with([f"other-{each}" for each in call.ids]),
    "no disposition": lambda call: call.respond_with(call.ids, Disposition.DISPOSITION_UNSPECIFIED),
    "a later disposition": lambda call: call.respond_with(call.ids, 99),
    "a status that gRPC does not have": lambda call: call.end_with("99"),
    "a status that is no number": lambda call: call.end_with("soon"),
    "details that are no base64": lambda call: call.end_with("14", ("grpc-status-details-bin", "!!!")),
    "a pause of zero": lambda call: call.end_with("14", ("grpc-retry-pushback-ms", "0")),
    "a page 404": lambda call: call.send_page("404"),
    "a page 502": lambda call: call.send_page("502"),
    "a page 200": lambda call: call.send_page("200"),
    "RST_STREAM": lambda call: call.send(RST_STREAM, 0, INTERNAL_ERROR),
    "GOAWAY": lambda call: call.writer.write(_frame(GOAWAY, 0, 0, bytes(8))),
    "a cut connection": _cut,
    "no answer": lambda _: None,
}


@dataclass
class Impostor:
    """Answers calls by the names of `ANSWERS`, in this order; later ones as the last. `async with` starts it."""

    answers: Sequence[str]
    calls: list[list[str]] = field(default_factory=list)
    """The ids of the envelopes of each call."""
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def start(self) -> str:
        """Starts it on a free port; returns its address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.address

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stops listening, and ends the connections."""
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)
        await self._server.wait_closed()

    async def until_called(self, times: int) -> None:
        """Waits for a number of calls."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= times)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._serve_frames(reader, writer)
        writer.close()

    async def _serve_frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls: dict[int, Call] = {}
        await reader.readexactly(PREFACE_BYTES)
        writer.write(_frame(SETTINGS, 0, 0, b""))
        writer.write(_frame(WINDOW_UPDATE, 0, 0, WINDOW_BYTES.to_bytes(4)))
        while True:
            header = await reader.readexactly(FRAME_HEADER_BYTES)
            length, kind, flags, stream = header[:3], header[3], header[4], int.from_bytes(header[5:])
            payload = await reader.readexactly(int.from_bytes(length))
            if kind in {SETTINGS, PING} and not flags & ACK:
                writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == HEADERS:
                calls[stream] = Call(stream, writer)
            elif kind == DATA:
                calls[stream].body += payload
            if kind in {HEADERS, DATA} and flags & END_STREAM:
                await self._answer(calls.pop(stream))

    async def _answer(self, call: Call) -> None:
        async with self._arrived:
            ANSWERS[self.answers[min(len(self.calls), len(self.answers) - 1)]](call)
            self.calls.append(call.ids)
            self._arrived.notify_all()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _fields(fields: Fields) -> bytes:
    """Encodes fields as literals without an index, RFC 7541, 6.2.2; texts under 127 bytes."""
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in fields
    )
