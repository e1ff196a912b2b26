"""`intercomd give-up ENVELOPE_ID`: ends a waiting envelope as a dead letter, so that its user goes on."""

import asyncio

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon.cli import options
from intercomd_daemon.cli.answer import answer
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.explain import read_trail
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.output import print_json, print_text
from intercomd_daemon.cli.remote import CALL_SECONDS, operations
from intercomd_daemon.cli.trail import EnvelopeState, connection_of, state_of

ENTRIES_MAX = 100
"""Entries that are read about an envelope: replays, and what was rejected before."""


@click.command(
    "give-up",
    epilog=options.examples(
        "intercomd give-up 0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", "intercomd give-up order-7 --yes"
    ),
)
@click.argument("envelope_id", type=options.GIVEN, metavar="ENVELOPE_ID")
@options.operations
@click.option(
    "--connection",
    type=options.GIVEN,
    metavar="NAME",
    help="The connection in which it waits; needed only if envelopes with this id wait in several.",
)
@options.YES
@options.JSON
def command(envelope_id: str, address: str, connection: str | None, yes: bool, as_json: bool) -> None:
    """End a waiting envelope by hand: it becomes a dead letter with the reason GIVEN_UP, and its user goes on.

    Use it for an envelope whose calls fail again and again, so that later envelopes of its user wait. The command shows
    why the envelope waits, and asks for confirmation. If a call is in flight, the daemon records its result first.
    `intercomd dead-letters replay` makes the remaining calls later.
    """
    waiting = asyncio.run(_find(address, envelope_id, connection or ""))
    if not yes:
        click.echo(answer(envelope_id, [waiting]), err=True)
        click.confirm("Give it up, so that it becomes a dead letter?", abort=True, err=True)
    response = asyncio.run(_give_up(address, envelope_id, connection_of(waiting)))
    if as_json:
        print_json(response)
        return
    shown, number = printable(envelope_id, None), response.dead_letter_id
    print_text(
        f"envelope {shown} is given up and kept as dead letter {number}; "
        f"`intercomd dead-letters replay {number}` makes its calls after all"
    )


async def _find(address: str, envelope_id: str, connection: str) -> TrailEntry:
    """Returns the waiting envelope with this id.

    Raises:
        CommandFailed: none or several wait.
    """
    request = messages.ListTrailRequest(connection=connection, envelope_id=envelope_id)
    async with operations(address) as stub:
        entries, _ = await read_trail(stub, request, ENTRIES_MAX)
    waiting = [entry for entry in entries if state_of(entry) is EnvelopeState.WAITING]
    if len(waiting) == 1:
        return waiting[0]
    shown = printable(envelope_id, None)
    if waiting:
        names = ", ".join(sorted(printable(connection_of(entry)) for entry in waiting))
        raise CommandFailed(
            f"envelopes with the id {shown} wait in several connections ({names}): name one with --connection"
        )
    if entries:
        raise CommandFailed(f"envelope {shown} does not wait. {answer(envelope_id, entries)}")
    raise CommandFailed(f"envelope {shown} does not wait, and nothing is known of it: check its id and --connection")


async def _give_up(address: str, envelope_id: str, connection: str) -> messages.GiveUpEnvelopeResponse:
    async with operations(address) as stub:
        request = messages.GiveUpEnvelopeRequest(connection=connection, envelope_id=envelope_id)
        return await stub.GiveUpEnvelope(request, timeout=CALL_SECONDS)
