"""Proxies in the environment: calls on this machine never use one, others do as gRPC decides."""

import asyncio
import os

import pytest

from daemons.commands import invoke
from daemons.process import COMMAND, WAIT_SECONDS, Daemon, Start
from intercom.connect_proxy import ConnectProxy
from intercomd import BlockingPublisher, Publisher
from senders.client import envelope

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LINE = '{"identity":{"customer_id":"s-1"},"custom_event":{"name":"opened"}}\n'


@pytest.fixture(autouse=True)
def _no_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy", *VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", VARIABLES)
async def test_local_calls_use_no_proxy(start: Start, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async with ConnectProxy(answer=b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        monkeypatch.setenv(variable, proxy.url)
        daemon = await start()
        port = daemon.ingest_address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            async with Publisher(f"{host}:{port}") as publisher:
                await publisher.publish_and_wait(envelope("u1", "Opened", envelope_id=host))
        await asyncio.to_thread(publish_blocking, daemon)
        sent = await invoke("send", "-", "--target", daemon.ingest_address, input=LINE)
        assert sent.exit_code == 0, sent.output
        for words in (("status",), ("dead-letters", "list")):
            said = await invoke(*words, "--operations", daemon.operations_address)
            assert said.exit_code == 0, said.output
        healthy = await invoke("healthcheck", "--target", daemon.http_address)
        assert healthy.exit_code == 0, healthy.output
        await daemon.ended(["127.0.0.1", "localhost", "blocking"])
        assert proxy.targets == []


def publish_blocking(daemon: Daemon) -> None:
    with BlockingPublisher(daemon.ingest_address) as publisher:
        publisher.publish_and_wait(envelope("u1", "Opened", envelope_id="blocking"))


async def test_demo_works_with_a_proxy_in_the_environment() -> None:
    async with ConnectProxy(answer=b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        environment = {**os.environ, **dict.fromkeys(VARIABLES, proxy.url)}
        demo = await asyncio.create_subprocess_exec(
            COMMAND, "demo", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
        )
        async with asyncio.timeout(2 * WAIT_SECONDS):
            output, _ = await demo.communicate()
        assert demo.returncode == 0, output.decode()
        assert proxy.targets == []


async def test_remote_daemon_is_reached_through_the_proxy_of_the_environment(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConnectProxy(route=daemon.ingest_address) as proxy:
        monkeypatch.setenv("grpc_proxy", proxy.url)
        async with Publisher("gateway.example:50051") as publisher:
            await publisher.publish_and_wait(envelope("u1", "Opened", envelope_id="far"))
        assert proxy.targets == ["gateway.example:50051"]
    await daemon.ended(["far"])
