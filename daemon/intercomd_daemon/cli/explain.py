"""`intercomd explain ID`: explains what became of a user's envelopes, or of one envelope."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import click
from google.protobuf.message import Message

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import DeadLetter, Outcome
from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.exits import EXIT_FAILED
from intercomd_daemon.cli.explanation import print_explanation
from intercomd_daemon.cli.format import printable, quantity, timestamp
from intercomd_daemon.cli.output import message_to_json, print_json
from intercomd_daemon.cli.remote import CALL_SECONDS, operations, resolve_address
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.operations.explain import explain, filters_for


@click.command(
    "explain",
    epilog=options.examples(
        "intercomd explain ada@example.com", "intercomd explain 0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d"
    ),
)
@click.argument("identifier", type=options.GIVEN, metavar="ID")
@options.OPERATIONS
@options.CONFIG
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of envelopes, newest first."
)
@options.JSON
def command(identifier: str, address: str | None, config_path: str | None, limit: int, as_json: bool) -> None:
    """Explain what became of a user's envelopes, or of one envelope: when it ended, how, why, and what to do.

    ID is a customer id, an email or an envelope id. The daemon looks in its journal, which keeps the newest outcomes
    (200,000 by default), in its dead letters, and for an envelope id also among the waiting envelopes. Exit code 1 if
    it finds nothing.
    """
    records = asyncio.run(_collect(resolve_address(address, OPERATIONS, config_path), identifier, limit))
    if as_json:
        for kind, message in records.messages(limit):
            print_json({kind: message_to_json(message)})
    else:
        for connection, waiting in records.waiting.items():
            _print_waiting(identifier, connection, waiting)
        for explanation in explain(records.outcomes.values(), records.dead_letters.values())[:limit]:
            print_explanation(explanation)
    if not records.found:
        click.echo(not_found_text(identifier, records.waiting_total), err=True)
        sys.exit(EXIT_FAILED)


@dataclass
class Records:
    """What the daemon has about an identifier."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By sequence."""
    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    """By id."""
    waiting: dict[str, messages.GetWaitingEnvelopeResponse] = field(default_factory=dict)
    """The waiting envelope with this id, by connection."""
    waiting_total: int = 0
    """Waiting envelopes of all users."""

    @property
    def found(self) -> bool:
        """Whether the daemon has anything."""
        return bool(self.outcomes or self.dead_letters or self.waiting)

    def messages(self, limit: int) -> Iterator[tuple[str, Message]]:
        """Yields each message with its kind: waiting envelopes, the newest outcomes, dead letters."""
        yield from (("waiting", waiting) for waiting in self.waiting.values())
        newest = sorted(self.outcomes, reverse=True)[:limit]
        yield from (("outcome", self.outcomes[sequence]) for sequence in newest)
        yield from (("dead_letter", letter) for letter in self.dead_letters.values())


async def _collect(address: str, identifier: str, limit: int) -> Records:
    filters, records = filters_for(identifier), Records()
    async with operations(address) as stub:
        for outcome_filter in filters.outcomes:
            request = messages.ListOutcomesRequest(filter=outcome_filter, page_size=limit)
            listed = await stub.ListOutcomes(request, timeout=CALL_SECONDS)
            records.outcomes |= {outcome.sequence: outcome for outcome in listed.outcomes}
        for letter_filter in filters.dead_letters:
            letters_request = messages.ListDeadLettersRequest(filter=letter_filter, page_size=limit)
            letters = await stub.ListDeadLetters(letters_request, timeout=CALL_SECONDS)
            records.dead_letters |= {letter.dead_letter_id: letter for letter in letters.dead_letters}
        status = await stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)
        records.waiting_total = status.spool.envelopes
        if len(identifier.encode()) > GIVEN_ID_BYTES_MAX:  # longer than any envelope id
            return records
        for connection in status.connections:
            if connection.state != messages.CONNECTION_STATE_UNCONFIGURED:
                waiting = messages.GetWaitingEnvelopeRequest(connection=connection.name, envelope_id=identifier)
                response = await stub.GetWaitingEnvelope(waiting, timeout=CALL_SECONDS)
                if response.waiting:
                    records.waiting[connection.name] = response
    return records


def not_found_text(identifier: str, waiting_total: int) -> str:
    """Returns why the daemon may know nothing; `waiting_total` counts the waiting envelopes of all users."""
    if waiting_total:
        waits = f"it is still waiting ({quantity(waiting_total, 'envelope')} of all users are), "
    else:
        waits = "no envelope is waiting now, so "
    return (
        f"Nothing is known about {printable(identifier)}: {waits}"
        "it was never accepted (the sender was told why), or its outcome is so old that it has left the journal."
    )


def _print_waiting(envelope_id: str, connection: str, response: messages.GetWaitingEnvelopeResponse) -> None:
    user = response.envelope.identity.customer_id or response.envelope.identity.email
    heading = f"{envelope_id} of {user} in {connection}: accepted {timestamp(response.accept_time)}"
    click.secho(printable(heading), bold=True)
    click.echo("  It is waiting for its turn. `intercomd status` shows whether its connection is held up.")
