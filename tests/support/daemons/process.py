"""Runs the daemon as a process with a settings file; tests use its channels and read its log."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Self

import grpc

from daemons.forked import ForkedProcess, fork
from intercomd.proxies import proxy_options
from intercomd.v1 import ingest_pb2_grpc, operations_pb2, operations_pb2_grpc
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse
from intercomd.v1.outcome_pb2 import Outcome

COMMAND = Path(sys.executable).with_name("intercomd")
EXECUTABLE = (COMMAND,)
"""Starts a daemon as users do, for tests of the start itself and of what a process takes."""
TOKEN = "sandbox-token"
WAIT_SECONDS = 60.0
"""How long anything is waited for: far longer than it takes, so that only what never comes fails."""
_LINE_BYTES_MAX = 1 << 20

Line = dict[str, Any]
Tables = Mapping[str, Any]
_open: set["Daemon"] = set()
"""The daemons of this process that were launched and not closed."""


class Daemon:
    """One daemon, started as often as a test likes on the same file of settings and the same spool."""

    def __init__(
        self, folder: Path, base_url: str, tables: Tables | None = None, command: Sequence[str | Path] = ()
    ) -> None:
        """`tables` are settings beside, or in place of, those for a sandbox at `base_url`.

        Without a `command` it is forked from a process that has imported the daemon, which makes a start cheap.
        """
        self.folder = folder
        self._command = command
        self.lines: list[Line] = []
        self.channel: grpc.aio.Channel
        self.ingest: ingest_pb2_grpc.IngestServiceAsyncStub
        self.operations: operations_pb2_grpc.OperationsServiceAsyncStub
        self.outcomes: Counter[str] = Counter()
        """How often each envelope's outcome was logged, over all starts."""
        self.starts: list[float] = []
        """When each process was started, in Unix seconds; the one before had ended."""
        self._file = write_settings(folder, base_url, tables or {})
        self._process: asyncio.subprocess.Process | ForkedProcess | None = None
        self._log: asyncio.ReadTransport
        self._listening: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._ended = False
        self._from = 0
        self._channels: list[grpc.aio.Channel] = []

    async def launch(self) -> Self:
        """Starts the process, and waits for nothing."""
        # What is under test runs in the process; here a stack for each callback only slows senders and the sandbox.
        asyncio.get_running_loop().set_debug(enabled=False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERCOMD_")}
        reader, end = await self._open_log()
        words = (*(self._command or EXECUTABLE), "run", "--config", self._file)
        self.starts.append(time.time())
        try:
            if self._command:
                self._process = await asyncio.create_subprocess_exec(
                    *words, stderr=end, env=environment, cwd=self.folder
                )
            else:
                self._process = fork([str(word) for word in words], end, environment, self.folder)
        finally:
            os.close(end)
        _open.add(self)
        self._from = len(self.lines)
        self._ended = False
        self._listening = asyncio.create_task(self._listen(self._process, reader))
        return self

    async def _open_log(self) -> tuple[asyncio.StreamReader, int]:
        """Opens a pipe for the log; returns its reader and the descriptor of its other end."""
        reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        here, end = os.pipe()
        loop = asyncio.get_running_loop()
        self._log, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(here, "rb", buffering=0)
        )
        return reader, end

    async def start(self) -> Self:
        """Starts the process, and waits until it takes envelopes; nothing is left of a start that fails."""
        await self.launch()
        try:
            await self.heard("serving")
        except BaseException:
            await self.abandon()
            raise
        await self._close_channels()
        self.channel = self.open_channel(self.ingest_address)
        self.ingest = ingest_pb2_grpc.IngestServiceStub(self.channel)
        self.operations = operations_pb2_grpc.OperationsServiceStub(self.open_channel(self.operations_address))
        return self

    @property
    def ingest_address(self) -> str:
        """Where senders call."""
        return str(self.logged("serving")[-1]["ingest"]).split(", ")[0]

    @property
    def operations_address(self) -> str:
        """Where operators call."""
        return str(self.logged("operations")[-1]["grpc"])

    @property
    def http_address(self) -> str:
        """Where probes and scrapers ask."""
        return str(self.logged("operations")[-1]["http"])

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has neither ended nor been killed."""
        return self._process is not None and self._process.returncode is None

    def open_channel(self, address: str) -> grpc.aio.Channel:
        """A channel of its own, that is closed at the next start, or with the daemon."""
        channel = grpc.aio.insecure_channel(
            address, options=(("grpc.max_send_message_length", 64 << 20), *proxy_options(address))
        )
        self._channels.append(channel)
        return channel

    def since_start(self) -> list[Line]:
        """Everything that the log says since the last start."""
        return self.lines[self._from :]

    def logged(self, event: str, **fields: object) -> list[Line]:
        """The lines of an event since the last start, those that have these fields."""
        return [line for line in self.since_start() if _fits(line, event, fields)]

    async def heard(self, event: str, **fields: object) -> Line:
        """Waits for a line of an event since the last start."""
        await self.until(lambda: self.logged(event, **fields))
        return self.logged(event, **fields)[-1]

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits until something holds; it is asked now and after each line of the log.

        Raises:
            AssertionError: it did not come to hold, or the process ended before.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not holds():
                    assert not self._ended, f"the daemon ended: {self.lines[-5:]}"
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {WAIT_SECONDS:g} s; the last lines: {self.lines[-5:]}") from None

    async def ended(self, envelope_ids: Sequence[str]) -> None:
        """Waits until the outcome of each of these envelopes was logged."""
        missing = set(envelope_ids)

        def all_ended() -> bool:
            missing.difference_update(self.outcomes)
            return not missing

        await self.until(all_ended)

    async def publish(self, *envelopes: Envelope, **fields: Any) -> PublishResponse:  # noqa: ANN401 - of the request
        """One unary request."""
        return await self.ingest.Publish(PublishRequest(envelopes=envelopes, **fields))

    async def idle(self) -> None:
        """Waits until no accepted envelope waits: each that leaves the spool is logged then."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                self._changed.clear()
                status = await self.operations.GetStatus(operations_pb2.GetStatusRequest())
                if not any(connection.waiting_normal + connection.waiting_bulk for connection in status.connections):
                    return
                await self._changed.wait()

    async def journal(self) -> list[Outcome]:
        """Every outcome that the daemon keeps, oldest first."""
        outcomes: list[Outcome] = []
        token = ""
        while True:
            request = operations_pb2.ListOutcomesRequest(page_size=1000, page_token=token)
            page = await self.operations.ListOutcomes(request)
            outcomes += page.outcomes
            token = page.next_page_token
            if not token:
                return outcomes[::-1]

    async def connection(self, name: str = "default") -> operations_pb2.ConnectionStatus:
        """Returns the status of a connection."""
        status = await self.operations.GetStatus(operations_pb2.GetStatusRequest())
        return next(connection for connection in status.connections if connection.name == name)

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def gone(self) -> int:
        """Waits until the process has ended, and gives its exit code."""
        assert self._process is not None
        assert self._listening is not None
        async with asyncio.timeout(WAIT_SECONDS):
            code = await self._process.wait()
            await self._listening
        return code

    def read_log(self, *, on: bool) -> None:
        """Stops or goes on reading what the daemon writes to its standard error."""
        if on:
            self._log.resume_reading()
        else:
            self._log.pause_reading()

    def close_log(self) -> None:
        """Closes the reading end of the daemon's standard error."""
        self._log.close()

    async def exited(self) -> None:
        """Waits for the end of the process, without reading its log."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        descriptor = os.pidfd_open(self.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self) -> int:
        """Stops it in order, as a platform does, and gives the exit code."""
        self.signal(signal.SIGTERM)
        return await self.gone()

    async def hurry(self) -> int:
        """Stops it with two signals, the second of which it does not wait after."""
        self.signal(signal.SIGTERM)
        await self.until(lambda: self._ended or self.logged("draining"))
        if self.runs:
            self.signal(signal.SIGTERM)
        return await self.gone()

    async def kill(self) -> None:
        """Ends it as a crash does."""
        self.signal(signal.SIGKILL)
        await self.gone()

    async def close(self) -> None:
        """Ends it if it runs, and looks at what it has said."""
        try:
            if self.runs:
                assert await self.hurry() == 0
        finally:
            await self.abandon()
        self._examine()

    async def abandon(self) -> None:
        """Kills it if it runs, and closes what is open to it; looks at nothing."""
        if self.runs:
            self.read_log(on=True)
            await self.kill()
        await self._close_channels()
        _open.discard(self)

    def forget(self) -> None:
        """Looks at what it has said, as `close` does, and keeps only what it said since the last start."""
        self._examine()
        del self.lines[: self._from]
        self._from = 0

    def _examine(self) -> None:
        for line in self.lines:
            text = json.dumps(line)
            assert line["event"] != "", f"the daemon wrote something else than its log: {text}"
            assert TOKEN not in text
            assert "@" not in text

    async def _close_channels(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            await channel.close()

    async def _listen(self, process: asyncio.subprocess.Process | ForkedProcess, log: asyncio.StreamReader) -> None:
        async for raw in log:
            line = _line(raw)
            if line["event"] == "outcome":
                self.outcomes[line["envelope_id"]] += 1
            self.lines.append(line)
            self._changed.set()
        await process.wait()
        self._ended = True
        self._changed.set()


def owning_daemons(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Returns the test such that it leaves no daemon that it has launched, if it fails."""

    @wraps(test)
    async def owned(*arguments: Any, **fixtures: Any) -> None:  # noqa: ANN401 - those of any test
        of_fixtures = {*_open}
        try:
            await test(*arguments, **fixtures)
        except BaseException:
            for daemon in _open - of_fixtures:
                await daemon.abandon()
            raise

    return owned


