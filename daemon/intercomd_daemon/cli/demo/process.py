"""Runs the daemon of the demo in its own process, so that it can be killed."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Any

from intercomd_daemon.cli.exits import CommandFailed

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LINES_KEPT = 20
_LINE_BYTES_MAX = 1 << 20


class DaemonProcess:
    """`intercomd run` with a settings file. After a restart it listens at the same addresses."""

    def __init__(self, folder: Path, settings: str) -> None:
        """`folder` holds the settings, the spool and the log."""
        self._folder = folder
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._serving = asyncio.Event()
        self._draining = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.ingest = "127.0.0.1:0"
        self.operations = "127.0.0.1:0"

    @property
    def pid(self) -> int:
        """The process id; 0: the daemon is not running."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def start(self) -> None:
        """Starts the daemon, and waits until it accepts envelopes.

        Raises:
            CommandFailed: the daemon did not start.
        """
        path = self._folder / "intercomd.toml"
        path.write_text(self._settings)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERCOMD_")}
        # Any free port at the first start, the same one later.
        environment |= {"INTERCOMD_INGEST_LISTEN": self.ingest, "INTERCOMD_OPERATIONS_GRPC_LISTEN": self.operations}
        self._serving.clear()
        self._draining.clear()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "intercomd_daemon", "run", "--config", str(path)),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES_MAX,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which stops the daemon
        )
        self._reading = asyncio.create_task(self._read(self._process))
        serving = asyncio.create_task(self._serving.wait())
        await asyncio.wait({serving, self._reading}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if not self._serving.is_set():
            await self.kill()
            raise CommandFailed("the daemon did not start:\n" + "".join(self._last_lines))

    async def kill(self) -> None:
        """Kills the daemon with SIGKILL, so that it can save nothing."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Stops the daemon gracefully. A second signal, sent once it drains, skips its wait for senders."""
        if not self.pid or self._process is None or self._reading is None:
            return
        self._process.send_signal(signal.SIGTERM)
        draining = asyncio.create_task(self._draining.wait())
        await asyncio.wait({draining, self._reading}, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        draining.cancel()
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if not self.pid or self._process is None or self._reading is None:
            return
        self._process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Writes the log to a file, and reads the addresses from it."""
        if process.stderr is None:
            return
        with (self._folder / "daemon.log").open("ab") as log:
            async for line in process.stderr:
                log.write(line)
                self._last_lines.append(line.decode(errors="replace"))
                self._on_log_line(_fields(line))

    def _on_log_line(self, line: dict[str, Any]) -> None:
        if line.get("event") == "operations":
            self.operations = str(line["grpc"])
        elif line.get("event") == "serving":
            self.ingest = str(line["ingest"])
            self._serving.set()
        elif line.get("event") == "draining":
            self._draining.set()


def _fields(line: bytes) -> dict[str, Any]:
    try:
        held = json.loads(line)
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}
