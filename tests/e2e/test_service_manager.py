"""What a daemon reports to systemd from its start to its stop, over the socket that systemd names."""

import asyncio
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from daemons.process import EXECUTABLE, WAIT_SECONDS, Daemon, Start


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """As a service manager starts it: signals and watches reach one process."""
    return EXECUTABLE


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


async def reports_until(manager: socket.socket, last: str) -> list[str]:
    """Returns the first state of each message, and its status, up to the first message of a state."""
    found: list[str] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while not found or not found[-1].startswith(last):
            message = await asyncio.get_running_loop().sock_recv(manager, 4096)
            lines = dict(line.split("=", 1) for line in message.decode().splitlines())
            found.append(" ".join([next(iter(lines)), lines.get("STATUS", "")]).strip())
    return found


async def reload(daemon: Daemon, event: str) -> None:
    daemon.signal(signal.SIGHUP)
    await daemon.heard(event)


async def test_states_of_a_daemon_are_reported(manager: socket.socket, start: Start, tmp_path: Path) -> None:
    """A reload ends with READY in any case: systemd waits for it, and has no state for one that failed."""
    daemon = await start()
    serving = f"serving {daemon.ingest_address}"
    began = await reports_until(manager, "READY")
    assert set(began[:-1]) == {"EXTEND_TIMEOUT_USEC opening the spool"}
    assert began[-1] == f"READY {serving}"
    await reload(daemon, "reloaded")
    settings = tmp_path / "intercomd.toml"
    valid = settings.read_text()
    settings.write_text("none")
    await reload(daemon, "reload_failed")
    settings.write_text(valid)
    assert await daemon.stop() == 0
    assert await reports_until(manager, "STOPPING") == [
        "RELOADING",
        f"READY {serving}",
        "RELOADING",
        f"READY {serving}; the last reload failed, see the log",
        "STOPPING",
    ]
