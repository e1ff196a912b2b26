"""The HTTP session with Intercom: one request, one response, whatever the server does."""

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import trustme

from clock.virtual import VirtualLoop
from delivery.worker import TOKEN, settings_for
from intercom.connect_proxy import ConnectProxy
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.call_protocol import HEADER_BYTES_MAX, HEADERS_MAX
from intercomd_daemon.deliver.intercom.classification import ANSWER_UNREADABLE, Kind, classify, describe_failure
from intercomd_daemon.deliver.intercom.client import (
    ATTRIBUTES_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    CertificatesUnusable,
    IntercomClient,
    UrlUnusable,
)
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS, CONNECT_SECONDS
from intercomd_daemon.deliver.intercom.messages import Call, RateHeaders, Request, Response
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.sandbox import Fault, Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.setting.secret import Secret

EVENT = Request(Call.TRACK_EVENT, "/events", b'{"event_name":"came","created_at":1795000000,"user_id":"u"}')


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(recorded=NONE, rate_limit=100, rate_window_seconds=10)) as running:
        running.workspace.add_contact(external_id="u")
        yield running


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[IntercomClient]:
    async with IntercomClient(settings_for(sandbox), AccessToken(TOKEN), 4) as intercom:
        yield intercom


async def test_response_has_the_values_of_the_headers(session: IntercomClient) -> None:
    answer = await session.call(requests.ME)
    assert answer.status == 200
    assert b'"id_code":"sandbox"' in answer.body
    assert answer.request_id
    assert answer.rate == RateHeaders(100, 99, answer.rate.reset)
    assert 0 <= answer.rate.reset - answer.date <= 11
    assert answer.retry_after_seconds is None


@pytest.mark.parametrize(
    ("header", "request_id"),
    [
        (b"\xff\xfe\xe9", "???"),
        (b"\x1b[2Jr\x07", "?[2Jr?"),
        ("ü\u202e".encode(), "??"),
        (b"r-1" * 50, "r-1" * 42 + "r-"),
    ],
)
async def test_request_id_is_text_that_can_be_stored(header: bytes, request_id: str) -> None:
    """Bytes that are not UTF-8 become surrogates, which no record can hold: they ended the daemon."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 A\r\nX-Request-Id: " + header + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        IntercomClient(ConnectionSettings(name="default", base_url=url), AccessToken(TOKEN), 4) as intercom,
    ):
        answer = await intercom.call(EVENT)
    assert (answer.status, answer.request_id) == (202, request_id)
    answer.request_id.encode()


async def test_every_request_is_one_that_intercom_takes(sandbox: Sandbox, session: IntercomClient) -> None:
    """Accept, version and token are those that Intercom requires."""
    assert (await session.call(EVENT)).status == 202
    assert sandbox.illegal_requests == []
    assert sandbox.calls[-1].version == "2.16"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("POST /events 503", 503, None),
        ("POST /events 503 empty", 503, b""),
        ("POST /events not-json", 202, None),
        ("POST /events wrong-type", 202, None),
        ("POST /events cut-before", 0, b""),
        ("POST /events cut-after", 0, b""),
    ],
)
async def test_fault_is_a_response(
    sandbox: Sandbox, session: IntercomClient, fault: str, status: int, body: bytes | None
) -> None:
    sandbox.fault(fault)
    answer = await session.call(EVENT)
    assert answer.status == status
    assert body is None or answer.body == body
    assert bool(answer.failure) is (status == 0)


@pytest.mark.fills("deliver.intercom.client.RESPONSE_BYTES_MAX")
async def test_huge_response_is_read_up_to_the_limit(sandbox: Sandbox, session: IntercomClient) -> None:
    sandbox.fault("POST /events huge size=4MiB times=1")
    answer = await session.call(EVENT)
    assert answer.status == 202
    assert len(answer.body) == RESPONSE_BYTES_MAX
    assert (await session.call(EVENT)).status == 202


@pytest.mark.fills("deliver.intercom.call_protocol.HEADER_BYTES_MAX")
async def test_long_header_line_does_not_undo_a_202(sandbox: Sandbox, session: IntercomClient) -> None:
    for size, status in ((9_000, 202), (HEADER_BYTES_MAX - 100, 202), (2 * HEADER_BYTES_MAX, 0)):
        sandbox.fault(f"POST /events header-size={size}B times=1")
        assert (await session.call(EVENT)).status == status


@pytest.mark.fills("deliver.intercom.call_protocol.HEADERS_MAX")
async def test_many_header_lines_do_not_undo_a_202(sandbox: Sandbox, session: IntercomClient) -> None:
    for count, status in ((HEADERS_MAX - 20, 202), (HEADERS_MAX + 20, 0)):
        headers = tuple((f"X-{number}", "x") for number in range(count))
        sandbox.fault(Fault("POST", "/events", headers=headers, times=1))
        assert (await session.call(EVENT)).status == status


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense"])
@pytest.mark.parametrize("how", ["empty", "text", "html"])
async def test_unrequested_encoding_keeps_the_status(
    sandbox: Sandbox, session: IntercomClient, encoding: str, how: str
) -> None:
    sandbox.fault(f"POST /events {how} header=Content-Encoding:{encoding} times=1")
    answer = await session.call(EVENT)
    assert (answer.status, answer.failure) == (202, "")


async def test_unrequested_compression_is_decoded() -> None:
    async def zipped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = gzip.compress(b'{"type":"admin"}')
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(zipped, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = ConnectionSettings(name="default", base_url=f"http://127.0.0.1:{port}")
    async with server, IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
        assert (await intercom.call(requests.ME)).body == b'{"type":"admin"}'


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", 30.0),
        ("Fri, 31 Dec 2100 23:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("0", 0.0),
        ("999999999999999", 999999999999999.0),
        ("9" * 400, None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("1e9", None),
        ("", None),
    ],
)
async def test_retry_after_is_seconds_or_a_date(
    sandbox: Sandbox, session: IntercomClient, retry_after: str, seconds: float | None
) -> None:
    """A date counts from the response's own, so that clocks need not agree."""
    headers = (("Date", "Fri, 31 Dec 2100 23:59:29 GMT"), ("Retry-After", retry_after))
    sandbox.fault(Fault("POST", "/events", 503, headers=headers, times=1))
    assert (await session.call(EVENT)).retry_after_seconds == seconds


