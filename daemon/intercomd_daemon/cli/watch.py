"""`intercomd watch`: prints outcomes as they are committed."""

from contextlib import aclosing, suppress
from typing import TypedDict, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli import options
from intercomd_daemon.cli.layout import join_fields
from intercomd_daemon.cli.outcomes import TYPE_NAMES, follow, newest_sequence, outcome_fields
from intercomd_daemon.cli.output import output_width, print_json
from intercomd_daemon.cli.remote import operations, warn_of_unknown_connection
from intercomd_daemon.cli.signals import run_interruptible

# No version of the daemon produces this type yet, so a watch for it would wait for ever.
_NEVER_YET = {outcome_pb2.OUTCOME_TYPE_ERASED}
_SEQUENCE_MAX = (1 << 63) - 1
TYPES = {name: number for number, name in TYPE_NAMES.items() if number not in _NEVER_YET}
"""The types that can be watched, by their names."""


class OutcomeFilters(TypedDict):
    """The options that select outcomes."""

    connection: str | None
    types: tuple[str, ...]
    customer_id: str | None
    email: str | None
    envelope_id: str | None


@click.command(
    "watch",
    epilog=options.examples(
        "intercomd watch --type dead-lettered", "intercomd watch --customer-id 42 --after 0 --json"
    ),
)
@options.operations
@click.option("--connection", type=options.GIVEN, metavar="NAME", help="Only outcomes of this connection.")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(list(TYPES)),
    metavar="TYPE",
    help=f"Only this type of outcome; repeatable: {', '.join(TYPES)}.",
)
@click.option("--customer-id", type=options.GIVEN, metavar="ID", help="Only outcomes of this customer.")
@click.option("--email", type=options.GIVEN, metavar="EMAIL", help="Only outcomes of this email.")
@click.option("--envelope-id", type=options.GIVEN, metavar="ID", help="Only outcomes of this envelope.")
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
    address: str,
    after: int | None,
    count_max: int | None,
    patience_seconds: float,
    as_json: bool,
    **given: Unpack[OutcomeFilters],
) -> None:
    """Print the outcomes of envelopes as they happen, until Ctrl-C.

    Each outcome has the time, the connection, the type, the user, the calls that decided it, the reasons if there are
    any, and the envelope's id. For a dead letter the calls are those that Intercom refused. An outcome that does not
    fit the terminal continues on an indented line. The output continues without a gap when the daemon restarts.
    """
    wanted = messages.OutcomeFilter(
        connection=given["connection"] or "",
        types=[TYPES[name] for name in given["types"]],
        customer_id=given["customer_id"] or "",
        email=given["email"] or "",
        envelope_id=given["envelope_id"] or "",
    )
    with suppress(KeyboardInterrupt):
        run_interruptible(_watch(address, wanted, after, count_max, patience_seconds, as_json))


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
        # Called even if `after` is given, so that a wrong address fails at once and not after the patience.
        newest = await newest_sequence(stub)
        click.echo(f"watching {address}; Ctrl-C ends it", err=True)
        await warn_of_unknown_connection(stub, wanted.connection)
        # The field has 64 bits; the daemon refuses what is beyond its journal.
        start = newest if after is None else min(after, _SEQUENCE_MAX)
        following = follow(stub, wanted, start, patience_seconds, _notify)
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
        for line in join_fields(outcome_fields(outcome), output_width()):
            click.echo(line)
