"""The processes of a fleet: database servers, daemons, and proxies between each daemon and its two neighbours."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

import asyncpg

from daemons import on_other_clock
from daemons.process import WAIT_SECONDS, Daemon, connection_for
from database.server import Server
from fleet_harness.intercom_proxy import Call, IntercomProxy, token_of
from fleet_harness.laws import TakeOver, take_overs_of
from intercomd_daemon.sandbox import Recorded, Sandbox, SandboxSettings
from kill_harness.kills import pause
from kill_harness.plan import SECOND
from ports import free_port
from tcp_proxy import TcpProxy

LEASE_SECONDS = 5.0
RATE_LIMIT, RATE_WINDOW_SECONDS = 160, 2.0
"""Windows of 2 s instead of 10 s, so that waiting for the end of one costs little."""
CLOCKS = {"a": 0.0, "b": 3_600.0, "c": -3_600.0}
"""Daemons that always run, and how far their wall clocks are ahead."""
GUEST = "d"
"""A daemon that joins and leaves."""
LOOK_SECONDS = 0.05
POOL = 4
"""Sessions of a daemon."""


class Fleet:
    """Three daemons, a guest, their database with a synchronous standby, and Intercom."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.servers: list[Server] = []
        """The primary, then its standby."""
        self.sandbox = Sandbox(
            SandboxSettings(
                rate_limit=RATE_LIMIT,
                rate_window_seconds=RATE_WINDOW_SECONDS,
                # 2 s late is a whole window here.
                recorded=frozenset(Recorded) - {Recorded.RESET_LATE},
                seed=seed,
            )
        )
        self.daemons: dict[str, Daemon] = {}
        self.databases: dict[str, list[TcpProxy]] = {}
        """Of each daemon, a proxy to each server."""
        self.intercom: IntercomProxy
        self.addresses: dict[str, str] = {}
        self._stack = AsyncExitStack()
        self._session: asyncpg.Connection | None = None
        """Where `value` reads; opened again after each failure of the primary."""
        self._name = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        for name, daemon in self.daemons.items():
            if daemon.runs:
                daemon.signal(signal.SIGCONT)
                await daemon.kill()
            lines = "".join(f"{line}\n" for line in daemon.lines)
            await asyncio.to_thread((self.folder / f"{name}.log").write_text, lines)
        if self._session is not None:
            self._session.terminate()
        await self._stack.aclose()

    async def _start(self) -> None:
        self._stack.callback(lambda: [server.close() for server in self.servers])
        self.servers.append(Server())
        self.servers[0].start()
        self._name = self.servers[0].database()
        await self.add_standby()
        await self._stack.enter_async_context(self.sandbox)
        self.intercom = await self._stack.enter_async_context(IntercomProxy(self.sandbox.base_url))
        for name in (*CLOCKS, GUEST):
            await self._make(name)
        await asyncio.gather(*(self.daemons[name].start() for name in CLOCKS))

    async def add_standby(self) -> None:
        """Starts a standby of the primary, for which every commit waits from then on."""
        standby = await asyncio.to_thread(Server, primary=self.servers[0])
        self.servers.append(standby)
        await asyncio.to_thread(standby.start)
        await asyncio.to_thread(self.servers[0].replicate, synchronously=True)

    async def _make(self, name: str) -> None:
        """Makes a daemon with a token, and proxies to the servers, of its own; starts nothing."""
        proxies = [await self._stack.enter_async_context(TcpProxy(self._socket(server))) for server in self.servers]
        self.databases[name] = proxies
        folder = self.folder / name
        folder.mkdir()
        hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        self.addresses[name] = f"127.0.0.1:{free_port()}"
        tables: dict[str, Any] = {
            "ingest": {"listen": [self.addresses[name]]},
            "spool": {"url": f"postgresql://intercomd@{hosts}/{self._name}?sslmode=disable"},
            "fleet": {"daemon_id": name, "lease": f"{LEASE_SECONDS:g}s"},
            "connections": {SECOND: connection_for(self.intercom.base_url, folder / "token")},
        }
        offset = CLOCKS.get(name, 0.0)
        command = on_other_clock.command(offset) if offset else ()
        self.daemons[name] = Daemon(folder, self.intercom.base_url, tables, command)
        (folder / "token").write_text(token_of(name))

    def _socket(self, server: Server) -> Path:
        return server.folder / ".s.PGSQL.5432"

    def point(self) -> None:
        """Points the daemons' proxies to the servers of now, the first proxy to the first server."""
        for proxies in self.databases.values():
            for proxy, server in zip(proxies, self.servers, strict=False):
                proxy.target = self._socket(server)

    @property
    def calls(self) -> list[Call]:
        """The calls about users that Intercom worked on."""
        return self.intercom.made

    async def value(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - of the database
        """Returns a value of the primary, once it answers."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    if self._session is None or self._session.is_closed():
                        self._session = await self.connect()
                    return await self._session.fetchval(statement, *values)
                await pause(LOOK_SECONDS)

    async def connect(self) -> asyncpg.Connection:
        """Returns a session of the primary."""
        return await asyncpg.connect(self.servers[0].url(self._name), timeout=5)

    async def owner(self, *others_than: str, seconds: float = WAIT_SECONDS) -> str:
        """Waits until a daemon holds the workspace, other than these; returns its name."""
        statement = (
            "SELECT d.daemon_id FROM intercomd.leases AS l JOIN intercomd.daemons AS d"
            " ON d.incarnation = l.incarnation AND d.kind = 'append'"
        )
        found = ""

        async def look() -> bool:
            nonlocal found
            found = str(await self.value(statement) or "")
            return bool(found) and found not in others_than

        await self.until(look, seconds)
        return found

    async def until(self, holds: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        """Waits until something holds that changes elsewhere."""
        async with asyncio.timeout(seconds):
            while True:
                held = holds()
                if await held if asyncio.iscoroutine(held) else held:
                    return
                await pause(LOOK_SECONDS)

    async def progress(self, events: int = 40) -> None:
        """Waits until some more events have arrived."""
        wanted = len(self.sandbox.events) + events
        await self.until(lambda: len(self.sandbox.events) >= wanted)

    async def next_call(self, since: float, *daemons_not: str) -> float:
        """Waits for a call about a user by another daemon than these; returns the seconds until it began."""

        def first() -> float:
            begun = (each.begun for each in self.calls if each.begun > since and each.daemon not in daemons_not)
            return min(begun, default=0.0)

        await self.until(first)
        return first() - since

    def take_overs(self) -> list[TakeOver]:
        """Returns the take-overs so far."""
        return take_overs_of({name: daemon.lines for name, daemon in self.daemons.items()}, CLOCKS)

    def running(self) -> list[str]:
        """Returns the daemons that run."""
        return [name for name, daemon in self.daemons.items() if daemon.runs]


def now() -> float:
    """Returns Unix seconds, as the proxies and the sandbox read them."""
    return time.time()
