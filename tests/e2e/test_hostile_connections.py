"""Connections that mean no good, or nothing: others are served beside them, no line is left, and no stop held up."""

import hashlib
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from daemons.process import EXECUTABLE, Daemon
from intercomd.v1.ingest_pb2 import Disposition, PublishRequest, PublishStreamRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope
from senders.raw_sockets import (
    CONTINUATION,
    DATA,
    GREETING,
    HEADERS,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    connected,
    frame,
    resident_bytes,
    said,
    said_first,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """A forked process shares memory, and its figures are not those of users."""
    return EXECUTABLE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_daemon(
    tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox, command: Sequence[str | Path]
) -> AsyncIterator[Daemon]:
    """One daemon for all tests, whose drain would last longer than a test waits."""
    folder = tmp_path_factory.mktemp("shared")
    daemon = Daemon(folder, shared_sandbox.base_url, {"stopping": {"drain": "1h"}}, command)
    yield await daemon.start()
    await daemon.close()


MIB = 1 << 20
STREAM_BYTES_MAX = 200 * 1024
"""Ten times what an idle stream costs."""
GARBAGE = hashlib.shake_128(b"garbage").digest(3000)
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + GARBAGE[:195]


async def served(daemon: Daemon) -> None:
    """A caller who means well is answered, and nothing of what happened was logged as a fault."""
    answer = await daemon.publish(envelope("u1", "Opened"))
    assert [result.disposition for result in answer.results] == [Disposition.DISPOSITION_ACCEPTED]
    assert not daemon.logged("library")


@pytest.mark.parametrize(
    "data",
    [
        GARBAGE,
        b"GET / HTTP/1.1\r\nHost: intercomd\r\n\r\n",
        CLIENT_HELLO,
        PREFACE + GARBAGE,
        GREETING + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        GREETING + 10_000 * frame(PING, 0, b"12345678"),
        GREETING + 10_000 * frame(SETTINGS),
        GREETING + b"".join(frame(RESET, number, bytes(4)) for number in range(1, 10_000, 2)),
        GREETING + 10_000 * frame(DATA, 1),
        GREETING + frame(HEADERS, 1) + 10_000 * frame(CONTINUATION, 1),
    ],
    ids=[
        *("garbage", "HTTP/1.1", "TLS", "garbage after the preface", "a huge frame"),
        *("pings", "settings", "resets", "data of no stream", "headers without end"),
    ],
)
async def test_bytes_that_are_not_grpc_are_refused(shared: Daemon, data: bytes) -> None:
    await said(shared.ingest_address, data)
    await said(shared.operations_address, data)
    await served(shared)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GARBAGE, b"400"),
        (CLIENT_HELLO, b"400"),
        (GREETING, b"400"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % number for number in range(200)) + b"\r\n", b"400"),
        (b"GET /\x00 HTTP/1.1\r\nHost: intercomd\r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: intercomd\r\n\r\n", b"404"),
        (b"DELETE /healthz HTTP/1.1\r\nHost: intercomd\r\n\r\n", b"405"),
        (b"POST /healthz HTTP/1.1\r\nHost: intercomd\r\nContent-Length: 9000000000\r\n\r\n" + MIB * b"x", b"405"),
        (b"GET /x HTTP/1.1\r\nHost: intercomd\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"404"),
    ],
    ids=[
        *("garbage", "TLS", "HTTP/2", "a long path", "a crowd of headers", "NUL", "a path upwards", "another method"),
        *("a body without end", "a chunk without end"),
    ],
)
async def test_malformed_http_request_is_the_callers_fault(shared: Daemon, data: bytes, status: bytes) -> None:
    answer = await said_first(shared.http_address, data)
    assert answer.split(b" ")[1:2] == [status], answer[:200]
    async with aiohttp.ClientSession(f"http://{shared.http_address}") as pages, pages.get("/healthz") as alive:
        assert alive.status == 200
    await served(shared)


