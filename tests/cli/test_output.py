"""Tests printing JSON lines and tables."""

import json
import os
import pty
import subprocess
import sys

import click
import pytest

from intercomd.v1.outcome_pb2 import OUTCOME_TYPE_DELIVERED, Outcome
from intercomd_daemon.cli.output import Column, align_columns, message_to_json, print_json, print_table

COLUMNS = (Column("name"), Column("count", right=True))
ROWS = (("a", "1"), ("longer", "1,000"))
PROGRAM = """
from intercomd_daemon.cli.output import Column, print_table
columns = [Column("name"), Column("count", right=True), Column("text", wrap=True)]
print_table(columns, [["[bold]a\\x1b", "1", "long " * 20]])
"""


def test_align_columns_uses_the_width_of_the_widest_cell() -> None:
    assert align_columns(COLUMNS, ROWS) == "name    count\na           1\nlonger  1,000"


def test_print_table_without_a_terminal_prints_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [["a\nb", "1"]])
    assert capsys.readouterr().out == "name  count\na\\nb      1\n"


def drawn(columns: int) -> str:
    """Runs PROGRAM on a terminal of this width."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, env=environment, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    output = click.unstyle(os.read(ours, 65_536).decode())
    os.close(ours)
    return output


def test_print_table_draws_on_a_terminal_and_leaves_cells_unchanged() -> None:
    output = drawn(80)
    assert "─" in output
    assert "[bold]a\\x1b" in output
    assert max(map(len, output.splitlines())) <= 80


def test_print_table_prints_records_where_a_row_does_not_fit() -> None:
    lines = [line.strip() for line in drawn(30).splitlines()]
    assert lines == ["", "name [bold]a\\x1b", "count  1", "text   " + ("long " * 20).strip()]


def test_message_to_json_has_every_field_under_its_proto_name() -> None:
    held = message_to_json(Outcome(sequence=7, envelope_id="é", type=OUTCOME_TYPE_DELIVERED))
    assert (held["sequence"], held["envelope_id"], held["type"]) == ("7", "é", "OUTCOME_TYPE_DELIVERED")
    assert (held["reason"], held["effects"], held["replay"]) == ("", [], 0)


def test_message_to_json_can_leave_out_unset_fields() -> None:
    assert message_to_json(Outcome(sequence=7), every_field=False) == {"sequence": "7"}


def test_print_json_prints_a_line_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"line": "a\nb"})
    print_json(Outcome(sequence=1))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line).get("sequence") for line in lines] == [None, "1"]
