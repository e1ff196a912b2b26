"""Calls to Intercom through a company's proxy, over real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from daemons.commands import invoke
from daemons.process import COMMAND, Daemon
from intercom.connect_proxy import ConnectProxy, copy_both
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

HOST = "api.intercom.test"
URL = f"https://{HOST}"
CREDENTIALS = "corp:s3cret-word"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def tls(authority: trustme.CA, sandbox: Sandbox) -> AsyncIterator[str]:
    """Where the sandbox is behind TLS, with a certificate for `HOST`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(context)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(sandbox.base_url.rpartition(":")[2])
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await copy_both(reader, writer, there_reader, there_writer)

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def connection(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - settings of a connection
    return {"connections": {"default": {"base_url": URL, **fields}}}


async def delivers(daemon: Daemon) -> None:
    await daemon.start()
    await daemon.publish(envelope("u1", "Opened", envelope_id="through"))
    await daemon.ended(["through"])
    await daemon.close()
    assert "s3cret-word" not in str(daemon.lines)


@pytest.mark.parametrize("credentials", ["", CREDENTIALS])
async def test_proxy_of_the_settings_is_used(
    tmp_path: Path, sandbox: Sandbox, tls: str, ca_file: str, credentials: str
) -> None:
    async with ConnectProxy(credentials, route=tls) as proxy:
        url = proxy.url.replace("http://", f"http://{credentials}@" if credentials else "http://")
        daemon = Daemon(tmp_path, sandbox.base_url, connection(proxy=url, ca_file=ca_file))
        checked = await invoke("check", "--config", tmp_path / "intercomd.toml")
        assert checked.exit_code == 0, checked.output
        shown = await invoke("config", "--config", tmp_path / "intercomd.toml")
        assert "s3cret-word" not in shown.output + checked.output
        assert str(proxy.port) in shown.output
        await delivers(daemon)
        assert set(proxy.targets) == {f"{HOST}:443"}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
async def test_proxy_of_the_environment_is_used_with_ssl_cert_file(
    tmp_path: Path, sandbox: Sandbox, tls: str, ca_file: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    async with ConnectProxy(CREDENTIALS, route=tls) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("http://", f"http://{CREDENTIALS}@"))
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        await delivers(Daemon(tmp_path, sandbox.base_url, connection()))
        assert set(proxy.targets) == {f"{HOST}:443"}


@pytest.mark.parametrize(("proxied", "exceptions"), [("", ""), ("", "127.0.0.0/8"), ("", "*"), ("none", "example.com")])
async def test_no_proxy_and_none_connect_directly(
    tmp_path: Path,
    sandbox: Sandbox,
    tls: str,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    proxied: str,
    exceptions: str,
) -> None:
    async with ConnectProxy(answer=b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exceptions)
        await delivers(
            Daemon(tmp_path, sandbox.base_url, connection(base_url=f"https://{tls}", ca_file=ca_file, proxy=proxied))
        )
        assert proxy.targets == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "the proxy responded 407: put",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "the proxy responded 502"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>", "the proxy responded 403"),
        (b"\x00\xff\r\n\r\n", ""),
    ],
)
async def test_proxy_that_refuses_the_tunnel_is_named_and_nothing_is_lost(
    tmp_path: Path, sandbox: Sandbox, ca_file: str, answer: bytes, said: str
) -> None:
    async with ConnectProxy(answer=answer) as proxy:
        url = proxy.url.replace("http://", f"http://{CREDENTIALS}@")
        daemon = Daemon(tmp_path, sandbox.base_url, connection(proxy=url, ca_file=ca_file))
        await daemon.start()
        await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
        await daemon.until(lambda: any(said in line["reason"] for line in daemon.logged("connection")))
        assert daemon.outcomes["kept"] == 0
        await daemon.close()
        assert "s3cret-word" not in str(daemon.lines)
    assert sandbox.calls == []


async def test_untrusted_certificate_is_refused(tmp_path: Path, sandbox: Sandbox, tls: str) -> None:
    async with ConnectProxy(route=tls) as proxy:
        daemon = Daemon(tmp_path, sandbox.base_url, connection(proxy=proxy.url))
        await daemon.start()
        await daemon.until(lambda: any("certificate" in line["reason"] for line in daemon.logged("connection")))
        await daemon.close()
    assert sandbox.calls == []


async def test_plain_http_base_url_through_a_proxy_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"http://{CREDENTIALS}@127.0.0.1:1"
    Daemon(tmp_path, sandbox.base_url, {"connections": {"default": {"proxy": url}}})
    for command in ("run", "check"):
        process = await asyncio.create_subprocess_exec(
            COMMAND, command, "--config", tmp_path / "intercomd.toml",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 78
        assert b"connections.default.proxy" in output
        assert b"s3cret-word" not in output


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unusable_ca_file_ends_the_daemon(tmp_path: Path, sandbox: Sandbox, content: str | None) -> None:
    path = tmp_path / "corporate.pem"
    if content is not None:
        path.write_text(content)
    daemon = await Daemon(tmp_path, sandbox.base_url, connection(ca_file=str(path))).launch()
    assert await daemon.gone() == 1
    assert str(path) in daemon.logged("fatal")[0]["error"]
    checked = await invoke("check", "--config", tmp_path / "intercomd.toml")
    assert (checked.exit_code, str(path) in checked.output) == (78, True)
    await daemon.close()
