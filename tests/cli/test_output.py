"""Tests printing JSON lines and tables."""

import json
import os
import pty
import subprocess
import sys
import termios

import click
import pytest

from intercomd.v1.outcome_pb2 import OUTCOME_TYPE_DELIVERED, Outcome
from intercomd_daemon.cli.layout import UNLIMITED, Column
from intercomd_daemon.cli.output import json_text, message_to_json, output_width, print_json, print_table, print_text

COLUMNS = (Column("name"), Column("count", right=True))
ROWS = (("a", "1"), ("longer", "1,000"))
PROGRAM = """
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import print_table
columns = [Column("name"), Column("count", right=True), Column("text", prose=True)]
print_table(columns, [["[bold]a\\x1b", "1", "long " * 20]])
"""


def test_print_table_without_a_terminal_prints_a_line_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(COLUMNS, [["a\nb" + "x" * 300, "1"]])
    assert capsys.readouterr().out.splitlines()[1] == f"a\\nb{'x' * 300}      1"


def test_print_table_fits_the_width_in_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "8")
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == ["name", "    count", "a", "        1", "longer", "    1,000"]


@pytest.mark.parametrize("columns", ["", "0", "wide", "-1"])
def test_output_width_ignores_columns_without_a_width(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert output_width() == UNLIMITED


def drawn(columns: int) -> list[str]:
    """Runs PROGRAM on a terminal of this width; returns its lines without styles."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, env=environment, check=True)  # noqa: S603 - of ours
    os.close(theirs)
    output = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "\x1b[1mname" in output
    return click.unstyle(output).splitlines()


def test_print_table_on_a_terminal_escapes_control_characters_and_wraps_prose() -> None:
    assert drawn(60) == [
        "name         count  text",
        "[bold]a\\x1b      1  " + ("long " * 8).strip(),
        "                    " + ("long " * 8).strip(),
        "                    " + ("long " * 4).strip(),
    ]


def test_print_table_on_a_narrow_terminal_continues_rows_on_indented_lines() -> None:
    lines = drawn(30)
    assert lines[:4] == ["name         count", "    text", "[bold]a\\x1b      1", "    long long long long long"]
    assert max(map(len, lines)) <= 30


def test_print_table_takes_a_terminal_without_a_width_for_80_columns() -> None:
    assert drawn(0) == drawn(80)
    assert drawn(0) != drawn(140)


def test_print_text_keeps_ids_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_text(f"envelope {'e' * 30} waits")
    assert capsys.readouterr().out.splitlines() == ["envelope", "  " + "e" * 30, "  waits"]


def test_message_to_json_has_every_field_under_its_proto_name() -> None:
    held = message_to_json(Outcome(sequence=7, envelope_id="é", type=OUTCOME_TYPE_DELIVERED))
    assert (held["sequence"], held["envelope_id"], held["type"]) == ("7", "é", "OUTCOME_TYPE_DELIVERED")
    assert (held["reason"], held["effects"], held["replay"]) == ("", [], 0)


def test_message_to_json_can_leave_out_unset_fields() -> None:
    assert message_to_json(Outcome(sequence=7), every_field=False) == {"sequence": "7"}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("text", ["\x1b[2J", "a\u202eb", "\x9b31m", "tab\tline\n", "\u2028", "\U000e0041", "é日🙂\\"])
def test_json_text_escapes_what_a_terminal_would_obey(text: str, indent: int | None) -> None:
    shown = json_text({"text": text}, indent)
    assert shown.replace("\n", "").isprintable()
    assert json.loads(shown) == {"text": text}


def test_json_text_leaves_readable_text() -> None:
    assert json_text({"é日🙂": 1}) == '{"é日🙂":1}'


def test_print_json_prints_a_line_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"line": "a\nb"})
    print_json(Outcome(sequence=1))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line).get("sequence") for line in lines] == [None, "1"]
