"""What commands print on the standard output: JSON lines for scripts, tables for people."""

import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from intercomd_daemon.cli.format import printable

_COLUMN_GAP = "  "
# What rich adds between columns, and to the left and the right of the table.
_DRAWN_GAP, _DRAWN_EDGES = 3, 2
_WRAPPED_CHARACTERS_MIN = 20
"""A column that may wrap stays readable down to this width."""


def message_to_json(message: Message, *, every_field: bool = True) -> dict[str, Any]:
    """Returns a message as proto3 JSON under the field names of the proto files; 64-bit integers become strings.

    `every_field` includes the fields that are not set.
    """
    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=every_field
    )
    return fields


def print_json(value: object) -> None:
    """Prints a value or a message as one line of JSON."""
    content = message_to_json(value) if isinstance(value, Message) else value
    click.echo(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


class Column(NamedTuple):
    """A column of a table."""

    title: str
    right: bool = False
    """Aligns the cells to the right, as numbers are."""
    style: str = ""
    """rich style of the cells on a terminal."""
    wrap: bool = False
    """Whether cells may be broken over lines. Ids never are: a broken id cannot be copied."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of text, with control characters escaped.

    On a terminal that is wide enough rich draws a table; on a narrower one each row becomes a list of its cells.
    Elsewhere the columns are aligned, one row a line.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        click.echo(align_columns(columns, cells))
        return
    from rich import box  # noqa: PLC0415 - loads rich only where a table is drawn
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    if _least_width(columns, cells) > console.width:
        _print_records(columns, cells)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not column.wrap,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def align_columns(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as text, each column as wide as its widest cell."""
    lines = [[column.title for column in columns], *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        _COLUMN_GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Returns the width below which rich would have to break a cell that must not be broken."""
    widths = []
    for place, column in enumerate(columns):
        widest = max(len(text) for text in (column.title, *(row[place] for row in rows)))
        widths.append(min(widest, _WRAPPED_CHARACTERS_MIN) if column.wrap else widest)
    return sum(widths) + _DRAWN_GAP * (len(columns) - 1) + _DRAWN_EDGES


def _print_records(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints each row as lines of title and cell, the first one as a heading."""
    width = max(len(column.title) for column in columns)
    for row in rows:
        click.echo()
        click.secho(f"{columns[0].title} {row[0]}", bold=True)
        for column, cell in zip(columns[1:], row[1:], strict=True):
            click.echo(f"  {column.title:<{width}}  {cell}".rstrip())
