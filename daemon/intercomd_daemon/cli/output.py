"""What commands print on the standard output: JSON lines for scripts, tables and text for people."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.layout import UNLIMITED, Column, lay_out_table, wrap_text

_TERMINAL_COLUMNS = 80
"""Width of a terminal that does not report it, as over a serial line."""


def message_to_json(message: Message, *, every_field: bool = True) -> dict[str, Any]:
    """Returns a message as proto3 JSON under the field names of the proto files; 64-bit integers become strings.

    `every_field` includes the fields that are not set.
    """
    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=every_field
    )
    return fields


def json_text(value: object, indent: int | None = None) -> str:
    """Returns a value as JSON, in one line unless `indent` is set.

    Control and bidirectional characters, which a terminal would obey, are escaped. Other text stays readable.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=(",", ":") if indent is None else None)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1] for character in text
    )


def print_json(value: object) -> None:
    """Prints a value or a message as one line of JSON."""
    click.echo(json_text(message_to_json(value) if isinstance(value, Message) else value))


def output_width() -> int:
    """Returns the width to lay text out for: COLUMNS if it is set, else that of the terminal; a pipe has no limit."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    if not is_terminal(sys.stdout):
        return UNLIMITED
    return os.get_terminal_size(sys.stdout.fileno()).columns or _TERMINAL_COLUMNS


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether a standard stream is a terminal; None: the process was started with the stream closed."""
    return stream is not None and stream.isatty()


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, err: bool = False) -> None:
    """Prints rows of text, with control characters escaped, for the width of the output."""
    cells = [[printable(cell, characters_max=None) for cell in row] for row in rows]
    for line in lay_out_table(columns, cells, output_width()):
        click.echo(line, err=err)


def print_text(text: str, indent: str = "", hanging: str = "  ", *, err: bool = False) -> None:
    """Prints text for people, broken at spaces to fit; `indent` starts the first line, `hanging` the others."""
    for line in wrap_text(text, output_width(), indent, hanging):
        click.echo(line, err=err)
