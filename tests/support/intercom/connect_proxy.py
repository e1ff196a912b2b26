"""An HTTP proxy as companies run it: CONNECT only, with or without credentials, or with a response of its own."""

import asyncio
import base64
from contextlib import suppress
from typing import Self


class ConnectProxy:
    """A context manager that listens on the loopback."""

    def __init__(self, credentials: str = "", answer: bytes = b"", route: str = "") -> None:
        """`credentials` are `user:password`; `answer` is given in place of a tunnel; `route` replaces every target."""
        self._credentials = credentials
        self._answer = answer
        self._route = route
        self._tasks: set[asyncio.Task[None]] = set()
        self.targets: list[str] = []
        """Which `host:port` each client asked for."""
        self.heads: list[str] = []
        """The request lines and header lines of the clients."""
        self.port = 0

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer_one(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        self.targets.append(target)
        self.heads.append(head)
        assert method == "CONNECT", head
        if self._answer:
            writer.write(self._answer)
            await writer.drain()
            return
        expected = "Basic " + base64.b64encode(self._credentials.encode()).decode()
        if self._credentials and f"proxy-authorization: {expected}".lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        host, _, port = (self._route or target).rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await copy_both(reader, writer, there_reader, there_writer)


async def copy_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
) -> None:
    """Copies both ways until one of them ends."""
    tasks = [asyncio.create_task(_copy(reader, there_writer)), asyncio.create_task(_copy(there_reader, writer))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        there_writer.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
