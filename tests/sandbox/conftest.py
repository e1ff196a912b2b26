"""What the sandbox's tests share: a way to ask a workspace without a wire, and a client for a sandbox that runs."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.dispatch import answer
from intercomd_daemon.sandbox.http_messages import HttpResponse, ReceivedRequest
from intercomd_daemon.sandbox.workspace import Workspace

HEADERS = {"Authorization": "Bearer sandbox-token", "Accept": "application/json", "Intercom-Version": "2.16"}
NOW = 1_700_000_000.0

Ask = Callable[..., HttpResponse]


@pytest.fixture
def ask() -> Ask:
    """Ask a workspace: method, path, JSON body; `headers` go over the usual ones, None takes one away."""

    def perform(
        workspace: Workspace,
        method: str,
        target: str,
        json: object = None,
        *,
        body: bytes | None = None,
        version: str = "2.16",
        headers: dict[str, str | None] | None = None,
        now: float = NOW,
    ) -> HttpResponse:
        if body is None:
            body = b"" if json is None else msgspec.json.encode(json)
        given = HEADERS | {"Intercom-Version": version, "Content-Type": "application/json"} | (headers or {})
        path, _, query = target.partition("?")
        sent = {name: value for name, value in given.items() if value is not None}
        return answer(workspace, ReceivedRequest(method, path, query, sent, body), "request-1", now)

    return perform


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(SandboxSettings(search_lag_seconds=0.0))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the sandbox's token, at its address."""
    async with aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        yield session


@pytest.fixture
def read() -> Callable[[HttpResponse], Any]:
    """Read an answer's JSON."""
    return lambda given: msgspec.json.decode(given.body)


@pytest.fixture
def refusal() -> Callable[[HttpResponse], tuple[int, str, str]]:
    """Give status, code and message of a refusal, whose envelope must be Intercom's."""

    def perform(given: HttpResponse) -> tuple[int, str, str]:
        envelope = msgspec.json.decode(given.body)
        assert envelope["type"] == "error.list"
        assert envelope["request_id"] == "request-1"
        (error,) = envelope["errors"]
        return given.status, error["code"], error["message"]

    return perform
