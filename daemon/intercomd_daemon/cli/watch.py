"""`intercomd watch`: outcomes as they are committed."""

import asyncio
from contextlib import aclosing, suppress
from typing import TypedDict, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.json_lines import print_json
from intercomd_daemon.cli.outcome_text import COLOURS, NAMES, line_of
from intercomd_daemon.cli.outcomes import follow, newest_sequence
from intercomd_daemon.cli.remote import operations, resolved

TYPES = {name: number for number, name in NAMES.items()}


class Asked(TypedDict):
    """Which outcomes are asked for."""

    connection: str
    types: tuple[str, ...]
    customer_id: str
    email: str
    envelope_id: str


@click.command(
    "watch",
    epilog=options.examples(
        "intercomd watch --type dead-lettered", "intercomd watch --customer-id 42 --after 0 --json"
    ),
)
@options.OPERATIONS
@options.CONFIG
@click.option("--connection", default="", metavar="NAME", help="Only of this connection.")
@click.option("--type", "types", multiple=True, type=click.Choice(list(TYPES)), help="Only so; may be repeated.")
@click.option("--customer-id", default="", metavar="ID", help="Only about this customer.")
@click.option("--email", default="", metavar="EMAIL", help="Only about this email.")
@click.option("--envelope-id", default="", metavar="ID", help="Only of this envelope.")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="SEQUENCE",
    help="Begin with what the journal holds after this; 0: with all that it holds.  [default: with what ends from now]",
)
@click.option("--count", "count_max", type=click.IntRange(min=1), metavar="N", help="End after so many outcomes.")
@options.patience("1m", "giving up")
@options.JSON
def command(
    address: str | None,
    config_path: str | None,
    after: int | None,
    count_max: int | None,
    patience_seconds: float,
    as_json: bool,
    **asked: Unpack[Asked],
) -> None:
    """Show what becomes of envelopes, as it happens.

    A line for each outcome: when, of which connection, how it ended, about whom, what it was to do, and the envelope's
    id. It goes on after restarts of the daemon without a gap, and ends with Ctrl-C.
    """
    wanted = messages.OutcomeFilter(
        connection=asked["connection"],
        types=[TYPES[name] for name in asked["types"]],
        customer_id=asked["customer_id"],
        email=asked["email"],
        envelope_id=asked["envelope_id"],
    )
    target = resolved(address, OPERATIONS, config_path)
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(target, wanted, after, count_max, patience_seconds, as_json))


async def _watch(
    address: str,
    wanted: messages.OutcomeFilter,
    after: int | None,
    count_max: int | None,
    patience_seconds: float,
    as_json: bool,
) -> None:
    told = 0
    async with operations(address) as stub:
        newest = await newest_sequence(stub)
        click.echo(f"watching {address}; Ctrl-C ends it", err=True)
        following = follow(stub, wanted, newest if after is None else after, patience_seconds, _tell)
        async with aclosing(following):
            async for answer in following:
                if answer.missed_count:
                    _tell(f"{answer.missed_count:,} outcomes had left the journal before they could be shown")
                    continue
                _print(answer.outcome, as_json)
                told += 1
                if told == count_max:
                    return


def _tell(what: str) -> None:
    click.echo(what, err=True)


def _print(outcome: outcome_pb2.Outcome, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        before, end, after = line_of(outcome)
        click.echo(before + click.style(end, fg=COLOURS.get(outcome.type)) + after)
