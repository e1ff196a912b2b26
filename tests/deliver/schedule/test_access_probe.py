"""`GET /me` is called when access is not granted or in doubt, and when the outage detector needs it."""

import asyncio
import time
from pathlib import Path

import pytest

from delivery.worker import TOKEN, Notes, settings_for
from intercomd_daemon.deliver.intercom.access import Access, Grant
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.schedule.access_probe import AccessProbe
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor
from intercomd_daemon.deliver.schedule.paced_client import PacedClient
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.sandbox import Sandbox

SOON = Clock(jitter=lambda: 0.01)
FAILED = Response(500)


class Bench:
    """An access probe with a session of its own."""

    def __init__(self, sandbox: Sandbox, intercom: IntercomClient, clock: Clock = SOON) -> None:
        settings = settings_for(sandbox)
        self.notes = Notes()
        self.recovered = 0
        self.monitor = ConnectionMonitor(settings, self.notes, clock, self._count, paused=False)
        client = PacedClient("default", intercom, Pace(1000, 1.0, time.monotonic()), self.notes, clock)
        self.probe = AccessProbe(settings, self.monitor, client)

    def _count(self) -> None:
        self.recovered += 1


def paths(sandbox: Sandbox) -> list[str]:
    return [f"{call.method} {call.path}" for call in sandbox.calls]


@pytest.mark.parametrize(
    ("fault", "away", "recovered", "suspended"),
    [("500", False, 0, False), ("503", True, 0, False), ("", True, 1, False), ("401", False, 0, True)],
)
async def test_outage_detector_gets_the_result_of_get_me(
    sandbox: Sandbox, intercom: IntercomClient, fault: str, away: bool, recovered: int, suspended: bool
) -> None:
    """Intercom is back if `GET /me` failed before; a response that refuses access suspends the connection."""
    bench, changed = Bench(sandbox, intercom), asyncio.Event()
    for lane in "abcde":
        bench.monitor.on_failure(lane, "HTTP_500", FAILED)
    bench.monitor.request_check(0.0)
    if away:
        bench.monitor.on_check(Access(Grant.UNKNOWN), FAILED)
        bench.monitor.request_check(0.0)
    if fault:
        sandbox.fault(f"GET /me {fault}")
    checking = asyncio.create_task(bench.probe.check(changed.set))
    await changed.wait()
    checking.cancel()
    assert paths(sandbox) == ["GET /me"]
    assert (bench.recovered, bench.monitor.suspended) == (recovered, suspended)


async def test_get_me_is_repeated_until_access_is_granted_and_called_again_when_in_doubt(
    sandbox: Sandbox, intercom: IntercomClient
) -> None:
    sandbox.fault("GET /me 503 times=2")
    bench = Bench(sandbox, intercom)
    verifying = asyncio.create_task(bench.probe.verify(lambda: None))
    await sandbox.wait_for(lambda s: len(s.calls) == 3)
    await bench.notes.until(lambda _: bench.monitor.open)
    bench.monitor.suspend("UNAUTHORIZED", 401)
    await bench.notes.until(lambda _: bench.monitor.open)
    assert paths(sandbox) == ["GET /me"] * 4
    verifying.cancel()
    await asyncio.gather(verifying, return_exceptions=True)


async def test_each_change_of_the_token_file_is_noticed_before_the_next_probe(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "token"
    async with IntercomClient(settings_for(sandbox), AccessToken("", str(path)), 4) as intercom:
        bench = Bench(sandbox, intercom, Clock(jitter=lambda: 300.0))
        verifying = asyncio.create_task(bench.probe.verify(lambda: None))
        for content, reason in ((None, "No such file"), ("two words", "more than one word"), ("a\nb", "2 lines")):
            if content is not None:
                path.write_text(content)
            await bench.notes.until(lambda _, reason=reason: reason in bench.monitor.reason)
        path.write_text(TOKEN)
        await bench.notes.until(lambda _: bench.monitor.open)
        assert paths(sandbox) == ["GET /me"]
        verifying.cancel()
        await asyncio.gather(verifying, return_exceptions=True)
