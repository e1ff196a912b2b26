"""Tests showing progress: a bar on a terminal, lines elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

from intercomd_daemon.cli.sending.progress import LineProgress, show_progress

PROGRAM = """
from intercomd_daemon.cli.sending.progress import show_progress
with show_progress({total}) as progress:
    progress.update("12 lines", 50)
    progress.notify("line 3: [bold]rejected")
    progress.update("13 lines", 60)
"""


@pytest.mark.parametrize(("total", "bar"), [("100", True), ("None", False)])
def test_progress_draws_a_bar_on_a_terminal_if_the_size_is_known(total: str, bar: bool) -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM.format(total=total)], stderr=theirs, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "line 3: [bold]rejected" in drawn
    assert ("60%" in drawn) is bar


def test_progress_prints_notices_at_once_and_activity_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(100) as progress:
        assert isinstance(progress, LineProgress)
        progress.notify("line 3: rejected")
        progress.update("12 lines", 50)
    assert capsys.readouterr().err == "line 3: rejected\n"
