"""Tests `intercomd run`."""

import signal
from pathlib import Path

from daemons.commands import launch
from daemons.process import EXECUTABLE, Daemon
from intercomd_daemon.sandbox import Sandbox


async def test_run_reports_all_invalid_settings_and_exits_with_78(tmp_path: Path) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text('[log]\nlevel = "loud"\n[spool]\nbytes_max = "1B"\n')
    code, output, errors = await (await launch("run", "--config", path)).ended()
    assert (code, output) == (78, "")
    assert [line.split(" ")[0] for line in errors.splitlines()] == ["log.level", "spool.bytes_max", "connections"]


async def test_run_exits_with_0_on_a_second_signal(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url, command=EXECUTABLE).start()
        daemon.signal(signal.SIGINT)
        daemon.signal(signal.SIGTERM)
        assert await daemon.gone() == 0
