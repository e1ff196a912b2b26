"""What a daemon reports to systemd from its start to its stop, over the socket that systemd names."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.process import Daemon, Start


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def reports(manager: socket.socket) -> list[str]:
    """Returns the first state of each message, and its status, since the last call."""
    found = []
    while True:
        try:
            lines = dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())
        except BlockingIOError:
            return found
        found.append(" ".join([next(iter(lines)), lines.get("STATUS", "")]).strip())


async def reload(daemon: Daemon, event: str) -> None:
    daemon.signal(signal.SIGHUP)
    await daemon.heard(event)


async def test_states_of_a_daemon_are_reported(manager: socket.socket, start: Start, tmp_path: Path) -> None:
    """A reload ends with READY in any case: systemd waits for it, and has no state for one that failed."""
    daemon = await start()
    serving = f"serving {daemon.ingest_address}"
    began = reports(manager)
    assert set(began[:-1]) == {"EXTEND_TIMEOUT_USEC opening the spool"}
    assert began[-1] == f"READY {serving}"
    await reload(daemon, "reloaded")
    settings = tmp_path / "intercomd.toml"
    valid = settings.read_text()
    settings.write_text("none")
    await reload(daemon, "reload_failed")
    settings.write_text(valid)
    assert await daemon.stop() == 0
    assert reports(manager) == [
        "RELOADING",
        f"READY {serving}",
        "RELOADING",
        f"READY {serving}; the last reload failed, see the log",
        "STOPPING",
    ]
