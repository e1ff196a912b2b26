"""The unit, by systemd itself: `make deploy` runs this."""

import re
import subprocess
from pathlib import Path

import pytest

from deployment.files import UNIT

# "exposure level" of systemd-analyze security: 0 is the most confined, 10 the least.
EXPOSURE_MAX = 1.5
NOTIFY_RELOAD_SINCE = 253


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that exists here, as far as this systemd knows its settings."""
    text = UNIT.read_text().replace("/opt/intercomd/bin/intercomd run", "/bin/true run")
    version = re.match(r"systemd (\d+)", analyze("--version").stdout)
    assert version
    if int(version[1]) < NOTIFY_RELOAD_SINCE:
        text = text.replace("Type=notify-reload", "Type=notify")
    path = tmp_path / UNIT.name
    path.write_text(text)
    return path


def test_unit_is_valid(unit: Path) -> None:
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_mistake_in_the_unit_is_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=very"))
    assert "protect system" in analyze("verify", "--man=no", unit).stderr


def test_unit_is_confined(unit: Path) -> None:
    threshold = f"--threshold={int(10 * EXPOSURE_MAX)}"
    done = analyze("security", "--offline=yes", "--no-pager", threshold, unit)
    assert done.returncode == 0, done.stdout
