"""The listeners: their addresses, and the error when an address cannot be bound."""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from msgspec.structs import replace

from intercomd_daemon.app import listeners
from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.app.listeners import (
    AGE_GRACE_SECONDS,
    CALLS_MAX,
    HANDSHAKE_SECONDS,
    KEEPALIVE_ANSWER_SECONDS,
    KEEPALIVE_SECONDS,
    METADATA_BYTES_MAX,
    PENDING_CALLS_MAX,
    RECEIVE_FACTOR,
    open_ingest,
)
from intercomd_daemon.config import load
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.ingest.settings import IngestSettings
from listeners import ingest_service
from senders.raw_sockets import GREETING, PING, frame

GOAWAY = 7


async def test_listener_is_not_serving_until_it_is_switched_on(tmp_path: Path) -> None:
    addresses = ("127.0.0.1:0", f"unix:{tmp_path / 'ingest.sock'}")
    listener = await open_ingest(ingest_service(), IngestSettings(listen=addresses))
    assert not listener.addresses[0].endswith(":0")
    for address in listener.addresses:
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answers = []
            for serving in (False, True):
                listener.health.set_serving(serving=serving)
                answers.append((await health.Check(health_pb2.HealthCheckRequest())).status)
            assert answers == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]
    await listener.close(None)


