"""Which dead letters are meant: options on the command line to the contract's filter."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict, TypeVar

import click

from intercomd.v1.operations_pb2 import DeadLetterFilter

Command = TypeVar("Command", bound=Callable[..., Any])

_TIMES = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


class Asked(TypedDict):
    """What the options were given."""

    ids: tuple[str, ...]
    connection: str
    envelope_ids: tuple[str, ...]
    customer_id: str
    email: str
    reason: str
    time_from: datetime | None
    time_to: datetime | None


def filtered(command: Command) -> Command:
    """Gives a command the options, and the ids as arguments. Nothing given: all are meant."""
    time = click.DateTime(_TIMES)
    for option in (
        click.option("--to", "time_to", type=time, metavar="TIME", help="Accepted before this time (UTC)."),
        click.option("--from", "time_from", type=time, metavar="TIME", help="Accepted at this time or later (UTC)."),
        click.option("--reason", default="", metavar="REASON", help="Refused for this, such as CONTACT_NOT_FOUND."),
        click.option("--email", default="", metavar="EMAIL", help="About this email."),
        click.option("--customer-id", default="", metavar="ID", help="About this customer."),
        click.option(
            "--envelope-id", "envelope_ids", multiple=True, metavar="ID", help="Of this envelope; may be repeated."
        ),
        click.option("--connection", default="", metavar="NAME", help="Of this connection."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


def filter_of(asked: Asked) -> DeadLetterFilter:
    """The filter that the options mean."""
    wanted = DeadLetterFilter(
        connection=asked["connection"],
        dead_letter_ids=asked["ids"],
        envelope_ids=asked["envelope_ids"],
        customer_id=asked["customer_id"],
        email=asked["email"],
        reason=asked["reason"],
    )
    if asked["time_from"] is not None:
        wanted.accept_time_from.FromDatetime(asked["time_from"])
    if asked["time_to"] is not None:
        wanted.accept_time_to.FromDatetime(asked["time_to"])
    return wanted
