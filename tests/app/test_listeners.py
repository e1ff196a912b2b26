"""The doors: where they are, and what is said when an address cannot be had."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from intercomd_daemon.app.listeners import ListenerUnavailable, open_ingest
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.limits import REQUEST_BYTES_MAX, RequestLimits
from intercomd_daemon.ingest.seconds import Seconds
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.spool.memory import MemorySpool


class Silent:
    """Who is told of what was accepted, and does nothing with it."""

    def examined(self, results: object) -> None:
        """Nothing."""


def service() -> IngestService:
    spool = MemorySpool()
    acceptor = Acceptor({}, spool, Seconds(), Silent(), lambda: 1.0)
    return IngestService(acceptor, lambda *_: (), spool.usage, RequestLimits(), lambda: 1.0)


async def test_a_listener_is_not_serving_until_it_is_switched_on(tmp_path: Path) -> None:
    addresses = ("127.0.0.1:0", f"unix:{tmp_path / 'ingest.sock'}")
    door = await open_ingest(service(), addresses, REQUEST_BYTES_MAX)
    assert not door.addresses[0].endswith(":0")
    for address in door.addresses:
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answers = []
            for serving in (False, True):
                door.health.switch(serving=serving)
                answers.append((await health.Check(health_pb2.HealthCheckRequest())).status)
            assert answers == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]
    await door.close(None)


async def test_an_address_that_is_taken_is_named_with_the_remedy() -> None:
    """Two daemons never share a port: each would know half of a user's order."""
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        with pytest.raises(ListenerUnavailable, match=f"cannot listen on 127.0.0.1:{port}: is another daemon there?"):
            await open_ingest(service(), (f"127.0.0.1:{port}",), REQUEST_BYTES_MAX)
    door = await open_ingest(service(), ("127.0.0.1:0",), REQUEST_BYTES_MAX)
    with pytest.raises(ListenerUnavailable):
        await open_ingest(service(), door.addresses, REQUEST_BYTES_MAX)
    await door.close(None)
