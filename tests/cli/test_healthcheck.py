"""Tests `intercomd healthcheck`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemons.commands import invoke
from daemons.process import Daemon

module_wide = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def answering(path: Path, answer: bytes) -> AsyncIterator[list[bytes]]:
    """A server on a socket in the file system that answers everybody the same."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, path)
    yield requests
    server.close()
    await server.wait_closed()


@module_wide
async def test_healthcheck_succeeds_for_a_running_daemon(daemon: Daemon) -> None:
    for words in ((), ("--live",)):
        result = await invoke("healthcheck", "--target", daemon.http_address, *words)
        assert result.exit_code == 0, result.output


@module_wide
async def test_healthcheck_finds_the_address_in_the_settings(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text(f'[operations]\nlisten = "{daemon.http_address}"\n')
    assert (await invoke("healthcheck", "--config", path)).exit_code == 0
    environment = {"INTERCOMD_OPERATIONS_LISTEN": daemon.http_address}
    assert (await invoke("healthcheck", env=environment)).exit_code == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno", 1),
        (b"SSH-2.0-nothing\r\n", 1),
        (b"", 1),
    ],
)
async def test_healthcheck_calls_a_unix_socket(tmp_path: Path, answer: bytes, code: int) -> None:
    path = tmp_path / "pages"
    async with answering(path, answer) as requests:
        result = await invoke("healthcheck", "--target", f"unix:{path}")
    assert (result.exit_code, requests) == (code, [b"GET /readyz HTTP/1.1"])


async def test_healthcheck_without_a_daemon_prints_one_line(tmp_path: Path) -> None:
    result = await invoke("healthcheck", "--target", f"unix:{tmp_path}/nowhere")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "No such file or directory; start the daemon" in result.stderr


async def test_healthcheck_of_an_invalid_address_prints_one_line() -> None:
    result = await invoke("healthcheck", "--target", "somewhere:here")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


async def test_healthcheck_with_a_missing_settings_file_exits_with_78(tmp_path: Path) -> None:
    assert (await invoke("healthcheck", "--config", tmp_path / "nowhere.toml")).exit_code == 78