Start = Callable[..., Awaitable[Daemon]]
"""Starts a daemon with the tables of settings that are given by name."""


def _line(raw: bytes) -> Line:
    try:
        line: Line = json.loads(raw)
    except ValueError:
        return {"event": "", "text": raw.decode(errors="replace")}
    return line


def _fits(line: Line, event: str, fields: Mapping[str, object]) -> bool:
    return bool(line["event"] == event) and all(line.get(name) == value for name, value in fields.items())


def write_settings(folder: Path, base_url: str, tables: Tables) -> Path:
    """Writes the file of settings, those of a daemon for a sandbox with `tables` beside or in place of them."""
    token = folder / "token"
    token.write_text(TOKEN)
    file = folder / "intercomd.toml"
    file.write_text("".join(_toml(_merged(_settings(folder, base_url, token), tables))))
    return file


def connection_for(base_url: str, token: Path, **fields: object) -> dict[str, Any]:
    """The settings of a connection to a sandbox."""
    return {"app_id": "sandbox", "access_token_file": str(token), "base_url": base_url, **fields}


def _settings(folder: Path, base_url: str, token: Path) -> dict[str, Any]:
    return {
        "ingest": {"listen": ["127.0.0.1:0"]},
        "spool": {"url": f"sqlite:{folder / 'spool.db'}", "free_bytes_min": "1MiB"},
        "operations": {"listen": "127.0.0.1:0", "grpc_listen": "127.0.0.1:0"},
        "connections": {"default": connection_for(base_url, token)},
    }


def _merged(one: Tables, other: Tables) -> dict[str, Any]:
    both = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], Mapping):
            both[name] = _merged(one[name], other[name])
    return both


def _toml(table: Tables, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The table as TOML, whose strings, numbers, booleans and lists are written like JSON's."""
    if path:
        yield f"[{'.'.join(path)}]\n"
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{name} = {json.dumps(value)}\n"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _toml(value, (*path, name))
