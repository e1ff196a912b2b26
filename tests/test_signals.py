"""Tests that child processes start with the default signals, whatever the tests' own parent ignores."""

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
PROGRAM = """
import signal, subprocess, sys
sys.path.append(sys.argv[1])
import signals
signals.restore_defaults()
subprocess.run(["/bin/sh", "-c", "kill -$0 $$; echo survived", sys.argv[2]], check=False)
"""


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"])
def test_child_is_ended_by_a_signal_that_the_parent_ignores(name: str) -> None:
    shell = ("/bin/sh", "-c", f'trap "" {name}; exec "$@"', "sh")
    command = (*shell, sys.executable, "-c", PROGRAM, str(SUPPORT), name)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout == ""
