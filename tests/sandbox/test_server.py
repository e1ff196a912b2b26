"""The sandbox on the wire: connections that are cut, answers that never end, outages."""

import asyncio
import io
import socket
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
import pytest

from daemons.process import WAIT_SECONDS
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE

CREATE = {"external_id": "7"}


async def create(client: aiohttp.ClientSession) -> tuple[int, bytes]:
    async with client.post("/contacts", json=CREATE) as answer:
        return answer.status, await answer.read()


async def test_answer_has_date_json_and_request_id(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    before = int(time.time())
    async with client.get("/me") as answer:
        assert answer.content_type == "application/json"
        assert answer.headers["x-request-id"] == sandbox.calls[0].request_id
        assert before <= parsedate_to_datetime(answer.headers["Date"]).timestamp() <= time.time()


async def test_clock_offset_shows_in_date_and_reset() -> None:
    headers = {"Authorization": "Bearer sandbox-token", "Accept": "application/json"}
    async with (
        Sandbox(SandboxSettings(recorded=NONE), clock=lambda: 1_000_000_003.5) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=headers) as client,
        client.get("/me") as answer,
    ):
        assert answer.headers["Date"] == "Sun, 09 Sep 2001 01:46:43 GMT"
        assert answer.headers["X-RateLimit-Reset"] == "1000000010"


@pytest.mark.parametrize(("fault", "contacts"), [("cut-before", 0), ("cut-after", 1)])
async def test_connection_is_cut_before_or_after_the_effect(
    sandbox: Sandbox, client: aiohttp.ClientSession, fault: str, contacts: int
) -> None:
    sandbox.fault(f"POST /contacts {fault} times=1")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await create(client)
    assert len(sandbox.contacts) == contacts
    (call,) = sandbox.calls
    assert (call.taken, call.fault, call.status) == (bool(contacts), fault, 200 * contacts)
    assert (await create(client))[0] == (409 if contacts else 200)


async def test_response_is_cut_in_the_middle(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.fault("POST /contacts cut-middle times=1")
    with pytest.raises(aiohttp.ClientPayloadError):
        await create(client)
    assert len(sandbox.contacts) == 1


async def test_empty_response_is_cut_in_the_middle(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.workspace.add_contact("7")
    sandbox.fault("POST /events cut-middle")
    with pytest.raises(aiohttp.ClientPayloadError):
        async with client.post("/events", json={"event_name": "a", "created_at": 5, "user_id": "7"}) as answer:
            await answer.read()
    assert len(sandbox.events) == 1


@pytest.mark.parametrize(("fault", "contacts"), [("hang", 0), ("hang-after", 1)])
async def test_hanging_call_ends_when_the_client_disconnects(
    sandbox: Sandbox, client: aiohttp.ClientSession, fault: str, contacts: int
) -> None:
    sandbox.fault(f"POST /contacts {fault}")
    hanging = asyncio.create_task(create(client))
    await sandbox.wait_for(lambda one: one.calls)
    assert not hanging.done()
    assert not sandbox.calls[0].ended
    assert len(sandbox.contacts) == contacts
    hanging.cancel()
    await sandbox.wait_for(lambda one: one.calls[0].ended)


async def test_stop_cuts_hanging_calls(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.fault("POST /contacts hang")
    hanging = asyncio.create_task(create(client))
    await sandbox.wait_for(lambda one: one.calls)
    await sandbox.stop()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await hanging
    assert sandbox.calls[0].ended


@pytest.mark.parametrize("passes", range(5))
async def test_stop_cuts_a_connection_that_is_being_accepted(sandbox: Sandbox, passes: int) -> None:
    """After this number of passes of the event loop."""
    loop = asyncio.get_running_loop()
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setblocking(False)
        for _ in range(passes):
            passed = loop.create_future()
            loop.call_soon(passed.set_result, None)
            await passed
        await sandbox.stop()
        async with asyncio.timeout(WAIT_SECONDS):
            with suppress(ConnectionError):
                assert await loop.sock_recv(connection, 1) == b""


async def test_outage_refuses_connections_and_keeps_the_state(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    assert (await create(client))[0] == 200
    base_url = sandbox.base_url
    await sandbox.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await create(client)
    await sandbox.start()
    assert sandbox.base_url == base_url
    assert (await create(client))[0] == 409
    assert [call.status for call in sandbox.calls] == [200, 409]


async def test_stop_without_a_start_does_nothing() -> None:
    sandbox = Sandbox()
    await sandbox.stop()
    await sandbox.start("127.0.0.1", 0)
    await sandbox.stop()
    await sandbox.stop()


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        ("empty", 200, None, b""),
        ("503 empty", 503, None, b""),
        ("502 not-json", 502, "application/json; charset=utf-8", b"<html><body><h1>Bad Gateway</h1></body></html>"),
        ("500 body='{}'", 500, "application/json; charset=utf-8", b"{}"),
        ("200 wrong-type body=ok", 200, "text/html", b"ok"),
        ("200 huge size=3MiB", 200, "application/json; charset=utf-8", b'{"type":"' + b"x" * (3 << 20) + b'"}'),
        ("200 slow over=50ms body=0123456789abc", 200, "application/json; charset=utf-8", b"0123456789abc"),
        ("200 delay=10ms body=late", 200, "application/json; charset=utf-8", b"late"),
    ],
)
async def test_response_is_corrupted_as_chosen(
    sandbox: Sandbox, client: aiohttp.ClientSession, fault: str, status: int, content_type: str | None, body: bytes
) -> None:
    sandbox.fault(f"POST /contacts {fault}")
    async with client.post("/contacts", json=CREATE) as answer:
        assert (answer.status, answer.headers.get("Content-Type")) == (status, content_type)
        assert await answer.read() == body


async def test_delay_is_after_the_effect(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.fault("* delay=1m")
    slow = asyncio.create_task(create(client))
    await sandbox.wait_for(lambda one: one.calls)
    assert len(sandbox.contacts) == 1
    assert not slow.done()
    slow.cancel()
    await sandbox.wait_for(lambda one: one.calls[0].ended)


async def test_body_beyond_the_limit_is_413(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    body = io.BytesIO(b'{"external_id": "' + b"x" * (1 << 20) + b'"}')
    async with client.post("/contacts", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413
    assert sandbox.contacts == []


async def test_address_in_use_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await Sandbox().start("127.0.0.1", sandbox.port)
