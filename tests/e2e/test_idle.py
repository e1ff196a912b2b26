"""A daemon with nothing to do does nothing: no timer, no polling."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from daemons.process import EXECUTABLE, Daemon
from intercomd.v1.operations_pb2 import PauseConnectionRequest
from senders.client import envelope


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """What a process of its own takes."""
    return EXECUTABLE


LOOK_SECONDS = 3.0
# gRPC's own threads wake some ten times a second in all; none of them is ours to stop.
FOREIGN = ("grpc_", "event_engine", "lifeguard", "timer_manager", "resolver")


def ticks(pid: int) -> int:
    """Processor time in clock ticks of 10 ms, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wakes(pid: int) -> int:
    """How often a thread of ours has given the processor away, which is once for each time that it was woken."""
    counted = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        if not status["Name"].startswith(FOREIGN):
            counted += int(status["voluntary_ctxt_switches"])
    return counted


async def must_rest(daemon: Daemon) -> None:
    """Looks twice, once the last work is over; between the looks a daemon at rest wakes for gRPC's last packets."""
    forever = asyncio.create_task(asyncio.Event().wait())
    await asyncio.wait({forever}, timeout=LOOK_SECONDS)
    before = ticks(daemon.pid), wakes(daemon.pid)
    await asyncio.wait({forever}, timeout=LOOK_SECONDS)
    assert ticks(daemon.pid) - before[0] <= 3
    assert wakes(daemon.pid) - before[1] <= 8


async def test_idle_daemon_uses_no_cpu(daemon: Daemon) -> None:
    names = [str(number) for number in range(100)]
    await daemon.publish(*(envelope(f"u{n}", "Opened", update={"n": n}, envelope_id=n) for n in names))
    await daemon.ended(names)
    await must_rest(daemon)


async def test_daemon_paused_over_a_backlog_uses_no_cpu(daemon: Daemon) -> None:
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    await daemon.publish(*(envelope(f"u{n}", "Opened", at=n) for n in range(500)))
    await must_rest(daemon)
