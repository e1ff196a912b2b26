"""What systemd is notified of, over a real socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercomd_daemon.app.systemd import EXTEND_SECONDS, Systemd

PID = os.getpid()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Systemd's end, and the value of NOTIFY_SOCKET."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@intercomd-test-{PID}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.setblocking(False)
        yield listening, address


def received(listening: socket.socket) -> list[dict[str, str]]:
    found = []
    while True:
        try:
            text = listening.recv(4096).decode()
        except BlockingIOError:
            return found
        found.append(dict(line.split("=", 1) for line in text.splitlines()))


@pytest.mark.fills("app.systemd.EXTEND_SECONDS")
def test_states_are_notified(manager: tuple[socket.socket, str]) -> None:
    listening, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address}, PID)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    systemd.extend("opening the spool")
    systemd.ready("serving")
    systemd.reloading()
    systemd.alive()
    systemd.stopping(10.0)
    extend, ready, reloading, alive, stopping = received(listening)
    assert extend == {"EXTEND_TIMEOUT_USEC": "30000000", "STATUS": "opening the spool"}
    assert ready == {"READY": "1", "STATUS": "serving"}
    assert reloading.pop("RELOADING") == "1"
    assert before <= int(reloading.pop("MONOTONIC_USEC")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reloading == {}
    assert alive == {"WATCHDOG": "1"}
    assert stopping == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "40000000"}
    assert EXTEND_SECONDS == 30.0


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"NOTIFY_SOCKET": "@s"}, 0.0),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "30000000"}, 15.0),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, 15.0),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 0.0),
    ],
)
def test_watchdog_interval_is_half_of_systemds(environment: dict[str, str], seconds: float) -> None:
    assert Systemd(environment, PID).watchdog_seconds == seconds


@pytest.mark.parametrize("address", ["", "@intercomd-test-nothing-listens", "/nowhere/notify", "x" * 200])
def test_missing_service_manager_is_ignored(address: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address}, PID)
    systemd.ready("serving")
    systemd.alive()


def test_manager_that_does_not_read_does_not_block(manager: tuple[socket.socket, str]) -> None:
    listening, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address}, PID)
    for _ in range(5_000):
        systemd.alive()
    assert 0 < len(received(listening)) < 5_000