async def test_address_in_use_is_named_with_the_remedy() -> None:
    """Two daemons never share a port: each would know half of a user's order."""
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        with pytest.raises(ListenerUnavailable, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; "):
            await open_ingest(ingest_service(), IngestSettings(listen=(f"127.0.0.1:{port}",)))
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",)))
    with pytest.raises(ListenerUnavailable):
        await open_ingest(ingest_service(), IngestSettings(listen=listener.addresses))
    await listener.close(None)


@pytest.mark.fills("app.listeners.CALLS_MAX")
async def test_call_over_the_limit_waits_until_another_ends() -> None:
    asyncio.get_running_loop().set_debug(enabled=False)  # A stack for each callback of a thousand calls.
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",)))
    own = [("grpc.use_local_subchannel_pool", 1)]
    async with (
        grpc.aio.insecure_channel(listener.addresses[0], own) as channel,
        grpc.aio.insecure_channel(listener.addresses[0], own) as other,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch
        open_calls = [watch(health_pb2.HealthCheckRequest()) for _ in range(CALLS_MAX)]
        for call in open_calls:
            await call.read()
        one_more = asyncio.create_task(watch(health_pb2.HealthCheckRequest()).read())
        await health_pb2_grpc.HealthStub(other).Check(health_pb2.HealthCheckRequest())
        assert len(listener.health._wakes) == CALLS_MAX
        open_calls[0].cancel()
        async with asyncio.timeout(60):
            await one_more
    await listener.close(None)


async def test_keepalive_pings_at_any_rate_are_answered() -> None:
    """Meshes ping every 10 s without a call; gRPC by default closes such a connection after the third ping."""
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",)))
    host, _, port = listener.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(GREETING)
    kinds: list[int] = []
    for number in range(1, 21):
        writer.write(frame(PING, payload=bytes(8)))
        while kinds.count(PING) < number:
            header = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(header[:3], "big"))
            kinds.append(header[3])
    assert GOAWAY not in kinds
    writer.close()
    await listener.close(None)


@pytest.mark.fills("app.listeners.METADATA_BYTES_MAX")
async def test_metadata_over_the_limit_is_refused() -> None:
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",)))
    async with grpc.aio.insecure_channel(listener.addresses[0]) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        most = "x" * (METADATA_BYTES_MAX - 1_000)
        await check(health_pb2.HealthCheckRequest(), metadata=(("some", most),))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check(health_pb2.HealthCheckRequest(), metadata=(("some", most), ("more", "x" * 1_000)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await listener.close(None)


@pytest.mark.fills("app.listeners.RECEIVE_FACTOR")
async def test_oversized_request_is_answered_with_the_remedy() -> None:
    """Up to the size that gRPC refuses by itself."""
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",), request_bytes_max=1_000))
    async with grpc.aio.insecure_channel(listener.addresses[0]) as channel:
        publish = channel.unary_unary("/intercomd.v1.IngestService/Publish")
        codes = []
        for size in (RECEIVE_FACTOR * 1_000, RECEIVE_FACTOR * 1_000 + 1):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await publish(bytes(size))
            codes.append(refused.value.code())
    assert codes == [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED]
    await listener.close(None)


@pytest.mark.fills("app.listeners.HANDSHAKE_SECONDS")
@pytest.mark.fills("app.listeners.KEEPALIVE_SECONDS")
@pytest.mark.fills("app.listeners.KEEPALIVE_ANSWER_SECONDS")
@pytest.mark.fills("app.listeners.PENDING_CALLS_MAX")
def test_grpc_options_bound_waits_and_pending_calls() -> None:
    """Their effect takes minutes or thousands of calls to see, so only the options are checked."""
    options = dict(listeners._OPTIONS)
    assert options["grpc.server_handshake_timeout_ms"] == HANDSHAKE_SECONDS * 1000
    assert options["grpc.keepalive_time_ms"] == KEEPALIVE_SECONDS * 1000
    assert options["grpc.keepalive_timeout_ms"] == KEEPALIVE_ANSWER_SECONDS * 1000
    assert options["grpc.server.max_pending_requests"] == PENDING_CALLS_MAX
    assert options["grpc.server.max_pending_requests_hard_limit"] == 2 * PENDING_CALLS_MAX


async def frames_of(address: str) -> AsyncIterator[int]:
    """The kinds of the HTTP/2 frames that a listener sends on a new connection, until it closes it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(GREETING)
    try:
        while True:
            header = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(header[:3], "big"))
            yield header[3]
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


@pytest.mark.fills("ingest.connection_age_max")
async def test_connection_over_the_age_limit_gets_a_goaway() -> None:
    settings = IngestSettings(listen=("127.0.0.1:0",), connection_age_max_seconds=1.0)
    listener = await open_ingest(ingest_service(), settings)
    async with asyncio.timeout(60), aclosing(frames_of(listener.addresses[0])) as frames:
        assert GOAWAY in [kind async for kind in frames]
    await listener.close(None)


SMALLEST = {"CONNECTION_AGE_MAX": "1s", "CONNECTIONS_MAX": "1", "REQUEST_BYTES_MAX": "1KiB", "ENVELOPES_MAX": "1"}
LARGEST = {
    "CONNECTION_AGE_MAX": "24d",
    "CONNECTIONS_MAX": "100000",
    "REQUEST_BYTES_MAX": "16MiB",
    "ENVELOPES_MAX": "10000",
}


@pytest.mark.parametrize("limits", [SMALLEST, LARGEST], ids=["smallest", "largest"])
async def test_listener_opens_with_limits_at_the_ends_of_their_ranges(limits: dict[str, str]) -> None:
    """GRPC takes numbers of 32 bits."""
    variables = {f"INTERCOMD_INGEST_{name}": value for name, value in limits.items()}
    connection = {"INTERCOMD_APP_ID": "abc", "INTERCOMD_ACCESS_TOKEN": "token"}
    settings = load(None, {**connection, **variables}).settings.ingest
    listener = await open_ingest(ingest_service(), replace(settings, listen=("127.0.0.1:0",)))
    await listener.close(None)


@pytest.mark.parametrize("name", LARGEST)
def test_limit_above_its_range_is_refused(name: str) -> None:
    variable = f"INTERCOMD_INGEST_{name}"
    above = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), LARGEST[name])
    with pytest.raises(SettingsInvalid) as raised:
        load(None, {"INTERCOMD_APP_ID": "abc", "INTERCOMD_ACCESS_TOKEN": "token", variable: above})
    assert [problem.split()[1] for problem in raised.value.problems] == [f"({variable}):"]


@pytest.mark.parametrize("path", ["missing/ingest.sock", "file/ingest.sock", "file"])
async def test_path_that_cannot_be_used_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("kept")
    address = f"unix:{tmp_path / path}"
    with pytest.raises(ListenerUnavailable, match=f"^cannot listen on {address}: .*; correct the path, its folder"):
        await open_ingest(ingest_service(), IngestSettings(listen=(address,)))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.fills("app.listeners.AGE_GRACE_SECONDS")
def test_open_calls_of_an_old_connection_have_their_grace() -> None:
    """A test would wait 30 s."""
    assert "AGE_GRACE_SECONDS * 1000" in inspect.getsource(open_ingest)
    assert AGE_GRACE_SECONDS == 30


async def services_by_reflection(address: str, version: str) -> set[str]:
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )(iter([ServerReflectionRequest(list_services="")]))
        answer = await call.read()
        return {service.name for service in answer.list_services_response.service}


async def test_both_versions_of_reflection_list_the_services() -> None:
    listener = await open_ingest(ingest_service(), IngestSettings(listen=("127.0.0.1:0",)))
    for version in ("v1", "v1alpha"):
        found = await services_by_reflection(listener.addresses[0], version)
        assert {"intercomd.v1.IngestService", "grpc.health.v1.Health"} <= found
    await listener.close(None)
