"""Where the daemon listens: several addresses, sockets in the file system, health alone, addresses that are taken."""

import asyncio
import resource
import socket
from pathlib import Path

import aiohttp
import pytest

from daemons.process import WAIT_SECONDS, Daemon, Start
from intercomd.v1.ingest_pb2 import Disposition, PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope


async def test_every_ingest_address_accepts_envelopes(start: Start, tmp_path: Path) -> None:
    """A socket is taken over after a crash."""
    path = f"unix:{tmp_path / 'ingest.sock'}"
    daemon = await start(ingest={"listen": ["127.0.0.1:0", path]})
    for run in ("before", "after"):
        addresses = daemon.logged("serving")[0]["ingest"].split(", ")
        assert addresses[1] == path
        for address in addresses:
            stub = IngestServiceStub(daemon.open_channel(address))
            answer = await stub.Publish(PublishRequest(envelopes=[envelope("u1", run)]))
            assert answer.results[0].disposition == Disposition.DISPOSITION_ACCEPTED
        await daemon.kill()
        await daemon.start()


async def test_health_listener_serves_probes_and_metrics_alone(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    await start(health={"listen": [f"unix:{path}"]})
    async with aiohttp.ClientSession("http://daemon", connector=aiohttp.UnixConnector(str(path))) as pages:
        for page in ("/healthz", "/readyz", "/metrics"):
            async with pages.get(page) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("table", ["ingest", "operations"])
async def test_address_in_use_ends_the_daemon_and_is_named(tmp_path: Path, sandbox: Sandbox, table: str) -> None:
    """All addresses or none: a port is never shared with the process that has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        setting = {"listen": address if table == "operations" else [address]}
        daemon = await Daemon(tmp_path, sandbox.base_url, {table: setting}).launch()
        assert await daemon.gone() == 1
    assert address in daemon.logged("fatal")[0]["error"]
    await daemon.close()


async def test_second_daemon_never_shares_a_port(start: Start, tmp_path: Path, sandbox: Sandbox) -> None:
    """Each would know half of each user's order."""
    first = await start()
    folder = tmp_path / "second"
    folder.mkdir()
    second = await Daemon(folder, sandbox.base_url, {"ingest": {"listen": [first.ingest_address]}}).launch()
    assert await second.gone() == 1
    assert first.ingest_address in second.logged("fatal")[0]["error"]
    await second.close()


CONNECTIONS_MAX = 300


@pytest.mark.fills("ingest.connections_max")
async def test_connection_over_the_limit_is_closed_until_another_ends(start: Start) -> None:
    daemon = await start(ingest={"connections_max": CONNECTIONS_MAX})
    host, _, port = daemon.ingest_address.rpartition(":")

    def come() -> socket.socket:
        connection = socket.create_connection((host, int(port)), timeout=WAIT_SECONDS)
        connections.append(connection)
        return connection

    def is_let_in() -> bool:
        """The server speaks first where it lets in, and closes where it does not."""
        try:
            return bool(come().recv(1))
        except ConnectionError:
            return False

    connections: list[socket.socket] = []
    assert [is_let_in() for _ in range(CONNECTIONS_MAX)] == [True] * CONNECTIONS_MAX
    assert not is_let_in()
    connections[0].close()
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(is_let_in):
            connections.pop().close()
    for connection in connections:
        connection.close()


async def test_thousands_of_idle_connections_disturb_no_sender(start: Start) -> None:
    """Pods that are connected to a gateway and send nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    daemon = await start(ingest={"connections_max": 6_000})
    host, _, port = daemon.ingest_address.rpartition(":")
    idle = [socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) for _ in range(5_000)]
    assert all(connection.recv(1) for connection in idle)
    for number in range(10):
        response = await daemon.publish(envelope(f"idle-{number}", "opened"))
        assert [result.disposition for result in response.results] == [Disposition.DISPOSITION_ACCEPTED]
    for connection in idle:
        connection.close()
