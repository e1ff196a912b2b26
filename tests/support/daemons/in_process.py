"""A daemon in the process of the test."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from intercomd_daemon import config
from intercomd_daemon.app import Daemon
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import OperationsSettings
from intercomd_daemon.setting.secret import Secret
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


def daemon_of(
    settings: config.Settings, load: Callable[[], config.LoadedSettings] | None = None
) -> tuple[Daemon, io.StringIO]:
    """Returns a daemon, and what it logs; a reload finds unchanged settings unless `load` returns others."""
    stream = io.StringIO()
    unchanged = config.LoadedSettings(settings, {}, ())
    return Daemon(settings, logs.set_up(settings.log, stream), load or (lambda: unchanged)), stream


@asynccontextmanager
async def serving(daemon: Daemon) -> AsyncIterator[Daemon]:
    """Runs a daemon; stops it at the end without any wait."""
    running = asyncio.create_task(daemon.run())
    await daemon.serving.wait()
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.stop()
        await running


def events(stream: io.StringIO) -> list[str]:
    """Returns the logged events, without those of libraries: asyncio warns on a slow machine."""
    logged = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    return [event for event in logged if event not in {"library", "connection"}]
