"""Tables: plain where nobody looks, drawn on a terminal."""

import os
import pty
import subprocess
import sys

import pytest

from intercomd_daemon.cli.table import Column, aligned, print_table

COLUMNS = (Column("name"), Column("count", right=True))
ROWS = (("a", "1"), ("longer", "1,000"))
PROGRAM = """
from intercomd_daemon.cli.table import Column, print_table
print_table([Column("name"), Column("count", right=True)], [["[bold]a\\x1b", "1"]])
"""


def test_plain_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned(COLUMNS, ROWS) == "name    count\na           1\nlonger  1,000"


def test_without_a_terminal_it_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [["a\nb", "1"]])
    assert capsys.readouterr().out == "name  count\na\\nb      1\n"


def test_on_a_terminal_it_is_drawn_and_cells_stay_what_they_are() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "─" in drawn
    assert "[bold]a\\x1b" in drawn
