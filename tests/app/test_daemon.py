"""The order of starting and stopping, in one process; tests/e2e runs daemons in processes of their own."""

import asyncio
import io
import json
from pathlib import Path

import pytest

from clock.virtual import VirtualLoop
from intercomd_daemon import config
from intercomd_daemon.app import Daemon
from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.app.daemon import CLOSE_SECONDS, STALLED_SECONDS
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import RetryLater, SpoolLocked
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck
from intercomd_daemon.operations.settings import OperationsSettings
from intercomd_daemon.setting.secret import Secret
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.telemetry import logs


def settings(folder: Path, url: str = "", **operations: str) -> config.Settings:
    listeners = {"listen": "127.0.0.1:0", "grpc_listen": "127.0.0.1:0"} | operations
    return config.Settings(
        ingest=IngestSettings(listen=("127.0.0.1:0",)),
        spool=SpoolSettings(url=url or f"sqlite:{folder / 'spool.db'}", lock_wait_seconds=0.3, free_bytes_min=0),
        operations=OperationsSettings(**listeners),
        connections={
            "default": ConnectionSettings(
                name="default", app_id="a", access_token=Secret("t"), base_url="http://127.0.0.1:1"
            )
        },
    )


def daemon_of(settings: config.Settings) -> tuple[Daemon, io.StringIO]:
    stream = io.StringIO()
    return Daemon(settings, logs.set_up(settings.log, stream)), stream


def events(stream: io.StringIO) -> list[str]:
    """Returns the logged events, without those of libraries: asyncio warns on a slow machine."""
    logged = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    return [event for event in logged if event not in {"library", "connection"}]


@pytest.mark.parametrize("url", ["", "memory:"])
async def test_daemon_serves_until_it_is_stopped(tmp_path: Path, url: str) -> None:
    daemon, stream = daemon_of(settings(tmp_path, url))
    assert daemon.state() is DaemonState.STARTING
    with pytest.raises(RetryLater):
        daemon.archive()
    running = asyncio.create_task(daemon.run())
    await daemon.serving.wait()
    assert daemon.state() is DaemonState.SERVING
    assert {check.name: check.moves for check in daemon.checks()} == {"spool": True, "worker default": True}
    daemon.stop()
    daemon.stop()
    await running
    assert daemon.state() is DaemonState.DRAINING
    assert events(stream) == ["operations", "serving", "draining", "stopped"]


async def test_second_daemon_waits_for_the_spool_and_then_gives_up(tmp_path: Path) -> None:
    first, _ = daemon_of(settings(tmp_path))
    running = asyncio.create_task(first.run())
    await first.serving.wait()
    second, stream = daemon_of(settings(tmp_path))
    with pytest.raises(SpoolLocked, match="one daemon per spool"):
        await second.run()
    assert second.state() is DaemonState.STARTING
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
    # Only the daemon that holds the spool knows that the other one is no daemon of the same spool; it lets go of it.
    daemon, _ = daemon_of(settings(tmp_path))
    daemon.stop()
    await daemon.run()


async def test_pause_is_remembered_over_restarts(tmp_path: Path) -> None:
    for paused in (False, True):
        daemon, _ = daemon_of(settings(tmp_path))
        running = asyncio.create_task(daemon.run())
        await daemon.serving.wait()
        assert await daemon.archive().paused() == (frozenset({"default"}) if paused else frozenset())
        await daemon.pause("default", paused=not paused)
        daemon.stop()
        daemon.stop()
        await running


@pytest.mark.fills("app.daemon.CLOSE_SECONDS")
def test_stop_is_bounded_whatever_never_ends(tmp_path: Path) -> None:
    """In a loop whose clock leaps; a second stop ends the waits at once, whatever the clock."""

    async def wait() -> list[bool]:
        daemon, _ = daemon_of(settings(tmp_path))
        never_ending = [asyncio.ensure_future(asyncio.Event().wait()) for _ in range(4)]
        for each, seconds in zip(never_ending, (2.0, 20.0, CLOSE_SECONDS), strict=False):
            await daemon._in_time(each, seconds)
        daemon.stop()
        daemon.stop()
        await daemon._in_time(never_ending[3], float("inf"))
        return [each.cancelled() for each in never_ending]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(wait()) == [True, True, True, True]


class BusySpool(MemorySpool):
    """A spool whose commit has been under way for a while."""

    seconds = 0.0

    def busy_seconds(self) -> float:
        return self.seconds


@pytest.mark.fills("app.daemon.STALLED_SECONDS")
async def test_commit_that_hangs_is_no_progress(tmp_path: Path) -> None:
    daemon, _ = daemon_of(settings(tmp_path, "memory:"))
    spool = daemon._spool = BusySpool()
    assert daemon.checks() == [HealthCheck("spool", moves=True)]
    spool.seconds = STALLED_SECONDS + 1
    assert daemon.checks() == [HealthCheck("spool", moves=False, detail="a commit has been under way for 61 s")]
    await spool.close()
