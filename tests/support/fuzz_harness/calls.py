"""Makes calls with any bytes and checks each: the status is known, the daemon still serves, nothing is lost."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daemons.process import Daemon
from fuzz_harness.mutation import Inventor
from intercomd.v1 import ingest_pb2, operations_pb2
from intercomd.v1.ingest_pb2 import Disposition, PreviewResponse, PublishRequest, PublishResponse
from senders.client import Refused, envelope

CALL_SECONDS = 60.0
"""Far longer than any call takes, so that only one that hangs fails."""
LISTEN_SECONDS = 0.05
"""After which a watch that was not refused is taken to be open."""
BYTES_MAX = 1 << 20
"""Of what is invented; larger requests have names of their own."""
CODES = frozenset({"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"})
"""UNAVAILABLE is one of ours, too, but neither is the spool full nor the daemon stopping here."""
ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SERVICES = (ingest_pb2.DESCRIPTOR, operations_pb2.DESCRIPTOR)


@dataclass(frozen=True)
class Method:
    """A call of one of our services."""

    name: str
    service: str
    request: type[Message]
    streams: tuple[bool, bool]
    """Whether the client, and whether the server streams."""


class Answer(NamedTuple):
    """How a call ended."""

    code: str
    message: str
    bodies: tuple[bytes, ...]

    @property
    def gist(self) -> str:
        """The code and the first words, without what differs from call to call."""
        return f"{self.code}-{'-'.join(re.findall('[a-z]+', self.message)[:7])}"


def methods() -> dict[str, Method]:
    """Every call by its name, but for Drain: the daemon would refuse whatever follows."""
    found = [
        Method(
            method.name,
            service.full_name,
            GetMessageClass(method.input_type),
            (method.client_streaming, method.server_streaming),
        )
        for file in SERVICES
        for service in file.services_by_name.values()
        for method in service.methods
        if method.name != "Drain"
    ]
    return {method.name: method for method in found}


class Assault:
    """Calls a daemon with whatever it is given, and counts what it has promised."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        self._random = Random(seed)  # noqa: S311 - tests are repeated
        self._inventor = Inventor(self._random)
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._promised = 0
        self._told = 0
        self.methods = methods()
        self.calls = 0

    async def strike(self, method: Method, data: bytes) -> Answer:
        """Makes a call with these bytes as its request, which must end well or as the caller's fault."""
        answer = await self._call(method, data)
        self.calls += 1
        assert answer.code in CODES, f"{method.name} of {data[:300].hex()} ended with {answer}"
        if answer.code == "OK":
            self._count(method, data, answer)
        return answer

    def invented(self) -> tuple[Method, bytes]:
        """Makes a call that no client makes on purpose."""
        method = self._random.choice([*self.methods.values(), *[self.methods["Publish"]] * 8])
        while True:
            data = self._bytes_for(method)
            if len(data) <= BYTES_MAX:
                return method, data

    def _bytes_for(self, method: Method) -> bytes:
        kind = self._random.random()
        if kind < 0.1:
            return self._random.randbytes(self._random.choice((0, 1, 5, 40, 3000)))
        data = self._inventor.message(method.request).SerializeToString()
        return data if kind < 0.4 else self._inventor.corrupt(data)

    async def peace(self) -> None:
        """What must hold when it is over: it serves and takes, nothing was a fault of its own, all accepted ended."""
        channel = self._channel(self.methods["Publish"])
        status = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert status.status == health_pb2.HealthCheckResponse.SERVING
        good = await self._daemon.publish(envelope("u1", "Peace"))
        assert [result.disposition for result in good.results] == [ACCEPTED]
        self._promised += 1
        await self._daemon.operations.ResumeConnection(operations_pb2.ResumeConnectionRequest())
        await self._daemon.until(lambda: self._ended() >= self._promised)
        assert self._ended() == self._promised
        standing = await self._daemon.connection()
        assert standing.waiting_normal + standing.waiting_bulk + standing.parked_lanes == 0
        faults = [line for line in self._daemon.lines if line["event"] in {"", "library"} or line["level"] == "error"]
        assert not faults, faults[:3]

    def forget(self) -> None:
        """Lets go of the lines of the log that have been looked at."""
        self._told = self._ended()
        self._daemon.outcomes.clear()
        self._daemon.lines[:] = [line for line in self._daemon.lines if line["event"] in {"serving", "operations"}]

    def _ended(self) -> int:
        return self._told + sum(self._daemon.outcomes.values())

    def _channel(self, method: Method) -> grpc.aio.Channel:
        """To the listener of its service."""
        name = method.service
        if name not in self._channels:
            address = self._daemon.ingest_address if "Ingest" in name else self._daemon.operations_address
            self._channels[name] = self._daemon.open_channel(address)
        return self._channels[name]

    async def _call(self, method: Method, data: bytes) -> Answer:
        channel, path = self._channel(method), f"/{method.service}/{method.name}"
        bodies: list[bytes] = []
        try:
            async with asyncio.timeout(CALL_SECONDS):
                if method.streams == (True, True):
                    await asyncio.to_thread(_converse, self._daemon.ingest_address, path, data, bodies)
                elif method.streams == (False, True):
                    bodies += await _listen(channel.unary_stream(path)(data))
                else:
                    bodies.append(await channel.unary_unary(path)(data))
        except grpc.RpcError as error:
            refused = Refused(error)
            assert refused.trailers.get("grpc-status-details-bin"), f"{path}: {refused.code} {refused.message}"
            return Answer(refused.code.name, refused.message, tuple(bodies))
        return Answer("OK", "", tuple(bodies))

    def _count(self, method: Method, data: bytes, answer: Answer) -> None:
        """An answer has a result for each envelope, in order; what is accepted must end."""
        if method.name == "ReplayDeadLetters":
            self._promised += operations_pb2.ReplayDeadLettersResponse.FromString(answer.bodies[0]).count
        if "Ingest" not in method.service:
            return
        request: Any = _read(method.request, data)
        for body in answer.bodies:
            results = _results(method, body)
            assert len(results) == len(request.envelopes)
            for result, sent in zip(results, request.envelopes, strict=True):
                assert result.disposition in {1, 2, 3, 4}
                assert bool(result.violations) is (result.disposition in {3, 4})
                assert not sent.envelope_id or sent.envelope_id.startswith(result.envelope_id)
            if method.name == "PublishStream" or (isinstance(request, PublishRequest) and not request.validate_only):
                self._promised += sum(result.disposition == ACCEPTED for result in results)


