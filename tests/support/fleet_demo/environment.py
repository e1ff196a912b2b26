"""Runs the processes of the demo: PostgreSQL, gateways that share a spool in it, agents, and Intercom's sandbox."""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import asyncpg

from database.server import Server
from intercomd_daemon.cli.demo.process import DaemonProcess
from intercomd_daemon.sandbox import Recorded, Sandbox, SandboxSettings
from ports import free_port

LEASE_SECONDS = 5
RATE_LIMIT = 120
RATE_WINDOW_SECONDS = 2.0
"""Intercom's windows last 10 s. Shorter ones let a viewer see several."""
GATEWAYS = ("east", "west")
_COMMON = """\
[operations]
listen = "127.0.0.1:0"
"""
_GATEWAY = """\
[spool]
url = "{url}"
[fleet]
daemon_id = "{name}"
lease = "{lease}s"
[connections.default]
app_id = "{app_id}"
access_token_file = "{folder}/token"
base_url = "{base_url}"
"""
_AGENT = """\
[spool]
url = "sqlite:{folder}/spool.db"
free_bytes_min = "16MiB"
[upstream]
target = "ipv4:{gateways}"
"""


class FleetEnvironment:
    """All processes, which have ended when the context closes."""

    def __init__(self, folder: Path, agents: tuple[str, ...]) -> None:
        self.server = Server()
        settings = SandboxSettings(
            rate_limit=RATE_LIMIT,
            rate_window_seconds=RATE_WINDOW_SECONDS,
            # 2 s late is a whole window here.
            recorded=frozenset(Recorded) - {Recorded.RESET_LATE},
            workspace_name="Demo",
        )
        self.sandbox = Sandbox(settings)
        self.gateways: dict[str, DaemonProcess] = {}
        self.agents: dict[str, DaemonProcess] = {}
        self._folder = folder
        self._agents = agents
        self._stack = AsyncExitStack()
        self._database: asyncpg.Connection

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:  # also if the demo is cancelled meanwhile
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        self._stack.callback(self.server.close)
        self.server.start()
        await self._stack.enter_async_context(self.sandbox)
        url = self.server.url(self.server.database())
        settings = self.sandbox.settings
        for name in GATEWAYS:
            folder = self._make_folder(name)
            (folder / "token").write_text(settings.access_token)
            values = {"url": url, "name": name, "lease": LEASE_SECONDS, "folder": folder, "app_id": settings.app_id}
            text = _GATEWAY.format(base_url=self.sandbox.base_url, **values)
            self.gateways[name] = await self._run(folder, text)
        self._database = await asyncpg.connect(url)
        self._stack.callback(self._database.terminate)
        targets = ",".join(gateway.ingest for gateway in self.gateways.values())
        for name in self._agents:
            folder = self._make_folder(name)
            self.agents[name] = await self._run(folder, _AGENT.format(folder=folder, gateways=targets))

    def _make_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    async def _run(self, folder: Path, settings: str) -> DaemonProcess:
        process = DaemonProcess(folder, settings + _COMMON)
        process.ingest = f"127.0.0.1:{free_port()}"
        self._stack.push_async_callback(process.kill)
        await process.start()
        return process

    async def owner(self) -> str:
        """Returns the name of the gateway that delivers the workspace; empty: none does."""
        statement = (
            "SELECT d.daemon_id FROM intercomd.leases AS l JOIN intercomd.daemons AS d"
            " ON d.incarnation = l.incarnation AND d.kind = 'append'"
        )
        return str(await self._database.fetchval(statement) or "")

    async def stop(self) -> None:
        """Stops all daemons in order, agents first, as their gateways take what they still forward."""
        for process in (*self.agents.values(), *self.gateways.values()):
            await process.stop()


def calls_since(sandbox: Sandbox, since: float) -> list[float]:
    """Returns when Intercom received calls after a time, in Unix seconds."""
    return [call.time for call in sandbox.calls if since < call.time <= time.time()]
