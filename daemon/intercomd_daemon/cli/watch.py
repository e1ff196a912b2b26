"""`intercomd watch`: prints outcomes as they are committed."""

from contextlib import aclosing, suppress
from typing import TypedDict, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.outcomes import COLOURS, TYPE_NAMES, follow, newest_sequence, outcome_line
from intercomd_daemon.cli.output import print_json
from intercomd_daemon.cli.remote import operations, resolve_address
from intercomd_daemon.cli.signals import run_interruptible

TYPES = {name: number for number, name in TYPE_NAMES.items()}


class FilterOptions(TypedDict):
    """The options that select outcomes."""

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
@click.option("--connection", default="", type=options.TEXT, metavar="NAME", help="Only outcomes of this connection.")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(list(TYPES)), help="Only this type of outcome; repeatable."
)
@click.option("--customer-id", default="", type=options.TEXT, metavar="ID", help="Only outcomes of this customer.")
@click.option("--email", default="", type=options.TEXT, metavar="EMAIL", help="Only outcomes of this email.")
@click.option("--envelope-id", default="", type=options.TEXT, metavar="ID", help="Only outcomes of this envelope.")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="SEQUENCE",
    help="Start after this outcome of the journal; 0: with the oldest.  [default: with the next outcome]",
)
@click.option("--count", "count_max", type=click.IntRange(min=1), metavar="N", help="Stop after N outcomes.")
@options.patience("1m", "giving up")
@options.JSON
def command(
    address: str | None,
    config_path: str | None,
    after: int | None,
    count_max: int | None,
    patience_seconds: float,
    as_json: bool,
    **given: Unpack[FilterOptions],
) -> None:
    """Print the outcomes of envelopes as they happen, until Ctrl-C.

    Each line has the time, the connection, the type of outcome, the user, the calls, the reasons if there are any, and
    the envelope's id. The output continues without a gap when the daemon restarts.
    """
    wanted = messages.OutcomeFilter(
        connection=given["connection"],
        types=[TYPES[name] for name in given["types"]],
        customer_id=given["customer_id"],
        email=given["email"],
        envelope_id=given["envelope_id"],
    )
    target = resolve_address(address, OPERATIONS, config_path)
    with suppress(KeyboardInterrupt):
        run_interruptible(_watch(target, wanted, after, count_max, patience_seconds, as_json))


async def _watch(
    address: str,
    wanted: messages.OutcomeFilter,
    after: int | None,
    count_max: int | None,
    patience_seconds: float,
    as_json: bool,
) -> None:
    printed = 0
    async with operations(address) as stub:
        # Asked for even if `after` is given, so that a wrong address fails at once and not after the patience.
        newest = await newest_sequence(stub)
        click.echo(f"watching {address}; Ctrl-C ends it", err=True)
        following = follow(stub, wanted, newest if after is None else after, patience_seconds, _notify)
        async with aclosing(following):
            async for response in following:
                if response.missed_count:
                    _notify(f"{response.missed_count:,} outcomes left the journal before they could be shown")
                    continue
                _print_outcome(response.outcome, as_json)
                printed += 1
                if printed == count_max:
                    return


def _notify(text: str) -> None:
    click.echo(text, err=True)


def _print_outcome(outcome: outcome_pb2.Outcome, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        before, name, after = outcome_line(outcome)
        click.echo(before + click.style(name, fg=COLOURS.get(outcome.type)) + after)
