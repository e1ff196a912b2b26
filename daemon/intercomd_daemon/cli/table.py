"""Tables: drawn on a terminal, in plain aligned columns everywhere else. What stands in them, it does not know."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from intercomd_daemon.cli.words import plain

_GAP = "  "


class Column(NamedTuple):
    """One column."""

    title: str
    right: bool = False
    """Numbers stand on the right."""
    style: str = ""
    """On a terminal, in rich's words."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows on the standard output; every cell in one line of printable text."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells)
    else:
        click.echo(aligned(columns, cells))


def aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """The columns with spaces between them, each as wide as its widest cell."""
    lines = [[column.title for column in columns], *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        _GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - only for what is drawn
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", style=column.style, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
