"""A daemon that delivers does not load what only an agent needs."""

import subprocess
import sys

LOADED = """
import sys
import intercomd_daemon.app.daemon
print(*sorted(name for name in sys.modules if name.startswith("intercomd_daemon.forward")))
"""


def test_daemon_that_delivers_loads_only_the_settings_of_an_agent() -> None:
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.split() == ["intercomd_daemon.forward", "intercomd_daemon.forward.settings"]