async def test_cut_response_of_a_write_keeps_its_status(sandbox: Sandbox, session: IntercomClient) -> None:
    sandbox.fault("POST /contacts cut-middle times=1")
    answer = await session.call(requests.create_contact("v", "", {}))
    assert answer.status == 200
    assert not answer.failure


async def test_cut_response_of_a_read_is_a_failure(sandbox: Sandbox, session: IntercomClient) -> None:
    """Or a list of which half arrived would be taken for one that may not be read."""
    sandbox.fault("GET /me cut-middle times=1")
    answer = await session.call(requests.ME)
    assert (answer.status, answer.failure) == (0, "the connection broke")


@pytest.mark.parametrize("request_", [requests.ME, requests.update_contact("c1", "", {})], ids=["GET", "PUT"])
@pytest.mark.parametrize("fault", ["cut-before", "cut-after"])
async def test_call_whose_connection_breaks_is_made_once(
    sandbox: Sandbox, session: IntercomClient, request_: Request, fault: str
) -> None:
    """Only Intercom would count a second one."""
    sandbox.fault(f"{request_.call.method} / {fault} times=1")
    answer = await session.call(request_)
    assert (answer.status, answer.failure) == (0, "the connection broke")
    assert len(sandbox.calls) == 1


async def test_429_has_the_time_to_wait(sandbox: Sandbox, session: IntercomClient) -> None:
    sandbox.fault("POST /events 429 header=Retry-After:7 times=1")
    answer = await session.call(EVENT)
    assert (answer.status, answer.retry_after_seconds) == (429, 7.0)


