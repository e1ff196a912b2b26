"""`--json`: one JSON value a line. Messages as proto3 JSON, under the names of the contract, every field written."""

import json
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def as_json(message: Message, *, every_field: bool = True) -> dict[str, Any]:
    """A message as what JSON holds; 64-bit numbers are text, as proto3 JSON has them."""
    held: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=every_field
    )
    return held


def print_json(value: object) -> None:
    """Prints a value, or a message, as a line of its own."""
    held = as_json(value) if isinstance(value, Message) else value
    click.echo(json.dumps(held, ensure_ascii=False, separators=(",", ":")))
