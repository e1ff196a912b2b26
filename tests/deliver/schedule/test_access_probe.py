"""`GET /me` is asked when access is uncertain and when the outage detector needs it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from delivery.worker import TOKEN, Notes, settings_for
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.token import Token
from intercomd_daemon.deliver.schedule.access_probe import AccessProbe
from intercomd_daemon.deliver.schedule.caller import Caller
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_state import ConnectionMonitor
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.sandbox import Sandbox, SandboxSettings

SOON = Clock(jitter=lambda: 0.01)
LATER = Clock(jitter=lambda: 60.0)


class Bench:
    """An access probe with its own session."""

    def __init__(self, sandbox: Sandbox, intercom: IntercomClient, clock: Clock = SOON, **changes: object) -> None:
        settings = settings_for(sandbox, **changes)
        self.notes = Notes()
        self.monitor = ConnectionMonitor(settings, self.notes, clock, paused=False)
        self.recovered = 0
        caller = Caller("default", intercom, Pace(1000, 1.0, time.monotonic()), self.notes, clock)
        self.probe = AccessProbe(settings, self.monitor, caller, self._count, clock)

    def _count(self) -> None:
        self.recovered += 1


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(rate_limit=0)) as running:
        yield running


@pytest.fixture
async def intercom(sandbox: Sandbox) -> AsyncIterator[IntercomClient]:
    async with IntercomClient(settings_for(sandbox), Token(TOKEN), 4) as session:
        yield session


def paths(sandbox: Sandbox) -> list[str]:
    return [f"{call.method} {call.path}" for call in sandbox.calls]


@pytest.mark.parametrize(
    ("fault", "away", "recovered", "suspended"),
    [("500", False, 0, False), ("503", True, 0, False), ("", True, 1, False), ("401", False, 0, True)],
)
async def test_the_outage_detector_is_told_whether_get_me_is_answered(
    sandbox: Sandbox, intercom: IntercomClient, fault: str, away: bool, recovered: int, suspended: bool
) -> None:
    """Intercom is back if it failed before; an answer that refuses access suspends the connection."""
    bench, asked = Bench(sandbox, intercom), asyncio.Event()
    for lane in "abcde":
        bench.monitor.failed(lane, "HTTP_500", 0.0)
    bench.monitor.ask_check(0.0)
    if away:
        bench.monitor.checked(answered=False)
        bench.monitor.ask_check(0.0)
    if fault:
        sandbox.fault(f"GET /me {fault}")
    checking = asyncio.create_task(bench.probe.check(asked.set))
    await asked.wait()
    checking.cancel()
    assert paths(sandbox) == ["GET /me"]
    assert (bench.recovered, bench.monitor.suspended) == (recovered, suspended)


async def test_access_is_asked_until_it_is_granted_and_again_when_it_is_in_doubt(
    sandbox: Sandbox, intercom: IntercomClient
) -> None:
    sandbox.fault("GET /me 503 times=2")
    bench = Bench(sandbox, intercom)
    verifying = asyncio.create_task(bench.probe.verify(lambda: None))
    await sandbox.wait_for(lambda s: len(s.calls) == 3)
    await bench.notes.until(lambda _: bench.monitor.open)
    bench.monitor.suspend("UNAUTHORIZED")
    await bench.notes.until(lambda _: bench.monitor.open)
    assert paths(sandbox) == ["GET /me"] * 4
    verifying.cancel()
    await asyncio.gather(verifying, return_exceptions=True)
