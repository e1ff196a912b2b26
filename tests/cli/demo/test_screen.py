"""What a viewer sees."""

import os
import pty
import subprocess
import sys

import pytest

from intercomd_daemon.cli.demo.screen import Look, Plain, screen

LOOK = Look(total=10, published=8, answered=7, ended=5, due=9, calls=20, spoilt=2, answering=False, pid=0)
PROGRAM = f"""
from intercomd_daemon.cli.demo.screen import Look, screen
with screen(lambda: {LOOK!r}) as shown:
    shown.tell("Intercom is out")
    shown.progress()
"""


def test_how_far_it_is_fits_a_line() -> None:
    assert LOOK.words() == (
        "8 of 10 sent, 7 answered, 5 of 9 ended, 20 calls, 2 of them in vain; no daemon, Intercom is out"
    )
    assert LOOK._replace(answering=True, pid=7).words().endswith("daemon 7, Intercom answers")


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = screen(lambda: LOOK)
    assert isinstance(shown, Plain)
    with shown:
        shown.tell("Intercom is out")
        shown.progress()
    assert capsys.readouterr().out.split(" s  ")[1] == "Intercom is out\n"


def test_on_a_terminal_bars_are_drawn() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    for words in ("Intercom is out", "8 of 10", "5 of 9", "killed", "is out"):
        assert words in drawn
