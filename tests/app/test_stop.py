"""How a daemon drains and stops, in one process; tests/e2e/test_stopping.py has the times of a stop."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from clock.virtual import VirtualLoop
from daemons.in_process import daemon_of, events, serving, settings
from intercomd_daemon import config
from intercomd_daemon.app.stop import CLOSE_SECONDS, StopSignal
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.operations.daemon_control import DaemonState
from intercomd_daemon.stopping import StoppingSettings


def without_linger(folder: Path) -> config.Settings:
    return replace(settings(folder, "memory:"), stopping=StoppingSettings(linger_seconds=0.0))


@pytest.mark.parametrize("wait", [True, False])
async def test_drain_refuses_calls_once_however_often_it_is_asked(tmp_path: Path, wait: bool) -> None:
    daemon, stream = daemon_of(without_linger(tmp_path))
    async with serving(daemon):
        await asyncio.gather(*(daemon.operators.drain(wait=wait) for _ in range(2)))
        await daemon.operators.drain(wait=True)
        assert daemon.status.state() is DaemonState.DRAINING
    assert events(stream) == ["operations", "serving", "draining", "stopped"]


async def test_stop_waits_for_the_drain_before_it(tmp_path: Path) -> None:
    daemon, stream = daemon_of(without_linger(tmp_path))
    running = asyncio.create_task(daemon.run())
    await daemon.serving.wait()
    await daemon.operators.drain(wait=False)
    daemon.stop()
    with pytest.raises(RetryLater, match="the daemon is stopping"):
        await daemon.operators.drain(wait=False)
    await running
    assert events(stream) == ["operations", "serving", "draining", "stopped"]


@pytest.mark.fills("app.stop.CLOSE_SECONDS")
def test_stop_is_bounded_whatever_never_ends() -> None:
    """In a loop whose clock leaps; a second stop ends the waits at once, whatever the clock."""

    async def wait() -> list[bool]:
        signal = StopSignal()
        never_ending = [asyncio.ensure_future(asyncio.Event().wait()) for _ in range(4)]
        for each, seconds in zip(never_ending, (2.0, 20.0, CLOSE_SECONDS), strict=False):
            await signal.wait_at_most(each, seconds)
        signal.request()
        signal.request()
        await signal.wait_at_most(never_ending[3], float("inf"))
        return [each.cancelled() for each in never_ending]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(wait()) == [True, True, True, True]


async def test_request_ends_the_wait_for_it() -> None:
    signal = StopSignal()
    waiting = asyncio.create_task(signal.wait())
    signal.refuse_if_requested()
    signal.request()
    await waiting
    with pytest.raises(RetryLater, match="the daemon is stopping"):
        signal.refuse_if_requested()


async def test_work_that_is_done_in_time_ends_the_wait_for_it() -> None:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    await StopSignal().wait_at_most(done, float("inf"))
    assert not done.cancelled()
