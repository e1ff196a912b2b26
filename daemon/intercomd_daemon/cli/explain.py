"""`intercomd explain ID`: what became of a user or an envelope, in sentences."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import click
from google.protobuf.message import Message

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import DeadLetter, Outcome
from intercomd_daemon.cli import json_lines, options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.main import EXIT_FAILED
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations, resolved
from intercomd_daemon.cli.story import tell
from intercomd_daemon.cli.words import counted, moment, plain
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.operations.explain import explain, questions


@click.command(
    "explain",
    epilog=options.examples(
        "intercomd explain ada@example.com", "intercomd explain 0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d"
    ),
)
@click.argument("identifier", metavar="ID")
@options.OPERATIONS
@options.CONFIG
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@options.JSON
def command(identifier: str, address: str | None, config_path: str | None, limit: int, as_json: bool) -> None:
    """Say what became of a user or an envelope: when, how, why, and what to do about it.

    ID is a customer id, an email, or an envelope's id. The answer comes from the daemon's journal, which keeps the
    newest outcomes (200,000 by default), from its dead letters, and, for an envelope's id, from what still waits.
    Exit code 1 if nothing is known.
    """
    known = asyncio.run(_ask(resolved(address, OPERATIONS, config_path), identifier, limit))
    if as_json:
        for kind, message in known.messages(limit):
            json_lines.print_json({kind: json_lines.as_json(message)})
    else:
        for connection, waiting in known.waiting.items():
            _tell_waiting(identifier, connection, waiting)
        for story in explain(known.outcomes.values(), known.letters.values())[:limit]:
            tell(story)
    if not known.anything:
        click.echo(unknown(identifier, known.envelopes), err=True)
        sys.exit(EXIT_FAILED)


@dataclass
class Known:
    """What the daemon has to say about an identifier."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By sequence."""
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    waiting: dict[str, messages.GetWaitingEnvelopeResponse] = field(default_factory=dict)
    """By connection."""
    envelopes: int = 0
    """That wait, whomever they are about."""

    @property
    def anything(self) -> bool:
        """Whether anything is known."""
        return bool(self.outcomes or self.letters or self.waiting)

    def messages(self, limit: int) -> Iterator[tuple[str, Message]]:
        """All of it with its kind: what waits, the newest outcomes, the dead letters."""
        yield from (("waiting", waiting) for waiting in self.waiting.values())
        newest = sorted(self.outcomes, reverse=True)[:limit]
        yield from (("outcome", self.outcomes[sequence]) for sequence in newest)
        yield from (("dead_letter", letter) for letter in self.letters.values())


async def _ask(address: str, identifier: str, limit: int) -> Known:
    asked, known = questions(identifier), Known()
    async with operations(address) as stub:
        for wanted in asked.outcomes:
            request = messages.ListOutcomesRequest(filter=wanted, page_size=limit)
            listed = await stub.ListOutcomes(request, timeout=CALL_SECONDS)
            known.outcomes |= {outcome.sequence: outcome for outcome in listed.outcomes}
        for wanted_letters in asked.dead_letters:
            letters_request = messages.ListDeadLettersRequest(filter=wanted_letters, page_size=limit)
            letters = await stub.ListDeadLetters(letters_request, timeout=CALL_SECONDS)
            known.letters |= {letter.dead_letter_id: letter for letter in letters.dead_letters}
        status = await stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)
        known.envelopes = status.spool.envelopes
        if len(identifier.encode()) <= GIVEN_ID_BYTES_MAX:
            await _look_for_waiting(stub, identifier, status, known)
    return known


async def _look_for_waiting(
    stub: Operations, envelope_id: str, status: messages.GetStatusResponse, known: Known
) -> None:
    for connection in status.connections:
        if connection.state != messages.CONNECTION_STATE_UNCONFIGURED:
            request = messages.GetWaitingEnvelopeRequest(connection=connection.name, envelope_id=envelope_id)
            found = await stub.GetWaitingEnvelope(request, timeout=CALL_SECONDS)
            if found.waiting:
                known.waiting[connection.name] = found


def unknown(identifier: str, envelopes: int) -> str:
    """What it may mean that nothing is known; `envelopes` is how many wait, of all users."""
    waits = f"either it still waits, as {counted(envelopes, 'envelope')} of all users, or it "
    nothing = "no envelope waits now, so it "
    return (
        f"Nothing is known of {plain(identifier)}: {waits if envelopes else nothing}"
        "was never accepted (its sender was told why), or it ended so long ago that the journal has let it go."
    )


def _tell_waiting(envelope_id: str, connection: str, found: messages.GetWaitingEnvelopeResponse) -> None:
    who = found.envelope.identity.customer_id or found.envelope.identity.email
    heading = f"{envelope_id} of {who} in {connection}: accepted {moment(found.accept_time)}"
    click.secho(plain(heading), bold=True)
    click.echo("  It waits for its turn; `intercomd status` says what holds its connection up, if anything does.")
