"""Endpoints on the loopback interface where a call fails: no listener, no such host, no TLS, no HTTP, a reset.

What the sandbox plays itself (late, cut, huge or foreign responses) is not here.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType

import trustme

# Too long for a name, so that the resolver refuses it without a query.
NO_HOST = ".".join(["nowhere" * 8] * 5) + ".invalid"
PLACES = ("refused", "no-such-host", "untrusted", "no-tls", "no-http", "reset-before", "reset-after")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Wire:
    """A place, beside a server that behaves; an asynchronous context that gives its URL."""

    def __init__(self, place: str, port: int) -> None:
        """`port`: where the server listens that behaves."""
        self._place = place
        self._port = port
        self._open = AsyncExitStack()

    async def __aenter__(self) -> str:
        if self._place == "refused":
            silent = self._open.enter_context(socket.socket())
            silent.bind(("127.0.0.1", 0))  # Bound, but it does not listen.
            return f"http://127.0.0.1:{silent.getsockname()[1]}"
        if self._place == "untrusted":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
            return f"https://127.0.0.1:{await self._listen(_babble, context)}"
        if self._place == "no-tls":
            return f"https://127.0.0.1:{self._port}"
        if self._place == "no-such-host":
            return f"http://{NO_HOST}"
        serve = {"no-http": _babble, "reset-before": _reset, "reset-after": self._reset_after}[self._place]
        return f"http://127.0.0.1:{await self._listen(serve)}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _listen(self, serve: Serve, context: ssl.SSLContext | None = None) -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        await self._open.enter_async_context(server)
        return int(server.sockets[0].getsockname()[1])

    async def _reset_after(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hands the request on, waits until it has been answered, and loses the answer."""
        request = await _request(reader)
        answers, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        upstream.write(request)
        await answers.readuntil(b"\r\n\r\n")
        upstream.close()
        await upstream.wait_closed()
        _abort(writer)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head + await reader.readexactly(int(length[1]) if length else 0)


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _request(reader)
    _abort(writer)


async def _babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _request(reader)
    writer.write(b"\x00\xff\r\n\r\n")
    writer.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset instead of an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
