"""A TCP proxy between an agent and its gateway that loses answers and cuts connections."""

import asyncio
from typing import Self


class CuttingProxy:
    """`async with CuttingProxy(gateway) as proxy:` listens on a free port of the loopback."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.holding = False
        """While set, the gateway's answers are swallowed; cut the connections afterwards."""
        self.swallowed = 0
        """Bytes of answers that were swallowed."""
        self.cuts = 0
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def until_swallowed(self) -> None:
        """Waits until the gateway has answered something that the agent does not get."""
        before = self.swallowed
        async with asyncio.timeout(60):
            while self.swallowed == before:
                self._changed.clear()
                await self._changed.wait()

    def cut(self) -> None:
        """Cuts every connection."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            except OSError:
                return
            self._writers.add(far_writer)
            try:
                await asyncio.gather(
                    self._pump(reader, far_writer, answers=False), self._pump(far_reader, writer, answers=True)
                )
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(1 << 16):
            if answers and self.holding:
                self.swallowed += len(data)
                self._changed.set()
                continue
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
