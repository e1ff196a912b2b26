"""Lays out tables and text for a width in columns, as lists of lines.

A table keeps one row on one line if it fits. If it does not, the columns that do not fit follow on an indented line.
Ids are never broken, so that they can be copied: a cell that is wider than its column moves what follows.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

UNLIMITED = sys.maxsize
"""The width of a pipe or a file: every row takes one line, for grep and the like."""
_GAP = "  "
_INDENT = "    "
_SPACES_OUTSIDE_BACKTICKS = re.compile(" (?=[^`]*(?:`[^`]*`[^`]*)*$)")
_PROSE_WIDTH_MIN = 24
"""A narrower column of prose would be hard to read: it takes a line of its own."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    right: bool = False
    """Aligns the cells to the right, as numbers are."""
    style: str = ""
    """Style of the cells on a terminal: `bold`, `dim` or a colour."""
    typical: int = 0
    """Width of most cells, where some can be much wider: ids, paths. 0: all cells have similar widths."""
    prose: bool = False
    """Whether the cells are text that may be broken at spaces. Only for the last column."""


def display_width(text: str) -> int:
    """Returns how many columns a terminal uses for the text: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in {"Mn", "Me"}
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def wrap_text(text: str, width: int, indent: str = "", hanging: str = "") -> list[str]:
    """Returns the text in lines of at most `width` columns, broken at spaces only.

    `indent` starts the first line, `hanging` the others. A word that is wider than a line, such as an id, stays whole,
    and so does a command in backticks, so that both can be copied.
    """
    lines: list[str] = []
    for word in _SPACES_OUTSIDE_BACKTICKS.split(text):
        if lines and display_width(line := f"{lines[-1]} {word}") <= width:
            lines[-1] = line
        else:
            lines.append((hanging if lines else indent) + word)
    return lines


def join_fields(fields: Iterable[str], width: int, indent: str = _INDENT) -> list[str]:
    """Returns the fields side by side, in lines of at most `width` columns; `indent` starts all but the first.

    Fields are never broken. Styled fields are measured without their style.
    """
    lines: list[str] = []
    for field in fields:
        if lines and display_width(click.unstyle(line := lines[-1] + _GAP + field)) <= width:
            lines[-1] = line
        else:
            lines.append((indent if lines else "") + field)
    return lines


def lay_out_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Returns the lines of a table, with its titles first, styled for a terminal.

    Args:
        columns: the columns.
        rows: a cell for each column, without control characters.
        width: the width to fit, except where a single cell is wider.
    """
    titles = [column._replace(style="bold", prose=False) for column in columns]
    widths = _aligned_widths(columns, rows, width)
    lines = _row_lines(titles, [column.title for column in columns], widths, width)
    for row in rows:
        lines += _row_lines(columns, row, widths, width)
    return lines


def _aligned_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Returns the widths to which cells are aligned: those of the widest cells if the table then fits."""
    titles = [display_width(column.title) for column in columns]
    widest = [max([title, *(display_width(row[place]) for row in rows)]) for place, title in enumerate(titles)]
    if sum(widest) + len(_GAP) * (len(widest) - 1) <= width:
        return widest
    narrow = [_PROSE_WIDTH_MIN if column.prose else column.typical or UNLIMITED for column in columns]
    return [min(most, max(title, least)) for most, title, least in zip(widest, titles, narrow, strict=True)]


def _row_lines(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], width: int) -> list[str]:
    """Returns the lines of one row.

    A cell starts where its column does, or after an earlier cell that is wider than its own column. If it would end
    beyond `width`, it starts an indented line.
    """
    lines, used, start = [""], 0, 0
    for column, cell, aligned in zip(columns, row, widths, strict=True):
        cell_width = display_width(cell)
        needed = aligned if column.prose else max(cell_width, aligned)
        start = max(start, used + len(_GAP)) if used else start
        if used and start + needed > width:
            lines.append(_INDENT)
            used, start = len(_INDENT), len(_INDENT)
        padding = max(0, aligned - cell_width) if column.right else 0
        shown, *rest = wrap_text(cell, width - start) if column.prose else [cell]
        lines[-1] += " " * (start - used + padding) + _style(shown, column.style)
        lines += [" " * start + _style(line, column.style) for line in rest]
        used = start + padding + display_width(shown)
        start += aligned + len(_GAP)
    return [line.rstrip(" ") for line in lines]


def _style(text: str, style: str) -> str:
    if style in {"bold", "dim"}:
        return click.style(text, bold=style == "bold" or None, dim=style == "dim" or None)
    return click.style(text, fg=style) if style and text else text
