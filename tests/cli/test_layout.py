"""Tests laying out tables and text at the widths of real terminals, with the widest ids that senders may use."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.layout import UNLIMITED, Column, display_width, join_fields, lay_out_table, wrap_text

NUMBERS = (Column("name"), Column("count", right=True))
LETTERS = (
    Column("id", right=True, style="bold"),
    Column("accepted"),
    Column("reasons", style="red", typical=26),
    Column("connection", typical=7),
    Column("user", typical=16),
    Column("envelope", typical=36),
)
UUID = "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d"
WIDEST_USER = "u" * 255
WIDEST_ENVELOPE = "é" * 64
AT = "2026-11-28T18:29:10Z"
REASON = "REQUEST_INVALID status 422"
ROWS = (
    ("1", AT, REASON, "default", "42", UUID),
    ("12", AT, "EXPIRED", "eu-shop", WIDEST_USER, WIDEST_ENVELOPE),
    ("13", AT, REASON, "production-eu", "客户" * 9, "注文" * 10),
)


def table(columns: tuple[Column, ...], rows: tuple[tuple[str, ...], ...], width: int) -> list[str]:
    return [click.unstyle(line) for line in lay_out_table(columns, rows, width)]


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("é", 1), ("客户", 4), ("e\N{COMBINING ACUTE ACCENT}", 1), ("🙂", 2), ("", 0)]
)
def test_display_width_counts_columns_of_a_terminal(text: str, width: int) -> None:
    assert display_width(text) == width


def test_table_that_fits_has_a_line_for_each_row() -> None:
    assert table(NUMBERS, (("a", "1"), ("longer", "1,000")), 13) == ["name    count", "a           1", "longer  1,000"]


def test_table_without_rows_has_its_titles() -> None:
    assert table(NUMBERS, (), 80) == ["name  count"]


def test_table_of_unlimited_width_has_a_line_for_each_row() -> None:
    lines = table(LETTERS, ROWS, UNLIMITED)
    assert len(lines) == 4
    assert lines[2].split() == list(ROWS[1])


def test_table_at_80_columns_continues_rows_on_indented_lines() -> None:
    assert table(LETTERS, ROWS, 80) == [
        "id  accepted              reasons                     connection",
        "    user              envelope",
        " 1  2026-11-28T18:29:10Z  REQUEST_INVALID status 422  default",
        f"    42                {UUID}",
        "12  2026-11-28T18:29:10Z  EXPIRED                     eu-shop",
        f"    {WIDEST_USER}",
        f"    {WIDEST_ENVELOPE}",
        "13  2026-11-28T18:29:10Z  REQUEST_INVALID status 422  production-eu",
        f"    {'客户' * 9}",
        f"    {'注文' * 10}",
    ]


def test_table_at_140_columns_moves_only_what_is_too_wide() -> None:
    assert table(LETTERS, ROWS, 140) == [
        "id  accepted              reasons                     connection  user              envelope",
        f" 1  2026-11-28T18:29:10Z  REQUEST_INVALID status 422  default     42                {UUID}",
        "12  2026-11-28T18:29:10Z  EXPIRED                     eu-shop",
        f"    {WIDEST_USER}",
        f"    {WIDEST_ENVELOPE}",
        f"13  2026-11-28T18:29:10Z  REQUEST_INVALID status 422  production-eu  {'客户' * 9}",
        f"    {'注文' * 10}",
    ]


@pytest.mark.parametrize("width", [1, 30, 80, 140])
def test_table_never_breaks_or_shortens_a_cell(width: int) -> None:
    text = "\n".join(table(LETTERS, ROWS, width))
    assert [cell for row in ROWS for cell in row if cell not in text] == []


@pytest.mark.parametrize("width", [40, 80, 140])
def test_table_exceeds_the_width_only_where_a_single_cell_does(width: int) -> None:
    for line in table(LETTERS, ROWS, width):
        assert display_width(line) <= width or len(line.split()) == 1


CELLS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=60)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5), st.integers(1, 160))
def test_every_table_keeps_cells_whole_and_fits_where_it_can(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = (Column("a", right=True), Column("b", typical=9), Column("c", style="red"))
    lines = table(columns, tuple(rows), width)
    text = "\n".join(lines)
    assert [cell for row in rows for cell in row if cell not in text] == []
    assert [line for line in lines if display_width(line) > width and len(line.split()) > 1] == []


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=200), st.integers(1, 160))
def test_wrapped_text_can_be_joined_again(text: str, width: int) -> None:
    assert " ".join(wrap_text(text, width)) == text


@given(st.text(max_size=50))
def test_printable_text_is_printable(text: str) -> None:
    assert printable(text, characters_max=None).isprintable()


def test_table_wraps_prose_below_its_column_and_keeps_words_whole() -> None:
    columns = (Column("key", right=True), Column("wrong", style="red", prose=True))
    assert table(columns, (("7", f"the row {UUID} does not match its checksum"),), 40) == [
        "key  wrong",
        "  7  the row",
        f"     {UUID}",
        "     does not match its checksum",
    ]


def test_table_styles_cells_without_their_padding() -> None:
    lines = lay_out_table((Column("id", right=True, style="dim"), Column("why", style="red")), [("7", "x")], 80)
    assert lines[0] == "\x1b[1mid\x1b[0m  \x1b[1mwhy\x1b[0m"
    assert lines[1] == " \x1b[2m7\x1b[0m  \x1b[31mx\x1b[0m"


def test_wrap_text_breaks_at_spaces_only() -> None:
    assert wrap_text(f"envelope {UUID} waits for its turn", 30, hanging="  ") == [
        "envelope",
        f"  {UUID}",
        "  waits for its turn",
    ]
    assert wrap_text("one line", 8) == ["one line"]
    assert wrap_text("one line", 8, "  ", "    ") == ["  one", "    line"]
    assert wrap_text("", 8) == [""]
    assert wrap_text("a  b `c", 80) == ["a  b `c"]


def test_wrap_text_keeps_commands_whole() -> None:
    assert wrap_text("Replay it: `intercomd dead-letters replay 7`. Then wait.", 30, hanging="  ") == [
        "Replay it:",
        "  `intercomd dead-letters replay 7`.",
        "  Then wait.",
    ]


def test_join_fields_fills_lines_and_measures_without_styles() -> None:
    fields = [click.style("aaaa", fg="red"), "bbbb", "cccc"]
    assert [click.unstyle(line) for line in join_fields(fields, 10)] == ["aaaa  bbbb", "    cccc"]
    assert len(join_fields(fields, UNLIMITED)) == 1


def test_printable_leaves_no_character_that_a_terminal_would_obey() -> None:
    """Control, bidirectional and zero-width characters could reorder or hide what a line shows."""
    hostile = "\x1b[2J\u202e\u2066\u200b\ufeff\x00\x9b\r"
    shown = printable(f"a{hostile}b", characters_max=None)
    assert shown == "a\\x1b[2J\\u202e\\u2066\\u200b\\ufeff\\x00\\x9b\\rb"
