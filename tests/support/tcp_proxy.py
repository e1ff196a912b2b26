"""A TCP proxy between a daemon and a gateway or database that cuts, loses answers, or holds everything back."""

import asyncio
from pathlib import Path
from typing import Self

WAIT_SECONDS = 60.0
_CHUNK = 1 << 16


class TcpProxy:
    """`async with TcpProxy(target) as proxy:` listens on a free port of the loopback."""

    def __init__(self, target: str | Path) -> None:
        self.target = target
        """The server's address, or the path of its socket; new connections go to it."""
        self.port = 0
        self.losing = False
        """While set, the server's answers are lost; cut the connections afterwards."""
        self.lost = 0
        """Bytes of answers that were lost."""
        self.held = 0
        """Times that bytes were held back by a partition."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self._changed = asyncio.Event()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._whole.set()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cuts every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def divide(self) -> None:
        """Holds back all bytes of both directions, and new connections, as a network does that drops packets."""
        self._whole.clear()

    def heal(self) -> None:
        """Passes on what was held back, however late it is."""
        self._whole.set()

    async def until_lost(self) -> None:
        """Waits until the server has answered something that the daemon does not get."""
        before = self.lost
        async with asyncio.timeout(WAIT_SECONDS):
            while self.lost == before:
                self._changed.clear()
                await self._changed.wait()

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._whole.wait()
            far_reader, far_writer = await self._open()
            self._writers.add(far_writer)
            pumps = [
                asyncio.create_task(self._pump(reader, far_writer, answers=False)),
                asyncio.create_task(self._pump(far_reader, writer, answers=True)),
            ]
            try:
                await asyncio.gather(*pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(_CHUNK):
            if not self._whole.is_set():
                self.held += 1
                await self._whole.wait()
            if answers and self.losing:
                self.lost += len(data)
                self._changed.set()
                continue
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