async def test_check_follows_the_connection_and_precedes_the_first_byte() -> None:
    """Neither a new nor a reused connection gets a byte of a call that must not leave."""
    received, ended, allowed = bytearray(), asyncio.Queue[None](), True

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            received.extend(data)
            writer.write(b"HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        await ended.put(None)

    def check() -> None:
        if not allowed:
            raise LeaseLost("lost")

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = ConnectionSettings(name="default", base_url=url)
    async with server, IntercomClient(settings, AccessToken(TOKEN), 4, check) as intercom:
        assert (await intercom.call(EVENT)).status == 202
        length = len(received)
        allowed = False
        for _ in range(2):
            with pytest.raises(LeaseLost):
                await intercom.call(EVENT)
            await ended.get()
    assert len(received) == length


async def test_proxy_gets_the_name_of_the_daemon_and_no_access_token() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with ConnectProxy(answer=refusal) as proxy:
        settings = ConnectionSettings(name="default", base_url="https://intercom.test", proxy=Secret(proxy.url))
        async with IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
            assert (await intercom.call(EVENT)).failure.startswith("the proxy responded 407")
    assert "\r\nUser-Agent: intercomd\r\n" in proxy.heads[0]
    assert "Bearer" not in proxy.heads[0]


async def test_session_that_ends_with_an_error_drops_what_was_not_sent_yet() -> None:
    """A request of which the socket took a part is not completed afterwards."""
    received, stalled = asyncio.Queue[bytes](), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readuntil(b"\r\n\r\n")
        stalled.set()
        await ended.wait()
        with suppress(ConnectionError):
            while more := await reader.read(1 << 20):
                data += more
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await received.put(data)

    async def lose(large: Request) -> None:
        async with IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
            call = asyncio.create_task(intercom.call(large))
            await stalled.wait()
            call.cancel()
            await asyncio.wait({call})
            raise LeaseLost("lost")

    ended = asyncio.Event()
    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = ConnectionSettings(name="default", base_url=url)
    async with server:
        with pytest.raises(LeaseLost):
            await lose(Request(Call.TRACK_EVENT, "/events", b"x" * (64 << 20)))
        ended.set()
        assert len(await received.get()) < 64 << 20


async def test_refused_connection_is_a_failure(sandbox: Sandbox) -> None:
    settings = settings_for(sandbox)
    await sandbox.stop()
    async with IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
        answer = await intercom.call(EVENT)
    assert (answer.status, answer.failure) == (0, "the host cannot be reached")


async def test_connections_with_the_systems_certificates_share_them(tmp_path: Path) -> None:
    """Each copy would take 1 MiB."""
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    names = {"a": "", "b": "", "c": str(ca_file), "d": str(ca_file)}
    clients = {
        name: IntercomClient(
            ConnectionSettings(name=name, base_url="https://127.0.0.1", ca_file=file), AccessToken(TOKEN), 1
        )
        for name, file in names.items()
    }
    assert clients["a"]._tls is clients["b"]._tls
    assert len({id(client._tls) for client in clients.values()}) == 3


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "empty"])
def test_file_without_certificates_is_named(tmp_path: Path, kind: str) -> None:
    """A pipe would block the daemon, and a device would be read for ever."""
    path = tmp_path / "ca.pem"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    with pytest.raises(CertificatesUnusable, match=rf"^connections\.eu\.ca_file: {path} "):
        IntercomClient(ConnectionSettings(name="eu", ca_file=str(path)), AccessToken(TOKEN), 1)


async def test_host_without_tls_is_a_failure(sandbox: Sandbox) -> None:
    settings = settings_for(sandbox, base_url=sandbox.base_url.replace("http:", "https:"))
    async with IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
        answer = await intercom.call(EVENT)
    assert (answer.status, answer.failure) == (0, "TLS could not be set up")


async def test_response_that_is_not_http_is_a_failure() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"\x00\xff\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Sandbox() as sandbox:
        settings = settings_for(sandbox, base_url=f"http://127.0.0.1:{port}")
    async with server, IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
        answer = await intercom.call(EVENT)
    assert (answer.status, answer.failure) == (0, "the response is not valid HTTP")


@pytest.mark.parametrize("base_url", ["https://☃..example", "https://" + "ä" * 80, "https://example.com:99999"])
def test_url_that_cannot_be_called_is_named(base_url: str) -> None:
    with pytest.raises(UrlUnusable, match=f"connections.default.base_url: {base_url} cannot be called"):
        IntercomClient(ConnectionSettings(name="default", base_url=base_url), AccessToken(TOKEN), 4)


async def test_session_that_is_closed_makes_no_call(sandbox: Sandbox) -> None:
    intercom = IntercomClient(settings_for(sandbox), AccessToken(TOKEN), 4)
    assert (await intercom.call(EVENT)).failure == "the client is closed"
    assert sandbox.calls == []


