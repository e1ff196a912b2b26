"""One daemon per spool: a second one waits, and takes over or gives up. An unusable spool is reported."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daemons.process import Daemon
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd.v1.operations_pb2 import DaemonState, GetStatusRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from senders.client import envelope


def rival(daemon: Daemon, sandbox: Sandbox, lock_wait: str) -> Daemon:
    """Another daemon on the same spool."""
    folder = daemon.folder / "rival"
    folder.mkdir()
    url = f"sqlite:{daemon.folder / 'spool.db'}"
    return Daemon(folder, sandbox.base_url, {"spool": {"url": url, "lock_wait": lock_wait}})


async def test_second_daemon_waits_for_the_spool_and_takes_over(daemon: Daemon, sandbox: Sandbox) -> None:
    """It is NOT_SERVING while it waits."""
    second = await rival(daemon, sandbox, "60s").launch()
    line = await second.heard("spool_locked")
    assert str(daemon.pid) in line["by"]
    channel = second.open_channel(second.operations_address)
    check = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert check.status == health_pb2.HealthCheckResponse.NOT_SERVING
    status = await OperationsServiceStub(channel).GetStatus(GetStatusRequest())
    assert status.state == DaemonState.DAEMON_STATE_STARTING
    async with aiohttp.ClientSession(f"http://{second.http_address}") as pages:
        async with pages.get("/readyz") as ready:
            assert ready.status == 503
        async with pages.get("/healthz") as alive:
            assert alive.status == 200
    assert not second.logged("serving")
    await sandbox.stop()
    await daemon.publish(envelope("u1", "Handed over", envelope_id="handed over"))
    await daemon.kill()
    await second.heard("serving")
    await sandbox.start()
    await second.ended(["handed over"])
    await second.close()


async def test_second_daemon_gives_up_after_lock_wait_and_names_the_holder(daemon: Daemon, sandbox: Sandbox) -> None:
    second = await rival(daemon, sandbox, "1s").launch()
    assert await second.gone() == 1
    (ended,) = second.logged("fatal")
    assert f"process {daemon.pid}" in ended["error"]
    assert "spool.url" in ended["error"]
    assert not second.logged("serving")
    await second.close()
    await daemon.publish(envelope("u1", "Undisturbed", envelope_id="undisturbed"))
    await daemon.ended(["undisturbed"])


async def test_one_of_two_daemons_started_together_serves(tmp_path: Path, sandbox: Sandbox) -> None:
    """On a new spool; the other waits."""
    one = Daemon(tmp_path, sandbox.base_url)
    pair = [one, rival(one, sandbox, "60s")]
    for daemon in pair:
        await daemon.launch()
    for daemon in pair:
        await daemon.until(lambda daemon=daemon: daemon.logged("serving") or daemon.logged("spool_locked"))
    (first,) = [daemon for daemon in pair if daemon.logged("serving")]
    (second,) = [daemon for daemon in pair if daemon.logged("spool_locked")]
    await first.kill()
    await second.heard("serving")
    for daemon in pair:
        await daemon.close()


def unix_addresses(folder: Path) -> dict[str, Any]:
    ingest, http, grpc = (f"unix:{folder / name}" for name in ("ingest", "http", "grpc"))
    return {"ingest": {"listen": [ingest]}, "operations": {"listen": http, "grpc_listen": grpc}}


def tcp_addresses(_folder: Path) -> dict[str, Any]:
    ingest, http, grpc = (f"127.0.0.1:{free_port()}" for _ in range(3))
    return {"ingest": {"listen": [ingest]}, "operations": {"listen": http, "grpc_listen": grpc}}


@pytest.mark.parametrize("addresses", [unix_addresses, tcp_addresses])
@pytest.mark.parametrize("attempt", range(3))
async def test_one_of_two_daemons_with_the_same_settings_serves(
    tmp_path: Path, sandbox: Sandbox, addresses: Callable[[Path], dict[str, Any]], attempt: int
) -> None:
    """Started together on a new spool. The other waits for the spool, or ends because its addresses are in use."""
    tables = addresses(tmp_path)
    pair = [Daemon(tmp_path, sandbox.base_url, tables) for _ in range(2)]
    await asyncio.gather(*(daemon.launch() for daemon in pair))
    for daemon in pair:
        await daemon.until(lambda daemon=daemon: any(map(daemon.logged, ("serving", "spool_locked", "fatal"))))
    first, second = sorted(pair, key=lambda daemon: (len(daemon.logged("fatal")), len(daemon.logged("spool_locked"))))
    if second.logged("fatal"):
        assert "Address already in use; " in second.logged("fatal")[0]["error"]
        assert await second.gone() == 1
    await first.heard("serving")
    assert not second.logged("serving")
    stub = IngestServiceStub(first.open_channel(first.ingest_address))
    await stub.Publish(PublishRequest(envelopes=[envelope("u1", "Opened", envelope_id=f"sent {attempt}")]))
    await first.ended([f"sent {attempt}"])
    assert await first.stop() == 0
    if second.runs:
        await second.heard("serving")
    for daemon in pair:
        await daemon.close()


async def test_daemon_waiting_for_the_spool_can_be_stopped(daemon: Daemon, sandbox: Sandbox) -> None:
    second = await rival(daemon, sandbox, "60s").launch()
    await second.heard("spool_locked")
    second.signal(signal.SIGTERM)
    assert await second.gone() == 0
    await second.close()


async def test_file_of_another_program_is_reported_and_kept(tmp_path: Path, sandbox: Sandbox) -> None:
    """Another program's file keeps every byte."""
    (tmp_path / "spool.db").write_bytes(b"a list of letters\n" * 1000)
    daemon = await Daemon(tmp_path, sandbox.base_url).launch()
    assert await daemon.gone() == 1
    assert "spool.db" in daemon.logged("fatal")[0]["error"]
    assert (tmp_path / "spool.db").read_bytes() == b"a list of letters\n" * 1000
    await daemon.close()
