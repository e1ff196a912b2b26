"""Unix sockets of whole daemons: two never share one, a waiting one takes nothing, a clean stop leaves none."""

import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from daemons.process import Daemon, Start
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

NAMES = ("ingest", "http", "grpc", "health")


def everywhere(folder: Path) -> dict[str, Any]:
    """Settings with a Unix socket for each listener."""
    ingest, http, grpc, health = (f"unix:{folder / name}" for name in NAMES)
    return {
        "ingest": {"listen": [ingest]},
        "operations": {"listen": http, "grpc_listen": grpc},
        "health": {"listen": [health]},
    }


def sockets(folder: Path) -> dict[str, int]:
    """The names of sockets in a folder with their inodes."""
    return {path.name: path.lstat().st_ino for path in folder.iterdir() if stat.S_ISSOCK(path.lstat().st_mode)}


async def test_second_daemon_with_the_same_settings_takes_over_later(
    start: Start, tmp_path: Path, sandbox: Sandbox
) -> None:
    """The first is undisturbed."""
    first = await start(**everywhere(tmp_path))
    before = sockets(tmp_path)
    assert set(before) == set(NAMES)
    second = await Daemon(tmp_path, sandbox.base_url, everywhere(tmp_path)).launch()
    await second.heard("spool_locked")
    (warning,) = second.logged("operations_unavailable")
    assert f"unix:{tmp_path / 'grpc'}: Address already in use; " in warning["error"]
    assert sockets(tmp_path) == before
    await first.publish(envelope("u1", "Opened", envelope_id="undisturbed"))
    await first.ended(["undisturbed"])
    assert await first.stop() == 0
    await second.heard("serving")
    assert set(sockets(tmp_path)) == set(NAMES)
    stub = IngestServiceStub(second.open_channel(second.ingest_address))
    await stub.Publish(PublishRequest(envelopes=[envelope("u1", "Opened", envelope_id="handed over")]))
    await second.ended(["handed over"])
    assert await second.stop() == 0
    assert sockets(tmp_path) == {}
    await second.close()


async def test_second_daemon_with_the_same_settings_gives_up(start: Start, tmp_path: Path, sandbox: Sandbox) -> None:
    first = await start(**everywhere(tmp_path))
    before = sockets(tmp_path)
    tables = {**everywhere(tmp_path), "spool": {"url": f"sqlite:{tmp_path / 'spool.db'}", "lock_wait": "0s"}}
    second = await Daemon(tmp_path, sandbox.base_url, tables).launch()
    assert await second.gone() == 1
    assert "spool.url" in second.logged("fatal")[0]["error"]
    assert sockets(tmp_path) == before
    await first.publish(envelope("u1", "Opened", envelope_id="undisturbed"))
    await first.ended(["undisturbed"])
    await second.close()


@pytest.mark.parametrize("name", NAMES)
async def test_socket_of_a_daemon_with_another_spool_is_not_taken_over(
    start: Start, tmp_path: Path, sandbox: Sandbox, name: str
) -> None:
    first = await start(**everywhere(tmp_path))
    before = sockets(tmp_path)
    folder = tmp_path / "second"
    folder.mkdir()
    tables = everywhere(folder)
    shared = f"unix:{tmp_path / name}"
    key = {"ingest": ("ingest", "listen"), "http": ("operations", "listen"), "grpc": ("operations", "grpc_listen")}
    table, setting = key.get(name, ("health", "listen"))
    tables[table][setting] = shared if table == "operations" else [shared]
    second = await Daemon(folder, sandbox.base_url, tables).launch()
    assert await second.gone() == 1
    assert f"cannot listen on {shared}: Address already in use; " in second.logged("fatal")[0]["error"]
    assert sockets(folder) == {}
    assert sockets(tmp_path) == before
    await first.publish(envelope("u1", "Opened", envelope_id="undisturbed"))
    await first.ended(["undisturbed"])
    await second.close()


async def test_sockets_are_replaced_after_a_crash(start: Start, tmp_path: Path) -> None:
    daemon = await start(**everywhere(tmp_path))
    await daemon.kill()
    assert set(sockets(tmp_path)) == set(NAMES)
    await daemon.start()
    await daemon.publish(envelope("u1", "Opened", envelope_id="again"))
    await daemon.ended(["again"])


async def test_socket_modes_are_those_of_the_settings(start: Start, tmp_path: Path) -> None:
    tables = everywhere(tmp_path)
    await start(**tables)
    assert [stat.S_IMODE((tmp_path / name).lstat().st_mode) for name in NAMES] == [0o660, 0o600, 0o600, 0o600]


@pytest.mark.parametrize("name", NAMES)
async def test_file_at_the_path_of_a_socket_is_kept(tmp_path: Path, sandbox: Sandbox, name: str) -> None:
    (tmp_path / name).write_text("kept")
    daemon = await Daemon(tmp_path, sandbox.base_url, everywhere(tmp_path)).launch()
    assert await daemon.gone() == 1
    error = daemon.logged("fatal")[0]["error"]
    assert str(tmp_path / name) in error
    assert "not a socket" in error
    assert (tmp_path / name).read_text() == "kept"
    assert sockets(tmp_path) == {}
    await daemon.close()


@pytest.mark.parametrize("key", ["listen", "grpc_listen"])
async def test_port_in_use_is_named_with_the_fix(tmp_path: Path, sandbox: Sandbox, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = await Daemon(tmp_path, sandbox.base_url, {"operations": {key: address}}).launch()
        assert await daemon.gone() == 1
    fix = "stop the process that listens there, perhaps a running daemon, or choose another address"
    assert daemon.logged("fatal")[0]["error"] == f"cannot listen on {address}: Address already in use; {fix}"
    await daemon.close()
