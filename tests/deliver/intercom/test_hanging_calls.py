"""A call that hangs ends at its deadline, wherever the host stops, with and without TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme
from yarl import URL

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS, CONNECT_SECONDS, ConnectionPool

HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\n"
BODY_BYTES_MAX = 1_000
SMALL, LARGE = 2, 64 << 20


@asynccontextmanager
async def hanging_host(response: bytes, *, scheme: str, tls: bool, reads: bool) -> AsyncIterator[ConnectionPool]:
    """A host that sends this to its connection and then nothing; yields a pool that connects to it by `scheme`."""
    authority, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        with suppress(ConnectionError):
            if not reads:
                await over.wait()
            while await reader.read(1 << 20):
                pass
        writer.transport.abort()
        ended.release()

    over, ended = asyncio.Event(), asyncio.Semaphore(0)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving if tls else None)
    url = URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    pool = ConnectionPool(url, proxy=None, proxy_headers={}, tls=trusting, connections_max=8, check=lambda: None)
    async with server:
        yield pool
        over.set()
        await pool.end()
        await ended.acquire()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    ("response", "size", "has_status"),
    [
        (b"", SMALL, False),
        (b"", LARGE, False),
        (HEAD[:9], SMALL, False),
        (HEAD[:-2], SMALL, False),
        (HEAD, SMALL, True),
        (HEAD + b"a", SMALL, True),
    ],
    ids=["no response", "request not read", "in the status line", "in the headers", "after the head", "in the body"],
)
def test_call_that_hangs_ends_at_its_deadline(response: bytes, size: int, *, has_status: bool, tls: bool) -> None:
    """Of a write, the status counts even if the body breaks off."""

    async def run(loop: VirtualLoop) -> None:
        async with hanging_host(response, scheme="https" if tls else "http", tls=tls, reads=size == SMALL) as pool:
            request = b"POST /events HTTP/1.1\r\nHost: host\r\nContent-Length: %d\r\n\r\n%b" % (size, bytes(size))
            if has_status:
                received = await pool.exchange(request, BODY_BYTES_MAX, must_end=False)
                assert (received.status, received.complete) == (202, False)
            else:
                with pytest.raises(TimeoutError):
                    await pool.exchange(request, BODY_BYTES_MAX, must_end=False)
            assert loop.time() == pytest.approx(CALL_SECONDS)

    run_virtually(run)


def test_tls_handshake_that_hangs_ends_like_a_connection_that_is_not_accepted() -> None:
    """The host accepts the connection, but not TLS."""

    async def run(loop: VirtualLoop) -> None:
        async with hanging_host(b"", scheme="https", tls=False, reads=True) as pool:
            with pytest.raises(TimeoutError):
                await pool.exchange(b"GET /me HTTP/1.1\r\n\r\n", BODY_BYTES_MAX, must_end=True)
            assert loop.time() == pytest.approx(CONNECT_SECONDS)

    run_virtually(run)