def _converse(address: str, path: str, data: bytes, bodies: list[bytes]) -> None:
    """Twice the same message; over a blocking channel, since an asynchronous one may not tell how a stream ended."""
    with grpc.insecure_channel(address) as channel:
        for body in channel.stream_stream(path)(iter([data, data]), timeout=CALL_SECONDS):
            bodies.append(body)  # noqa: PERF402 - what came before an error counts


async def _listen(call: Any) -> Sequence[bytes]:  # noqa: ANN401 - grpc's
    """The first message of a stream that need not have any; a refused one is noticed however long that takes."""
    await call.initial_metadata()
    reading = asyncio.ensure_future(call.read())
    await asyncio.wait([reading], timeout=LISTEN_SECONDS)
    if not reading.done():
        call.cancel()
        await asyncio.wait([reading])
        return []
    body = reading.result()
    call.cancel()
    return [body] if isinstance(body, bytes) else []


def _read(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise AssertionError(f"bytes were taken that are no {kind.__name__}: {data[:300].hex()}") from None


def _results(method: Method, body: bytes) -> Sequence[ingest_pb2.EnvelopeResult]:
    if method.name == "Preview":
        return [preview.result for preview in PreviewResponse.FromString(body).previews]
    if method.name == "Publish":
        return PublishResponse.FromString(body).results
    return ingest_pb2.PublishStreamResponse.FromString(body).results
