"""Callers without a client library: bytes on a socket, HTTP/2 by hand; and the memory of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
READ_SECONDS = 0.5
"""After which a server that neither answers nor closes is taken to wait for more."""
WAIT_SECONDS = 60.0
DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9


def frame(kind: int, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 without flags."""
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + stream.to_bytes(4, "big") + payload


GREETING = PREFACE + frame(SETTINGS)


@asynccontextmanager
async def connected(address: str, data: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """A connection over which these bytes are sent, as far as they are taken, and that then says nothing."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        yield reader
    finally:
        writer.transport.abort()


async def said(address: str, data: bytes) -> bytes:
    """What is answered to these bytes until the server closes, or waits for more."""
    answer = b""
    try:
        async with asyncio.timeout(READ_SECONDS), connected(address, data) as reader:
            while chunk := await reader.read(1 << 16):
                answer += chunk
    except (TimeoutError, ConnectionError):
        pass  # the bytes that came until then are the answer
    return answer


async def said_first(address: str, data: bytes) -> bytes:
    """The first line of what is answered to these bytes."""
    async with asyncio.timeout(WAIT_SECONDS), connected(address, data) as reader:
        return await reader.readline()


def resident_bytes(pid: int) -> int:
    """What a process holds of memory."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024
