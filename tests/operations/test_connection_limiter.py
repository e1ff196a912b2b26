"""How many connections an HTTP listener has, seen from outside."""

import asyncio
import inspect
from pathlib import Path

import aiohttp
import pytest
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response

from intercomd_daemon.operations import connection_limiter
from intercomd_daemon.operations.connection_limiter import CONNECTIONS_MAX, HANDSHAKE_SECONDS
from intercomd_daemon.operations.http import HttpListener, listen_http
from intercomd_daemon.rpc.tls import ServerTls
from tls.certificates import Files, ssl_context

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def come(listener: HttpListener) -> tuple[Connection, bytes]:
    """A connection, and the first line of what is said on it; nothing where it is closed."""
    host, _, port = listener.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    try:
        return (reader, writer), await reader.readline()
    except ConnectionError:
        return (reader, writer), b""


@pytest.mark.fills("operations.connection_limiter.CONNECTIONS_MAX")
async def test_connection_over_the_limit_is_closed_at_once() -> None:
    listener = await listen_http(hello, ["127.0.0.1:0"])
    guests = [await come(listener) for _ in range(CONNECTIONS_MAX)]
    assert {said for _, said in guests} == {b"HTTP/1.1 200 OK\r\n"}
    (_, refused), said = await come(listener)
    assert said == b""
    (_, leaving), _ = guests.pop()
    leaving.close()
    async with asyncio.timeout(60):
        while not said:
            refused.close()
            (_, refused), said = await come(listener)
    guests.append(((_, refused), said))
    for (_, writer), _ in guests:
        writer.close()
    await listener.close()


async def hello(_request: BaseRequest) -> Response:
    return Response(text="hello")


async def test_connections_in_their_handshake_count(tmp_path: Path) -> None:
    """A peer that connects and sends nothing takes a place, and leaves it when it goes."""
    files = Files(tmp_path)
    tls = ServerTls(files.settings)
    tls.load()
    listener = await listen_http(hello, ["127.0.0.1:0"], tls=lambda: tls.context)
    host, _, port = listener.addresses[0].rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS_MAX)]
    context = ssl_context(files.client(), tmp_path)

    async def answered() -> bool:
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            try:
                async with session.get(f"https://{host}:{port}/") as response:
                    return await response.text() == "hello"
            except aiohttp.ClientError:
                return False

    assert not await answered()
    for (_, writer), farewell in zip(silent, (b"", b"no TLS at all\r\n" * 10) * CONNECTIONS_MAX, strict=False):
        writer.write(farewell)
        writer.close()
    async with asyncio.timeout(60):
        while not await answered():
            pass
    await listener.close()


async def test_close_ends_handshakes_in_progress(tmp_path: Path) -> None:
    tls = ServerTls(Files(tmp_path).settings)
    tls.load()
    listener = await listen_http(hello, ["127.0.0.1:0"], tls=lambda: tls.context)
    host, _, port = listener.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(60):
        while not listener._limiter.handshakes:
            await (await asyncio.open_connection(host, int(port)))[1].drain()
        await listener.close()
        assert await reader.read() == b""
    writer.close()


@pytest.mark.fills("operations.connection_limiter.HANDSHAKE_SECONDS")
def test_handshake_has_its_time() -> None:
    """Enforced by asyncio; a test would wait 10 s."""
    assert "ssl_handshake_timeout=HANDSHAKE_SECONDS" in inspect.getsource(connection_limiter)
    assert HANDSHAKE_SECONDS == 10.0
