"""Tests the display of the demo."""

import os
import pty
import subprocess
import sys

import pytest

from intercomd_daemon.cli.demo.display import DemoStatus, LineDisplay, show_status

STATUS = DemoStatus(total=10, published=8, answered=7, ended=5, due=9, calls=20, failed=2, answering=False, pid=0)
PROGRAM = f"""
from intercomd_daemon.cli.demo.display import DemoStatus, show_status
with show_status(lambda: {STATUS!r}) as shown:
    shown.notify("Intercom is down")
    shown.update()
"""


def test_status_line_has_every_number() -> None:
    assert STATUS.line() == ("8 of 10 sent, 7 answered, 5 of 9 ended, 20 calls, 2 failed; daemon killed, Intercom down")
    assert STATUS._replace(answering=True, pid=7).line().endswith("daemon 7, Intercom up")


def test_show_status_prints_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_status(lambda: STATUS) as shown:
        assert isinstance(shown, LineDisplay)
        shown.notify("Intercom is down")
        shown.update()
    assert capsys.readouterr().out.split(" s  ")[1] == "Intercom is down\n"


def test_show_status_draws_bars_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    for words in ("Intercom is down", "8 of 10", "5 of 9", "killed", "down"):
        assert words in drawn
