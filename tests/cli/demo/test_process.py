"""Tests the process of the demo."""

from pathlib import Path

import pytest

from intercomd_daemon.cli.demo.environment import SETTINGS
from intercomd_daemon.cli.demo.process import DaemonProcess
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.sandbox import Sandbox


async def test_process_keeps_its_addresses_after_a_kill(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = SETTINGS.format(folder=tmp_path, app_id="sandbox", base_url=sandbox.base_url)
        daemon = DaemonProcess(tmp_path, settings)
        assert daemon.pid == 0
        await daemon.start()
        first, addresses = daemon.pid, (daemon.ingest, daemon.operations)
        await daemon.kill()
        assert daemon.pid == 0
        await daemon.start()
        assert daemon.pid not in {0, first}
        assert (daemon.ingest, daemon.operations) == addresses
        await daemon.stop()
        await daemon.stop()
    assert daemon.pid == 0
    log = [line for line in (tmp_path / "daemon.log").read_text().splitlines() if '"serving"' in line]
    assert len(log) == 2


async def test_process_that_does_not_start_reports_its_log(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no connection is configured"):
        await DaemonProcess(tmp_path, "").start()
