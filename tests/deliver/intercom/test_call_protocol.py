"""How the response to a call is read: the same however its bytes arrive, and what counts when they break off."""

import asyncio
import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientOSError, ClientPayloadError, ServerDisconnectedError
from aiohttp.http_exceptions import HttpProcessingError

from intercomd_daemon.deliver.intercom.call_protocol import CallProtocol, RawResponse

REQUEST = b"GET /me HTTP/1.1\r\n\r\n"
BODY_BYTES_MAX = 1 << 20
ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"


class Connection:
    """A connection with a call in progress, and the host's end of it."""

    def __init__(self, protocol: CallProtocol, host: socket.socket) -> None:
        self.protocol = protocol
        self.host = host

    def call(self, *, must_end: bool = True) -> asyncio.Future[RawResponse]:
        return self.protocol.call(REQUEST, BODY_BYTES_MAX, must_end=must_end)

    def close(self, *, reset: bool = False) -> None:
        """Closes the host's end. A socket that has unread bytes resets the connection."""
        if not reset:
            assert self.host.recv(100) == REQUEST
        self.host.close()


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    async with connected() as each:
        yield each


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    loop = asyncio.get_running_loop()
    own, host = socket.socketpair()
    with host:
        transport, protocol = await loop.create_connection(lambda: CallProtocol(loop), sock=own)
        yield Connection(protocol, host)
        transport.abort()
        closed = protocol.closed
        if closed is not None:
            await asyncio.wait({closed})


def divided(raw: bytes) -> list[list[bytes]]:
    """Returns the bytes as a whole, in two parts at each place, and one by one."""
    return [[raw], *([raw[:at], raw[at:]] for at in range(1, len(raw))), [bytes([byte]) for byte in raw]]


@pytest.mark.parametrize("ends", [False, True], ids=["", "then the connection ends"])
@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (ACCEPTED + b"Content-Length: 0\r\n\r\n", 202, b""),
        (ACCEPTED + b"Content-Length: 00\r\n\r\n", 202, b""),
        (ACCEPTED + b"Content-Length: 2\r\n\r\nok", 202, b"ok"),
        (ACCEPTED + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 202, b"ok"),
        (ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 202, b"ok"),
        (ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 202, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + ACCEPTED + b"Content-Length: 2\r\n\r\nok", 202, b"ok"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 101, b""),
    ],
)
async def test_response_is_the_same_however_its_bytes_arrive(
    raw: bytes, status: int, body: bytes, *, ends: bool
) -> None:
    for each in divided(raw):
        async with connected() as connection:
            response = connection.call()
            for piece in each:
                assert not response.done()
                connection.protocol.data_received(piece)
            if ends:
                connection.close()
            assert ((await response).status, response.result().body, response.result().complete) == (status, body, True)


@pytest.mark.parametrize("head", [ACCEPTED, b"HTTP/1.0 202 Accepted\r\n", ACCEPTED + b"Transfer-Encoding: gzip\r\n"])
@pytest.mark.parametrize("piece_bytes", [1, 3, 1_000])
@pytest.mark.parametrize("reset", [False, True])
async def test_body_without_a_length_ends_with_the_connection(
    connection: Connection, head: bytes, piece_bytes: int, *, reset: bool
) -> None:
    """Of a connection that is reset, more may be missing."""
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"\r\nok, done"
    response = connection.call(must_end=False)
    for start in range(0, len(raw), piece_bytes):
        connection.protocol.data_received(raw[start : start + piece_bytes])
    assert not response.done()
    connection.close(reset=reset)
    assert ((await response).status, response.result().body) == (202, b"ok, done")
    assert response.result().complete is not reset