@pytest.mark.parametrize(
    ("count", "size_bytes", "code"),
    [
        (50, 100, grpc.StatusCode.OK),
        (10_000, 10, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (1, MIB, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_excessive_headers_are_refused(
    shared: Daemon, count: int, size_bytes: int, code: grpc.StatusCode
) -> None:
    flood = tuple((f"x-{number}", "v" * size_bytes) for number in range(count))
    call = shared.ingest.Publish(PublishRequest(envelopes=[envelope("u1", "Opened")]), metadata=flood)
    assert await call.code() is code
    await served(shared)


async def test_message_over_grpcs_limit_is_never_read_into_memory(shared: Daemon) -> None:
    """Over 16 MiB, four times the limit up to which we say what is wrong; also where compression hides it."""
    before = resident_bytes(shared.pid)
    data = PublishRequest(request_id="x" * (48 * MIB)).SerializeToString()
    options = (("grpc.max_send_message_length", -1),)
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        async with grpc.aio.insecure_channel(shared.ingest_address, options, compression=compression) as channel:
            call = channel.unary_unary("/intercomd.v1.IngestService/Publish")(data)
            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert resident_bytes(shared.pid) - before < 40 * MIB
    await served(shared)


async def test_500_idle_streams_cost_little_and_delay_no_other_call(shared: Daemon) -> None:
    before = resident_bytes(shared.pid)
    streams = []
    for _ in range(4):
        stub = IngestServiceStub(shared.open_channel(shared.ingest_address))
        for sequence in range(125):
            stream = stub.PublishStream()
            await stream.write(PublishStreamRequest(sequence=sequence, envelopes=[envelope("u2", "Opened")]))
            assert (await stream.read()).sequence == sequence
            streams.append(stream)
    assert resident_bytes(shared.pid) - before < len(streams) * STREAM_BYTES_MAX
    await served(shared)
    for stream in streams:
        stream.cancel()
    await served(shared)


async def test_disconnected_callers_leave_no_error(shared: Daemon) -> None:
    """As a client that is killed: the calls are reset while they are read, committed and answered."""
    messages = [
        PublishStreamRequest(sequence=1, envelopes=[envelope(f"u{user}", "Opened") for user in range(users)])
        for users in (1, 100)
    ]
    for round_ in range(10):
        stub = IngestServiceStub(shared.open_channel(shared.ingest_address))
        streams = [stub.PublishStream() for _ in range(10)]
        for stream in streams:
            for _ in range(round_ % 4 + 1):
                await stream.write(messages[round_ % 2])
        calls = [stub.Publish(PublishRequest(envelopes=messages[1].envelopes)) for _ in range(5)]
        if round_ % 3:
            await streams[-1].read()
        for call in (*streams, *calls):
            call.cancel()
    await served(shared)


async def test_many_reflection_requests_are_answered(shared: Daemon) -> None:
    async def questions() -> object:
        for number in range(300):
            yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"no.such.Service{number}")

    channel = shared.open_channel(shared.ingest_address)
    responses = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(questions())
    assert len([answer async for answer in responses]) == 300
    health = health_pb2_grpc.HealthStub(channel)
    watches = [health.Watch(health_pb2.HealthCheckRequest(service=f"{number}")) for number in range(300)]
    unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert {(await watch.read()).status for watch in watches} == {unknown}
    await served(shared)
    for watch in watches:
        watch.cancel()
    await served(shared)


async def test_idle_connections_do_not_delay_a_stop(shared: Daemon) -> None:
    """Also streams that are never ended, and half a request for a page. The last test: it stops the daemon."""
    streams = [shared.ingest.PublishStream() for _ in range(50)]
    for stream in streams:
        await stream.write(PublishStreamRequest(sequence=1, envelopes=[envelope("u3", "Opened")]))
        await stream.read()
    half = [(shared.ingest_address, data) for data in (b"", PREFACE[:9], PREFACE, GREETING)]
    half.append((shared.http_address, b"GET /metr"))
    async with connected(*half[0]), connected(*half[1]), connected(*half[2]), connected(*half[3]), connected(*half[4]):
        shared.signal(signal.SIGTERM)
        assert await shared.gone() == 0
    assert not shared.logged("library")
