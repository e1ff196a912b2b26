"""The unit's settings, against those of the daemon; `check_systemd.py` lets systemd itself read it."""

import configparser
import sys
from pathlib import Path

from daemons.process import COMMAND, Daemon
from deployment.files import UNIT
from deployment.kubernetes import settings_of
from intercomd_daemon.cli.exits import EXIT_CONFIGURATION
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

# PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, as MemoryDenyWriteExecute= forbids memory that is writable and executable.
CONFINED = (
    "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0; os.execv(sys.argv[1], sys.argv[1:])"
)


def service() -> dict[str, list[str]]:
    """Return the settings of [Service], of which some occur several times."""
    lines = UNIT.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_unit_does_not_restart_after_invalid_settings() -> None:
    assert service()["RestartPreventExitStatus"] == [str(EXIT_CONFIGURATION)] == ["78"]
    assert service()["Restart"] == ["on-failure"]


def test_unit_has_each_section_once() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT.read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_settings_are_accepted_and_stop_in_time(tmp_path: Path) -> None:
    environment = dict(value.split("=", 1) for value in service()["Environment"])
    text = UNIT.with_name("intercomd.toml").read_text()
    settings = settings_of(text, tmp_path, {name: value.replace("%d", "/run/x") for name, value in environment.items()})
    stopping = settings.stopping
    longest = stopping.linger_seconds + stopping.drain_seconds + stopping.deliver_seconds
    assert longest < int(service()["TimeoutStopSec"][0]) - 10
    assert settings.connections["default"].access_token_file == "/run/x/token"
    assert settings.spool.url == "sqlite:/var/lib/intercomd/spool.db"


async def test_daemon_runs_without_executable_memory_of_its_own(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = Daemon(tmp_path, sandbox.base_url, command=(sys.executable, "-c", CONFINED, COMMAND))
        await daemon.start()
        await daemon.publish(envelope("u1", "came", envelope_id="e1"))
        await daemon.ended(["e1"])
        assert len(sandbox.events) == 1
        await daemon.close()
