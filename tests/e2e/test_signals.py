"""Signals other than SIGTERM: none of them ends the daemon without a drain."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from daemons.process import EXECUTABLE, Daemon
from intercomd.v1.ingest_pb2 import Disposition
from intercomd_daemon.signal_handlers import IGNORED
from senders.client import envelope


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """Signals come while the interpreter starts, too."""
    return EXECUTABLE


@pytest.mark.parametrize("number", IGNORED)
async def test_signal_without_a_meaning_is_logged_and_ignored(daemon: Daemon, number: signal.Signals) -> None:
    daemon.signal(number)
    await daemon.heard("signal_ignored", signal=number.name)
    published = await daemon.publish(envelope("u1", "After", envelope_id="after"))
    assert published.results[0].disposition == Disposition.DISPOSITION_ACCEPTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
async def test_signal_that_stops_drains_first(daemon: Daemon, number: signal.Signals) -> None:
    daemon.signal(number)
    assert await daemon.gone() == 0
    assert daemon.logged("draining")
    assert daemon.logged("stopped")


async def test_reload_during_the_start_waits_for_it(daemon: Daemon) -> None:
    await daemon.stop()
    await daemon.launch()
    await daemon.heard("operations")
    daemon.signal(signal.SIGHUP)
    await daemon.heard("reloaded", changed="", needs_restart="")
    assert daemon.logged("serving")
