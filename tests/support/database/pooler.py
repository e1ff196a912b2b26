"""A pooler between clients and a database, like PgBouncer: it keeps sessions, or shares one between transactions."""

import asyncio
from pathlib import Path
from typing import Self

_PASSED_ON = {b"user", b"database", b"client_encoding", b"application_name"}
"""What a client may give when it connects; PgBouncer refuses anything else that it does not know."""
_READY_AND_IDLE = b"Z\0\0\0\5I"
"""No transaction is in progress."""


class Pooler:
    """`async with Pooler(socket, keeps_sessions=True) as pooler:` listens on a free port of the loopback."""

    def __init__(self, socket: Path, *, keeps_sessions: bool) -> None:
        """`socket` is the server's."""
        self.port = 0
        self._socket = socket
        self._keeps_sessions = keeps_sessions
        self._shared: _Session | None = None
        self._turn = asyncio.Lock()
        """Held by the client whose transaction is in progress on the shared session."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sessions: list[_Session] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self._sessions:
            session.writer.transport.abort()
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = None
        try:
            first = await _read_untyped(reader)
            given = dict(zip(*[iter(first[8:].split(b"\0"))] * 2, strict=False))
            if unknown := given.keys() - _PASSED_ON - {b""}:
                writer.write(_refusal(b"unsupported startup parameter: " + min(unknown)))
                await writer.drain()
                return
            session = await self._session(first)
            writer.write(session.greeting)
            if self._keeps_sessions:
                await _keep(session, reader, writer)
            else:
                await self._share(session, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The client has gone.
        finally:
            if session is not None and self._keeps_sessions:
                session.writer.transport.abort()
            writer.transport.abort()

    async def _session(self, first: bytes) -> "_Session":
        if self._keeps_sessions:
            session = await _open(self._socket, first)
        else:
            async with self._turn:
                self._shared = session = self._shared or await _open(self._socket, first)
        self._sessions.append(session)
        return session

    async def _share(self, session: "_Session", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on a transaction at a time."""
        while data := await reader.read(1 << 16):
            if data[:1] == b"X":
                return  # The client ends; the session stays.
            async with self._turn:
                session.writer.write(data)
                sending = asyncio.create_task(_pump(reader, session.writer))
                while (message := await _read_message(session.reader)) != _READY_AND_IDLE:
                    writer.write(message)
                sending.cancel()
                await asyncio.wait({sending})
            writer.write(_READY_AND_IDLE)


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting = greeting
        """Everything up to the first ReadyForQuery."""


async def _open(socket: Path, first: bytes) -> _Session:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(first)
    greeting = b""
    while True:
        message = await _read_message(reader)
        greeting += message
        if message == _READY_AND_IDLE:
            return _Session(reader, writer, greeting)


async def _keep(session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pumps = [asyncio.create_task(_pump(reader, session.writer)), asyncio.create_task(_pump(session.reader, writer))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        target.write(data)


async def _read_untyped(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length) - 4)


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(1) + await _read_untyped(reader)


def _refusal(text: bytes) -> bytes:
    fields = b"SFATAL\0VFATAL\0C08P01\0M" + text + b"\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4) + fields
