"""Health, readiness and metrics, asked over real connections."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck
from intercomd_daemon.operations.http import HEADERS, HealthPages, listen_http
from ports import free_port

PATHS = ("/", "/healthz", "/readyz", "/metrics")


def _status(name: str, state: ConnectionState) -> ConnectionStatus:
    return ConnectionStatus(
        name=name,
        state=state,
        reason="UNAUTHORIZED",
        since=1.0,
        app_id="abc12345",
        workspace_name="Shop",
        region="us",
        window_seconds=10.0,
        last_error="401 unauthorized",
    )


@dataclass
class ScriptedDaemon:
    """A daemon with the status that a test gives it."""

    now: DaemonState = DaemonState.SERVING
    connections: list[ConnectionStatus] = field(default_factory=list)
    parts: list[HealthCheck] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def state(self) -> DaemonState:
        return self.now

    def statuses(self) -> Sequence[ConnectionStatus]:
        return self.connections

    def checks(self) -> Sequence[HealthCheck]:
        return self.parts


@asynccontextmanager
async def _asking(scripted: ScriptedDaemon) -> AsyncIterator[aiohttp.ClientSession]:
    listener = await listen_http(HealthPages(scripted, scripted.registry).respond, ["127.0.0.1:0"])
    try:
        async with aiohttp.ClientSession(base_url=f"http://{listener.addresses[0]}") as session:
            yield session
    finally:
        await listener.close()


@pytest.mark.parametrize(
    ("state", "status"), [(DaemonState.STARTING, 503), (DaemonState.SERVING, 200), (DaemonState.DRAINING, 503)], ids=str
)
async def test_readyz_is_ok_exactly_while_calls_are_answered(state: DaemonState, status: int) -> None:
    async with _asking(ScriptedDaemon(now=state)) as session, session.get("/readyz") as answer:
        assert answer.status == status
        assert await answer.json() == {"ready": status == 200, "state": state.name.lower(), "connections": {}}


async def test_readyz_shows_failing_connections_and_stays_ok() -> None:
    scripted = ScriptedDaemon(connections=[_status(state.name.lower(), state) for state in ConnectionState])
    async with _asking(scripted) as session, session.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["connections"] == {
            state.name.lower(): state.name.lower() for state in ConnectionState
        }


@pytest.mark.parametrize("state", DaemonState)
async def test_healthz_is_ok_while_all_parts_make_progress(state: DaemonState) -> None:
    scripted = ScriptedDaemon(
        now=state, parts=[HealthCheck("spool writer", moves=True), HealthCheck("default", moves=True)]
    )
    async with _asking(scripted) as session, session.get("/healthz") as answer:
        assert answer.status == 200
        assert (await answer.json())["alive"] is True


async def test_healthz_fails_and_names_a_part_without_progress() -> None:
    scripted = ScriptedDaemon(
        parts=[HealthCheck("spool writer", moves=True), HealthCheck("default", moves=False, detail="nothing for 61 s")]
    )
    async with _asking(scripted) as session, session.get("/healthz") as answer:
        assert answer.status == 503
        assert await answer.json() == {
            "alive": False,
            "checks": [
                {"name": "spool writer", "moves": True, "detail": ""},
                {"name": "default", "moves": False, "detail": "nothing for 61 s"},
            ],
        }


async def test_metrics_page_has_the_text_format() -> None:
    scripted = ScriptedDaemon()
    Counter("intercomd_things", "Things.", registry=scripted.registry).inc(3)
    async with _asking(scripted) as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "intercomd_things_total 3.0" in (await answer.text()).splitlines()


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_answered_like_get_without_a_body(path: str) -> None:
    async with _asking(ScriptedDaemon()) as session, session.get(path) as get, session.head(path) as head:
        assert (head.status, head.headers["Content-Type"]) == (get.status, get.headers["Content-Type"])
        assert await head.read() == b""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_than_get_and_head_are_refused(method: str, path: str) -> None:
    async with _asking(ScriptedDaemon()) as session, session.request(method, path, data=b"x") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/../etc/passwd"])
async def test_every_answer_carries_the_secure_headers_and_no_version(path: str) -> None:
    async with _asking(ScriptedDaemon()) as session, session.get(path) as answer:
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GARBAGE",
        b"FOO / HTTP/1.1",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 10_000,
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
async def test_response_to_a_malformed_request_names_no_version(request_line: bytes) -> None:
    listener = await listen_http(HealthPages(ScriptedDaemon(), ScriptedDaemon().registry).respond, ["127.0.0.1:0"])
    host, _, port = listener.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_line + b"\r\n\r\n")
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    assert status.endswith("400 Bad Request")
    assert {f"{name}: {value}" for name, value in HEADERS.items()} <= set(lines)
    writer.close()
    await listener.close()


async def test_error_of_a_page_is_a_response_like_the_others() -> None:
    """The next page on the same connection is served."""

    class Broken(ScriptedDaemon):
        def checks(self) -> Sequence[HealthCheck]:
            raise LookupError("no checks")

    async with _asking(Broken()) as session:
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (500, "500: Internal Server Error")
            assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        async with session.get("/readyz") as answer:
            assert answer.status == 200


async def test_listener_serves_every_address_and_reports_it(tmp_path: Path) -> None:
    scripted = ScriptedDaemon()
    addresses = ["127.0.0.1:0", f"unix:{tmp_path}/http.sock"]
    listener = await listen_http(HealthPages(scripted, scripted.registry).respond, addresses)
    try:
        tcp, unix = listener.addresses
        assert unix == addresses[1]
        connector = aiohttp.UnixConnector(str(tmp_path / "http.sock"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://unix/readyz") as answer:
            assert answer.status == 200
        async with aiohttp.ClientSession() as session, session.get(f"http://{tcp}/readyz") as answer:
            assert answer.status == 200
    finally:
        await listener.close()


async def test_address_in_use_is_an_error_and_leaves_nothing_listening() -> None:
    scripted = ScriptedDaemon()
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addresses = [f"127.0.0.1:{free}", f"127.0.0.1:{taken.getsockname()[1]}"]
        with pytest.raises(OSError, match="in use"):
            await listen_http(HealthPages(scripted, scripted.registry).respond, addresses)
    socket.create_server(("127.0.0.1", free)).close()


async def test_closed_listener_answers_nothing() -> None:
    scripted = ScriptedDaemon()
    listener = await listen_http(HealthPages(scripted, scripted.registry).respond, ["127.0.0.1:0"])
    (address,) = listener.addresses
    await listener.close()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://{address}/readyz")
