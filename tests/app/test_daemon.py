"""The order of starting and stopping, in one process; tests/e2e runs daemons in processes of their own."""

import asyncio
from pathlib import Path

import pytest

from daemons.in_process import daemon_of, events, settings
from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.errors import RetryLater, SpoolLocked
from intercomd_daemon.operations.daemon_control import DaemonState


@pytest.mark.parametrize("url", ["", "memory:"])
async def test_daemon_serves_until_it_is_stopped(tmp_path: Path, url: str) -> None:
    daemon, stream = daemon_of(settings(tmp_path, url))
    assert daemon.status.state() is DaemonState.STARTING
    with pytest.raises(RetryLater):
        daemon.status.archive()
    running = asyncio.create_task(daemon.run())
    await daemon.serving.wait()
    assert daemon.status.state() is DaemonState.SERVING
    assert {check.name: check.moves for check in daemon.status.checks()} == {"spool": True, "worker default": True}
    daemon.stop()
    daemon.stop()
    await running
    assert daemon.status.state() is DaemonState.DRAINING
    assert events(stream) == ["operations", "serving", "draining", "stopped"]


async def test_second_daemon_waits_for_the_spool_and_then_gives_up(tmp_path: Path) -> None:
    first, _ = daemon_of(settings(tmp_path))
    running = asyncio.create_task(first.run())
    await first.serving.wait()
    second, stream = daemon_of(settings(tmp_path))
    with pytest.raises(SpoolLocked, match="one daemon per spool"):
        await second.run()
    assert second.status.state() is DaemonState.STARTING
    assert events(stream) == ["operations", "spool_locked", "stopped"]
    first.stop()
    first.stop()
    await running


async def test_daemon_that_waits_for_its_spool_can_be_stopped(tmp_path: Path) -> None:
    first, _ = daemon_of(settings(tmp_path))
    running = asyncio.create_task(first.run())
    await first.serving.wait()
    waiting, stream = daemon_of(settings(tmp_path))
    waiting.stop()
    await waiting.run()
    assert events(stream)[-1] == "stopped"
    first.stop()
    first.stop()
    await running


async def test_unavailable_address_ends_the_daemon_and_frees_the_spool(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        daemon, stream = daemon_of(settings(tmp_path, listen=f"127.0.0.1:{port}"))
        with pytest.raises(ListenerUnavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            await daemon.run()
        assert events(stream) == ["operations_unavailable", "stopped"]
    # Only while it holds the spool does it know that no daemon on the same spool has the address. It frees the spool.
    daemon, _ = daemon_of(settings(tmp_path))
    daemon.stop()
    await daemon.run()