@pytest.mark.parametrize("date", ["no date", "Sun, 99 Nov 2026 99:99:99 GMT"])
async def test_invalid_headers_are_left_out(sandbox: Sandbox, session: IntercomClient, date: str) -> None:
    sandbox.fault(f"POST /events 503 header=X-RateLimit-Limit:many header=Date:{date.split(' ', 1)[0]} times=1")
    answer = await session.call(EVENT)
    assert answer.status == 503
    assert answer.rate is None
    assert answer.date is None


@pytest.mark.fills("deliver.intercom.client.ATTRIBUTES_BYTES_MAX")
async def test_list_of_attributes_has_a_larger_limit(sandbox: Sandbox, session: IntercomClient) -> None:
    sandbox.fault("GET /data_attributes huge size=6MiB times=1")
    assert len((await session.call(requests.ATTRIBUTES)).body) == ATTRIBUTES_BYTES_MAX


@pytest.mark.fills("deliver.intercom.connection_pool.CALL_SECONDS")
def test_call_without_a_response_times_out() -> None:
    async def call() -> Response:
        async with Sandbox(SandboxSettings(rate_limit=0)) as sandbox:
            sandbox.fault("POST /events hang")
            async with IntercomClient(settings_for(sandbox), AccessToken(TOKEN), 4) as session:
                begin = asyncio.get_running_loop().time()
                response = await session.call(EVENT)
                assert asyncio.get_running_loop().time() - begin == pytest.approx(CALL_SECONDS)
                return response

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(call()) == Response(0, failure="no response in time")


@pytest.mark.fills("deliver.intercom.connection_pool.CONNECT_SECONDS")
def test_connecting_times_out_sooner_than_a_call() -> None:
    async def call(port: int) -> Response:
        settings = ConnectionSettings(name="default", base_url=f"http://127.0.0.1:{port}")
        async with IntercomClient(settings, AccessToken(TOKEN), 4) as session:
            begin = asyncio.get_running_loop().time()
            response = await session.call(EVENT)
            assert asyncio.get_running_loop().time() - begin == pytest.approx(CONNECT_SECONDS)
            return response

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        # No connection is accepted: once the queue is full, further ones get no response.
        for _ in range(4):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(full.getsockname())
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            assert runner.run(call(full.getsockname()[1])) == Response(0, failure="no response in time")


async def response_to_event(raw: bytes) -> Response:
    """Returns the response to an event that a server answers with these bytes and the end of the connection."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    settings = ConnectionSettings(name="default", base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, IntercomClient(settings, AccessToken(TOKEN), 4) as intercom:
        return await intercom.call(EVENT)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 202 Accepted\r\n\r\n",
        b"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 50\r\n\r\nabc",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nDate: x\r\nDate: y\r\nX-RateLimit-Reset: a\r\nX-RateLimit-Reset: b\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_unusual_response_with_a_readable_status_settles_an_event(raw: bytes) -> None:
    answer = await response_to_event(raw)
    assert classify(Call.TRACK_EVENT, answer).kind is Kind.DONE


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: zero\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nnonsense\r\n\r\n",
        b"HTTP/1.1 2020 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Less\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
    ],
)
async def test_malformed_response_is_transient_and_named(raw: bytes) -> None:
    answer = await response_to_event(raw)
    classification = classify(Call.TRACK_EVENT, answer)
    assert classification.kind is Kind.TRANSIENT
    failure = describe_failure(Call.TRACK_EVENT, classification, answer)
    assert failure == "POST /events: NETWORK (the response is not valid HTTP)"


@pytest.mark.parametrize("status", [400, 404, 405, 406, 409, 410, 413, 415, 422])
@pytest.mark.parametrize("body", [b"", b'{"ty', b'{"type":"error.list","errors":[', b"abc"])
async def test_refusal_that_breaks_off_is_transient(status: int, body: bytes) -> None:
    """Also before the first byte of its body: an empty refusal is final, but this one is not empty."""
    answer = await response_to_event(b"HTTP/1.1 %d X\r\nContent-Length: 5000\r\n\r\n%b" % (status, body))
    assert (answer.status, answer.complete) == (status, False)
    classification = classify(Call.TRACK_EVENT, answer)
    assert (classification.kind, classification.reason) == (Kind.TRANSIENT, ANSWER_UNREADABLE)
