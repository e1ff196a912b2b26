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

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def come(listener: HttpListener) -> tuple[Connection, bytes]:
    """A connection, and the first line of what is said on it; nothing where it is closed."""
    host, _, port = listener.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(REQUEST)
    try:
        return (reader, writer), await reader.readline()
    except ConnectionError:
        return (reader, writer), b""


@pytest.mark.fills("operations.connection_limiter.CONNECTIONS_MAX")
@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST], ids=["nothing", "half a request", "a request"])
async def test_further_connection_takes_the_place_of_the_longest_silent_one(sent: bytes) -> None:
    listener = await listen_http(hello, ["127.0.0.1:0"])
    host, _, port = listener.addresses[0].rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS_MAX - 1)]
    for _, writer in silent:
        writer.write(sent)
    (reader, writer), line = await come(listener)
    assert line == OK
    for _ in range(2 * CONNECTIONS_MAX):  # Each ends one that was silent for longer than the first guest.
        (_, further), line = await come(listener)
        assert line == OK
        further.close()
        await reader.readuntil(b"hello")
        writer.write(REQUEST)
        assert await reader.readline() == OK
    writer.close()
    for _, writer in silent:
        writer.close()
    await listener.close()


@pytest.mark.parametrize("length", [1, 1 << 20])
async def test_peers_that_read_no_response_leave_their_places(length: int) -> None:
    async def large(_request: BaseRequest) -> Response:
        return Response(body=b"x" * length)

    listener = await listen_http(large, ["127.0.0.1:0"])
    peers = [(await come(listener))[0] for _ in range(2 * CONNECTIONS_MAX)]
    last, line = await come(listener)
    assert line == OK
    assert len(listener._limiter._open) <= CONNECTIONS_MAX
    for _, writer in (*peers, last):
        writer.close()
    await listener.close()


async def hello(_request: BaseRequest) -> Response:
    return Response(text="hello")


@pytest.mark.parametrize("sent", [b"", b"no TLS at all\r\n" * 10], ids=["nothing", "no TLS"])
async def test_handshakes_count_and_leave_their_places(tmp_path: Path, sent: bytes) -> None:
    files = Files(tmp_path)
    tls = ServerTls(files.settings)
    tls.load()
    listener = await listen_http(hello, ["127.0.0.1:0"], tls=lambda: tls.context)
    host, _, port = listener.addresses[0].rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS_MAX)]
    for _, writer in silent:
        writer.write(sent)
    connector = aiohttp.TCPConnector(ssl=ssl_context(files.client(), tmp_path), force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://{host}:{port}/") as response,
    ):
        assert await response.text() == "hello"
    assert len(listener._limiter._open) <= CONNECTIONS_MAX
    for _, writer in silent:
        writer.close()
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
