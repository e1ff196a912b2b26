"""How many connections an HTTP listener has, seen from outside."""

import asyncio

import pytest
from aiohttp import web

from intercomd_daemon.operations.connection_limiter import CONNECTIONS_MAX
from intercomd_daemon.operations.http import HttpListener, listen_http

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
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    application = web.Application()
    application.router.add_get("/", answer)
    listener = await listen_http(application, ["127.0.0.1:0"])
    guests = [await come(listener) for _ in range(CONNECTIONS_MAX)]
    assert {said for _, said in guests} == {b"HTTP/1.1 200 OK\r\n"}
    (_, refused), said = await come(listener)
    assert said == b""
    (_, leaving), _ = guests.pop()
    leaving.close()
    async with asyncio.timeout(30):
        while not said:
            refused.close()
            (_, refused), said = await come(listener)
    guests.append(((_, refused), said))
    for (_, writer), _ in guests:
        writer.close()
    await listener.close()