@pytest.mark.parametrize(
    ("raw", "reset", "error", "has_status"),
    [
        (b"", False, ServerDisconnectedError, False),
        (b"", True, ClientOSError, False),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", False, ServerDisconnectedError, False),
        (ACCEPTED + b"Content-Length: 2\r\n", False, ServerDisconnectedError, False),
        (ACCEPTED + b"Content-Length: 2\r\n\r\no", False, ClientPayloadError, True),
        (ACCEPTED + b"Content-Length: 2\r\n\r\no", True, ClientOSError, True),
        (ACCEPTED + b"\r\no", True, ClientOSError, True),
        (ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n", False, ClientPayloadError, True),
    ],
)
@pytest.mark.parametrize("must_end", [False, True])
async def test_response_that_breaks_off_is_a_failure_unless_a_write_has_its_status(
    connection: Connection, raw: bytes, error: type[Exception], *, reset: bool, has_status: bool, must_end: bool
) -> None:
    response = connection.call(must_end=must_end)
    if raw:
        connection.protocol.data_received(raw)
    connection.close(reset=reset)
    if has_status and not must_end:
        assert ((await response).status, response.result().body, response.result().complete) == (202, b"o", False)
    else:
        with pytest.raises(error):
            await response
    assert connection.protocol.should_close


@pytest.mark.parametrize("raw", [b"no HTTP\r\n\r\n", b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", b"\0" * 200])
async def test_malformed_response_is_a_failure(connection: Connection, raw: bytes) -> None:
    response = connection.call(must_end=False)
    connection.protocol.data_received(raw)
    with pytest.raises(HttpProcessingError):
        await response
    assert connection.protocol.should_close


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"])
@pytest.mark.parametrize(
    ("chunks", "body"), [(b"1\r\no\r\nno chunk\r\n", b"o"), (b"no chunk\r\n", b""), (b"1\r\nok\r\n0\r\n\r\n", b"o")]
)
async def test_malformed_body_leaves_a_write_its_status(early: bytes, chunks: bytes, body: bytes) -> None:
    for pieces in divided(early + ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n" + chunks):
        async with connected() as connection:
            response = connection.call(must_end=False)
            for piece in pieces:
                connection.protocol.data_received(piece)
            assert ((await response).status, response.result().body, response.result().complete) == (202, body, False)
            assert connection.protocol.should_close


@pytest.mark.parametrize("head", [ACCEPTED + b"Content-Length: 2\r\n", ACCEPTED + b"Transfer-Encoding: chunked\r\n"])
async def test_body_that_ends_before_malformed_bytes_is_complete(head: bytes) -> None:
    body = b"2\r\nok\r\n0\r\n\r\n" if b"chunked" in head else b"ok"
    for pieces in divided(head + b"\r\n" + body + b", no HTTP\r\n\r\n"):
        async with connected() as connection:
            response = connection.call()
            for piece in pieces:
                connection.protocol.data_received(piece)
            assert ((await response).status, response.result().body, response.result().complete) == (202, b"ok", True)
            assert connection.protocol.should_close


@pytest.mark.parametrize("piece_bytes", [97, 65_536])
async def test_responses_before_the_final_one_are_not_kept(connection: Connection, piece_bytes: int) -> None:
    """A host may send them without end, up to the deadline of the call."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload\r\n\r\n" * 5_000
    response = connection.call()
    tracemalloc.start()
    for start in range(0, len(early), piece_bytes):
        connection.protocol.data_received(early[start : start + piece_bytes])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < len(early) / 2
    connection.protocol.data_received(ACCEPTED + b"Content-Length: 2\r\n\r\nok")
    assert ((await response).status, response.result().body) == (202, b"ok")


@pytest.mark.parametrize("pieces", [1, 2], ids=["together", "later"])
async def test_first_of_two_responses_counts_and_ends_the_use_of_the_connection(
    connection: Connection, pieces: int
) -> None:
    first, second = b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n", ACCEPTED + b"Content-Length: 0\r\n\r\n"
    response = connection.call()
    for piece in [first + second] if pieces == 1 else [first, second]:
        connection.protocol.data_received(piece)
    assert (await response).status == 500
    assert connection.protocol.should_close


async def test_body_in_thousands_of_chunks_is_read(connection: Connection) -> None:
    """Aiohttp pauses reading after 4,096 chunks that nobody has read."""
    response = connection.call()
    connection.protocol.data_received(ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(4):
        connection.protocol.data_received(b"1\r\nx\r\n" * 10_000)
    connection.protocol.data_received(b"0\r\n\r\n")
    assert (await response).body == b"x" * 40_000
    assert not connection.protocol.should_close


async def test_response_after_a_cancelled_call_is_ignored(connection: Connection) -> None:
    response = connection.call()
    response.cancel()
    connection.protocol.data_received(ACCEPTED + b"Content-Length: 0\r\n\r\n")
    connection.protocol.fail(TimeoutError())
    assert response.cancelled()


async def test_failure_after_the_response_is_ignored(connection: Connection) -> None:
    response = connection.call()
    connection.protocol.data_received(ACCEPTED + b"Content-Length: 0\r\n\r\n")
    connection.protocol.fail(TimeoutError())
    assert (await response).status == 202


async def test_call_on_a_closed_connection_is_a_failure(connection: Connection) -> None:
    connection.protocol.abort()
    with pytest.raises(ServerDisconnectedError):
        connection.call()


@pytest.mark.parametrize(("without_extensions", "wrong"), [("", ""), ("1", "AIOHTTP_NO_EXTENSIONS")])
def test_parser_in_python_is_refused(without_extensions: str, wrong: str) -> None:
    program = "from intercomd_daemon.deliver.intercom.call_protocol import check_parser; check_parser()"
    environment = {**os.environ, "AIOHTTP_NO_EXTENSIONS": without_extensions}
    ended = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, wrong in ended.stderr) == (int(bool(wrong)), True)
