"""The operations listeners, opened together."""

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.app.listeners import OPERATORS_MAX, open_operations
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from listeners import Starting, operations_service


async def health_of(address: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        check = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        return int(check.status)


@pytest.mark.parametrize("taken", ["grpc", "http", "health"])
async def test_listeners_open_together_or_not_at_all(tmp_path: Path, taken: str) -> None:
    """What was opened before the one that is taken is free again."""
    path = tmp_path / "operations.sock"
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        names = {"grpc": f"unix:{path}", "http": "127.0.0.1:0", "health": "127.0.0.1:0"} | {taken: address}
        settings = OperationsSettings(listen=names["http"], grpc_listen=names["grpc"])
        health = HealthSettings(listen=(names["health"],))
        with pytest.raises(ListenerUnavailable, match=address):
            await open_operations(Starting(), operations_service(), settings, health, CollectorRegistry())
    free = OperationsSettings(listen="127.0.0.1:0", grpc_listen=f"unix:{path}")
    health = HealthSettings(listen=("127.0.0.1:0",))
    opened = await open_operations(Starting(), operations_service(), free, health, CollectorRegistry())
    assert opened.grpc_address == f"unix:{path}"
    assert opened.http_address.startswith("127.0.0.1:")
    assert not opened.http_address.endswith(":0")
    opened.health.set_serving(serving=True)
    assert await health_of(opened.grpc_address) == 1
    await opened.close()


async def said_to_one_who_comes(address: str) -> tuple[asyncio.StreamWriter, bytes]:
    """A connection, and the first bytes that the server sends on it; none where it is closed."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        return writer, await reader.read(1)
    except ConnectionError:
        return writer, b""


@pytest.mark.fills("app.listeners.OPERATORS_MAX")
async def test_operators_connection_over_the_limit_is_closed() -> None:
    settings = OperationsSettings(listen="127.0.0.1:0", grpc_listen="127.0.0.1:0")
    opened = await open_operations(Starting(), operations_service(), settings, HealthSettings(), CollectorRegistry())
    inside = [await said_to_one_who_comes(opened.grpc_address) for _ in range(OPERATORS_MAX)]
    assert all(said for _, said in inside)
    refused, said = await said_to_one_who_comes(opened.grpc_address)
    assert said == b""
    for writer in (refused, *(writer for writer, _ in inside)):
        writer.close()
    await opened.close()


@pytest.mark.parametrize("on", [False, True])
async def test_channelz_is_off_unless_it_is_switched_on(on: bool) -> None:
    settings = OperationsSettings(listen="127.0.0.1:0", grpc_listen="127.0.0.1:0", channelz=on)
    opened = await open_operations(Starting(), operations_service(), settings, HealthSettings(), CollectorRegistry())
    async with grpc.aio.insecure_channel(opened.grpc_address) as channel:
        list_servers = channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest())
        if on:
            assert (await list_servers).server
        else:
            assert await list_servers.code() is grpc.StatusCode.UNIMPLEMENTED
    await opened.close()
