"""Calls over aiohttp's connections: their timeout, what is read of a response, and which connections are used again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trustme
from aiohttp import ServerDisconnectedError
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from clock.virtual import VirtualLoop, run_virtually
from intercom.connect_proxy import ConnectProxy
from intercomd_daemon.deliver.intercom.call_protocol import RawResponse
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS, ConnectionPool

REQUEST = b"POST /events HTTP/1.1\r\nHost: host\r\nContent-Length: 2\r\n\r\n{}"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"
BODY_BYTES_MAX = 1_000
Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Host:
    """A server on the loopback, and a pool of connections to it."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.connections = 0

    async def exchange(self, request: bytes = REQUEST, *, must_end: bool = False) -> RawResponse:
        return await self.pool.exchange(request, BODY_BYTES_MAX, must_end=must_end)


@asynccontextmanager
async def host_that(respond: Respond) -> AsyncIterator[Host]:
    """`respond` is called for each request, after its head and the two bytes of its body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.connections += 1
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                await respond(reader, writer)
                await writer.drain()
        writer.close()
        ended.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    pool = ConnectionPool(url, proxy=None, proxy_headers={}, tls=True, connections_max=8, check=lambda: None)
    host, ended = Host(pool), asyncio.Semaphore(0)
    async with server:
        try:
            yield host
        finally:
            await pool.end()
            for _ in range(host.connections):
                await ended.acquire()


async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(ACCEPTED)


async def stay_silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """The client ends the connection."""


def responding_with(*parts: bytes) -> Respond:
    """Each part is a write of its own, and the response goes on after the last one."""

    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return respond


def in_virtual_time(main: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    run_virtually(main)


async def test_response_has_status_headers_and_body() -> None:
    async with host_that(accept) as host:
        response = await host.exchange()
    assert (response.status, response.body, response.complete) == (202, b"ok", True)
    assert response.headers["content-length"] == "2"


def test_response_that_arrives_while_the_process_is_stopped_is_read() -> None:
    """The process goes on long after the time of the call: a repeat would be a call that Intercom need not see."""

    async def run(loop: VirtualLoop) -> None:
        async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(ACCEPTED)
            loop.skip(2 * CALL_SECONDS)

        async with host_that(respond) as host:
            assert (await host.exchange()).status == 202

    in_virtual_time(run)


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with host_that(accept) as host:
        for _ in range(5):
            assert (await host.exchange()).status == 202
        assert host.connections == 1
        await asyncio.gather(*(host.exchange() for _ in range(3)))
        assert host.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 3000\r\n\r\n" + b"x" * 1_500,
        ACCEPTED + ACCEPTED,
    ],
    ids=["close", "HTTP/1.0", "upgrade", "larger than the limit", "two responses"],
)
async def test_connection_is_not_used_again_after(raw: bytes) -> None:
    async with host_that(responding_with(raw)) as host:
        await host.exchange()
        await host.exchange()
        assert host.connections == 2


async def test_connection_is_not_used_again_if_the_request_was_not_sent_to_its_end() -> None:
    """The host responds early and reads no further."""
    large = REQUEST + b"x" * (64 << 20)

    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ACCEPTED)
        await writer.drain()
        await released.wait()

    released = asyncio.Event()
    async with host_that(respond) as host:
        assert (await host.exchange(large)).status == 202
        released.set()
        assert (await host.exchange()).status == 202
        assert host.connections == 2


async def test_body_is_read_up_to_the_limit() -> None:
    size = BODY_BYTES_MAX + 500
    head = f"HTTP/1.1 202 Accepted\r\nContent-Length: {size}\r\n\r\n".encode()
    async with host_that(responding_with(head, b"a" * 600, b"b" * (size - 600))) as host:
        response = await host.exchange()
    assert response.body == b"a" * 600 + b"b" * (BODY_BYTES_MAX - 600)
    assert response.complete


async def test_information_before_the_response_is_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with host_that(responding_with(b"HTTP/1.1 100 Continue\r\n\r\n", early, ACCEPTED)) as host:
        for _ in range(2):
            assert (await host.exchange()).status == 202


def test_calls_that_hang_end_each_at_its_own_deadline() -> None:
    """The first one also hangs, but its caller is cancelled: it must not keep the others from ending."""

    async def run(loop: VirtualLoop) -> None:
        ended: list[float] = []

        async def call() -> None:
            begin = loop.time()
            with pytest.raises(TimeoutError):
                await host.exchange()
            ended.append(loop.time() - begin)

        async with host_that(stay_silent) as host:
            first, *others = [loop.create_task(call())]
            for _ in range(3):
                await loop.passes(7.0)
                others.append(loop.create_task(call()))
            first.cancel()
            await asyncio.wait({first, *others})
            assert first.cancelled()
            assert ended == pytest.approx([CALL_SECONDS] * 3)
            await loop.passes(100.0)
            await call()
            assert ended[3] == pytest.approx(CALL_SECONDS)

    in_virtual_time(run)


@pytest.mark.parametrize("must_end", [False, True])
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 9\r\n\r\nabc",
        b"\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["length", "until the connection ends", "chunked"],
)
def test_body_that_hangs_leaves_a_write_its_status(head: bytes, must_end: bool) -> None:
    async def run(loop: VirtualLoop) -> None:
        async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 202 Accepted\r\n" + head)

        async with host_that(respond) as host:
            if must_end:
                with pytest.raises(TimeoutError):
                    await host.exchange(must_end=True)
            else:
                response = await host.exchange()
                assert (response.status, response.body, response.complete) == (202, b"abc", False)
            assert loop.time() == pytest.approx(CALL_SECONDS)

    in_virtual_time(run)


@pytest.mark.parametrize("must_end", [False, True])
def test_malformed_body_ends_the_call_at_once(must_end: bool) -> None:
    async def run(loop: VirtualLoop) -> None:
        async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await loop.passes(1.0)
            writer.write(b"no chunk\r\n")

        async with host_that(respond) as host:
            if must_end:
                with pytest.raises(HttpProcessingError):
                    await host.exchange(must_end=True)
            else:
                response = await host.exchange()
                assert (response.status, response.body, response.complete) == (202, b"abc", False)
            assert loop.time() == pytest.approx(1.0)

    in_virtual_time(run)


def test_body_that_never_ends_is_read_up_to_the_deadline() -> None:
    """Each byte arrives in time, but the call ends all the same."""

    async def run(loop: VirtualLoop) -> None:
        async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n")
            while not writer.is_closing():
                await loop.passes(4.0)
                writer.write(b"x")

        async with host_that(respond) as host:
            response = await host.exchange()
            assert (response.status, response.body, response.complete) == (202, b"x" * 7, False)
            assert loop.time() == pytest.approx(CALL_SECONDS)

    in_virtual_time(run)


@pytest.mark.parametrize(
    "unasked",
    [
        b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\no",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"no HTTP\r\n\r\n",
    ],
    ids=["response", "408", "a part of a response", "information", "not HTTP"],
)
def test_bytes_on_an_idle_connection_are_not_taken_for_the_next_response(unasked: bytes) -> None:
    async def run(loop: VirtualLoop) -> None:
        requests = 0

        async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            requests += 1
            writer.write(ACCEPTED)
            if requests == 1:
                await loop.passes(1.0)
                writer.write(unasked)

        async with host_that(respond) as host:
            await host.exchange()
            await loop.passes(2.0)
            for _ in range(2):
                assert (await host.exchange()).body == b"ok"
            assert host.connections == 2

    in_virtual_time(run)


@pytest.mark.parametrize("end", ["cancel the call", "end the pool"])
async def test_rest_of_a_request_whose_call_ends_is_not_sent(end: str) -> None:
    """A host that reads no further would keep the connection open as long as it likes."""
    size = 64 << 20
    begun, over, received = asyncio.Event(), asyncio.Event(), asyncio.Queue[int]()

    async def respond(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        begun.set()
        await over.wait()
        count = 0
        with suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                count += len(data)
        await received.put(count)

    async with host_that(respond) as host:
        call = asyncio.create_task(host.exchange(REQUEST + b"x" * size))
        await begun.wait()
        if end == "cancel the call":
            call.cancel()
            await asyncio.wait({call})
            assert call.cancelled()
        else:
            await host.pool.end()
            with pytest.raises(ServerDisconnectedError):
                await call
        over.set()
        assert await received.get() < size


@pytest.mark.parametrize("connections_max", [1, 8])
def test_proxy_that_does_not_respond_uses_up_the_time_of_the_call(connections_max: int) -> None:
    """With one connection, the second call waits until the first one has given up."""

    async def run(loop: VirtualLoop) -> None:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            ended.release()

        async def call() -> float:
            begin = loop.time()
            with pytest.raises(TimeoutError):
                await pool.exchange(REQUEST, BODY_BYTES_MAX, must_end=False)
            return loop.time() - begin

        ended = asyncio.Semaphore(0)
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        proxy = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        pool = ConnectionPool(
            URL("https://intercom.test"),
            proxy=proxy,
            proxy_headers={},
            tls=True,
            connections_max=connections_max,
            check=lambda: None,
        )
        async with server:
            first = loop.create_task(call())
            await loop.passes(10.0)
            second = await call()
            assert [await first, second] == pytest.approx([CALL_SECONDS] * 2)
            await pool.end()
            for _ in range(2):
                await ended.acquire()

    in_virtual_time(run)


async def test_tunnel_through_a_proxy_with_credentials_is_used_again() -> None:
    """The pool finds connections by the proxy's headers, to which it adds one when it opens a connection."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(tls)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("intercom.test").configure_cert(serving)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                writer.write(ACCEPTED)
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    route = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ConnectProxy("corp:word", route=route) as proxy:
        pool = ConnectionPool(
            URL("https://intercom.test"),
            proxy=URL(proxy.url),
            proxy_headers={"Proxy-Authorization": "Basic Y29ycDp3b3Jk"},
            tls=tls,
            connections_max=8,
            check=lambda: None,
        )
        for _ in range(3):
            assert (await pool.exchange(REQUEST, BODY_BYTES_MAX, must_end=False)).status == 202
        await pool.end()
        await ended.wait()
        assert proxy.targets == ["intercom.test:443"]
