"""What operators change at a daemon."""

from pathlib import Path

import pytest

from daemons.in_process import daemon_of, serving, settings
from intercomd_daemon.errors import RetryLater


async def test_pause_is_remembered_over_restarts(tmp_path: Path) -> None:
    for paused in (False, True):
        daemon, _ = daemon_of(settings(tmp_path))
        async with serving(daemon):
            assert await daemon.status.archive().paused() == (frozenset({"default"}) if paused else frozenset())
            await daemon.control.pause("default", paused=not paused)


async def test_starting_daemon_changes_nothing(tmp_path: Path) -> None:
    control = daemon_of(settings(tmp_path))[0].control
    for call in (
        control.drain(wait=True),
        control.reload(),
        control.pause("default", paused=True),
        control.probe_now("default"),
        control.give_up("default", "one"),
    ):
        with pytest.raises(RetryLater, match="starting or stopping"):
            await call


async def test_envelope_that_does_not_wait_is_not_given_up(tmp_path: Path) -> None:
    daemon, _ = daemon_of(settings(tmp_path, "memory:"))
    async with serving(daemon):
        await daemon.control.probe_now("default")
        assert await daemon.control.give_up("default", "one") is None
