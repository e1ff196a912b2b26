"""How far sending is: lines, or a bar on a terminal."""

import os
import pty
import subprocess
import sys

import pytest

from intercomd_daemon.cli.sending.progress import Plain, gauge

PROGRAM = """
from intercomd_daemon.cli.sending.progress import gauge
with gauge({total}) as screen:
    screen.show("12 lines", 50)
    screen.tell("line 3: [bold]rejected")
    screen.show("13 lines", 60)
"""


@pytest.mark.parametrize(("total", "bar"), [("100", True), ("None", False)])
def test_on_a_terminal_a_bar_is_drawn_where_the_end_is_known(total: str, bar: bool) -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM.format(total=total)], stderr=theirs, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "line 3: [bold]rejected" in drawn
    assert ("60%" in drawn) is bar


def test_elsewhere_lines_are_told_and_progress_only_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    screen = gauge(100)
    assert isinstance(screen, Plain)
    with screen:
        screen.tell("line 3: rejected")
        screen.show("12 lines", 50)
    assert capsys.readouterr().err == "line 3: rejected\n"
