"""`intercomd dead-letters`: lists, shows, replays and discards what Intercom refused permanently."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd.v1.outcome_pb2 import DeadLetter
from intercomd_daemon.cli import options
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.explanation import explain_entry, print_explanation
from intercomd_daemon.cli.format import printable, quantity, timestamp
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.outcomes import calls_of, has_response, reasons_of, user_of
from intercomd_daemon.cli.output import json_text, message_to_json, print_json, print_table, print_text
from intercomd_daemon.cli.remote import (
    CALL_SECONDS,
    Operations,
    operations,
    warn_of_unknown_connection,
)

COLUMNS = (
    Column("id", right=True, style="bold"),
    Column("accepted"),
    Column("reasons", style="red", typical=26),
    Column("refused", typical=18),
    Column("connection", typical=7),
    Column("user", typical=16),
    Column("envelope", typical=36),
)
PAGE_SIZE = 100
SHOWN_MAX = 100
"""Dead letters of one envelope that are shown; after the duplicate window its id can be used again."""
_ANSWER_CHARACTERS_MAX = 4_000
_DEAD_LETTER_ID = re.compile("[0-9]{1,18}")
_TIME_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]

Command = TypeVar("Command", bound=Callable[..., Any])


class DeadLetterFilters(TypedDict):
    """The arguments and options that select dead letters."""

    ids: tuple[str, ...]
    connection: str | None
    envelope_ids: tuple[str, ...]
    customer_id: str | None
    email: str | None
    reason: str | None
    time_from: datetime | None
    time_to: datetime | None


def filter_options(command: Command) -> Command:
    """Adds the ids and the options that select dead letters to a command. Without any, all are selected."""
    time = click.DateTime(_TIME_FORMATS)
    for option in (
        click.option("--to", "time_to", type=time, metavar="TIME", help="Accepted before this time (UTC)."),
        click.option("--from", "time_from", type=time, metavar="TIME", help="Accepted at this time or later (UTC)."),
        click.option(
            "--reason",
            type=options.GIVEN,
            metavar="REASON",
            help="With this reason, like EXPIRED.",
        ),
        click.option("--email", type=options.GIVEN, metavar="EMAIL", help="Of the user with this email."),
        click.option("--customer-id", type=options.GIVEN, metavar="ID", help="Of this customer."),
        click.option(
            "--envelope-id",
            "envelope_ids",
            multiple=True,
            type=options.GIVEN,
            metavar="ID",
            help="Of this envelope; repeatable.",
        ),
        click.option("--connection", type=options.GIVEN, metavar="NAME", help="Of this connection."),
        click.argument("ids", type=options.GIVEN, nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


def filter_from(given: DeadLetterFilters) -> messages.DeadLetterFilter:
    """Returns the filter for the options given."""
    wanted = messages.DeadLetterFilter(
        connection=given["connection"] or "",
        dead_letter_ids=given["ids"],
        envelope_ids=given["envelope_ids"],
        customer_id=given["customer_id"] or "",
        email=given["email"] or "",
        reason=given["reason"] or "",
    )
    if given["time_from"] is not None:
        wanted.accept_time_from.FromDatetime(given["time_from"])
    if given["time_to"] is not None:
        wanted.accept_time_to.FromDatetime(given["time_to"])
    return wanted


@click.group(
    "dead-letters",
    epilog=options.examples("intercomd dead-letters list", "intercomd dead-letters replay --reason CONTACT_ARCHIVED"),
)
def command() -> None:
    """Manage dead letters: envelopes that Intercom refused permanently, kept with its response and ready for replay."""


@command.command(
    "list",
    short_help="List dead letters, and count them by reason.",
    epilog=options.examples("intercomd dead-letters list --customer-id 42"),
)
@filter_options
@options.operations
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Number of dead letters to show.",
)
@click.option("--newest", "newest_first", is_flag=True, help="Newest first.  [default: oldest first]")
@options.JSON
def list_command(
    address: str,
    limit: int,
    newest_first: bool,
    as_json: bool,
    **given: Unpack[DeadLetterFilters],
) -> None:
    """Count dead letters by reason, and list them: all of them without ids or options.

    They are listed oldest first, which is the order of a replay, or newest first with --newest.
    """
    request = messages.ListDeadLettersRequest(filter=filter_from(given), newest_first=newest_first)
    asyncio.run(_list(address, request, limit, as_json))


async def _list(address: str, request: messages.ListDeadLettersRequest, limit: int, as_json: bool) -> None:
    rows = []
    async with operations(address) as stub:
        counts = await _count(stub, request.filter)
        order = "newest" if request.newest_first else "oldest"
        shown = f"; showing the {order} {limit:,}" if limit < counts.total_count else ""
        if not as_json:
            print_text(f"{counts_text(counts)}{shown}")
        elif shown:
            print_text(f"{counts_text(counts)}{shown}; --limit shows more", err=True)
        async for letter in _read_pages(stub, request, limit):
            if as_json:
                print_json(letter)
            else:
                rows.append(_row(letter))
    if rows:
        click.echo()
        print_table(COLUMNS, rows)


def counts_text(counts: messages.ListDeadLettersResponse) -> str:
    """Returns the number of dead letters by reason: `3 dead letters: 2 EXPIRED, 1 CONTACT_ARCHIVED`."""
    by_reason = ", ".join(f"{count.count:,} {printable(count.reason) or 'without a reason'}" for count in counts.counts)
    return quantity(counts.total_count, "dead letter") + (f": {by_reason}" if by_reason else "")


async def _count(stub: Operations, wanted: messages.DeadLetterFilter) -> messages.ListDeadLettersResponse:
    """Returns a page with the total and the numbers by reason."""
    await warn_of_unknown_connection(stub, wanted.connection)
    request = messages.ListDeadLettersRequest(filter=wanted, page_size=1)
    return await stub.ListDeadLetters(request, timeout=CALL_SECONDS)


async def _read_pages(
    stub: Operations, request: messages.ListDeadLettersRequest, limit: int
) -> AsyncIterator[DeadLetter]:
    left = limit
    while left:
        request.page_size = min(left, PAGE_SIZE)
        page = await stub.ListDeadLetters(request, timeout=CALL_SECONDS)
        for letter in page.dead_letters:
            yield letter
        left -= len(page.dead_letters)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return


def _row(letter: DeadLetter) -> list[str]:
    outcome = letter.outcome
    return [
        letter.dead_letter_id,
        timestamp(outcome.accept_time),
        reasons_of(outcome),
        calls_of(outcome) or "envelope",
        outcome.connection,
        user_of(outcome.identity),
        outcome.envelope_id,
    ]


@command.command(
    "show",
    short_help="Show the envelope, the calls and Intercom's response.",
    epilog=options.examples(
        "intercomd dead-letters show 7", "intercomd dead-letters show 0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d"
    ),
)
@click.argument("identifier", type=options.GIVEN, metavar="ID")
@options.operations
@options.JSON
def show_command(identifier: str, address: str, as_json: bool) -> None:
    """Show a dead letter: the envelope, the result of each call, and Intercom's response.

    ID is the id of a dead letter, the first column of `intercomd dead-letters list`, or of an envelope. If it is both,
    or if several dead letters have the envelope id, all of them are shown, oldest first.
    """
    letters = asyncio.run(_find(address, identifier))
    for number, letter in enumerate(letters):
        if as_json:
            print_json(letter)
            continue
        if number:
            click.echo()
        _print_letter(letter)


def _print_letter(letter: DeadLetter) -> None:
    click.secho(f"Dead letter {letter.dead_letter_id}", bold=True)
    print_explanation(explain_entry(TrailEntry(time=letter.outcome.end_time, outcome=letter.outcome)))
    envelope = message_to_json(letter.envelope, every_field=False)
    click.echo(f"\nThe envelope:\n{json_text(envelope, indent=2)}")
    # Without a response: the envelope was given up or expired first, or a gateway rejected it.
    responded = letter.answer_body or has_response(letter.outcome)
    if responded:
        click.echo("\nIntercom's response:")
        print_text(printable(letter.answer_body, _ANSWER_CHARACTERS_MAX) or "(empty)", hanging="")
    calls = "makes the refused calls again" if responded else "delivers it after all"
    click.echo(f"\n`intercomd dead-letters replay {letter.dead_letter_id}` {calls}.")


async def _find(address: str, identifier: str) -> list[DeadLetter]:
    """Returns the dead letters with this id or of this envelope, oldest first.

    Raises:
        CommandFailed: there is none, or the call failed.
    """
    filters = [messages.DeadLetterFilter(envelope_ids=[identifier])]
    if _DEAD_LETTER_ID.fullmatch(identifier):
        filters.append(messages.DeadLetterFilter(dead_letter_ids=[identifier]))
    found = {}
    async with operations(address) as stub:
        for wanted in filters:
            async for letter in _read_pages(stub, messages.ListDeadLettersRequest(filter=wanted), SHOWN_MAX):
                found[letter.dead_letter_id] = letter
    if not found:
        message = (
            f"no dead letter has the id {printable(identifier)}, or an envelope with this id: "
            "`intercomd dead-letters list` shows the ids, `intercomd explain ID` what became of an envelope"
        )
        raise CommandFailed(message)
    return sorted(found.values(), key=lambda letter: int(letter.dead_letter_id))


@command.command(
    "replay",
    short_help="Make the refused calls again.",
    epilog=options.examples(
        "intercomd dead-letters replay 7 8",
        "intercomd dead-letters replay --reason CONTACT_ARCHIVED --from 2026-08-01",
    ),
)
@filter_options
@options.operations
@options.YES
@options.JSON
def replay_command(address: str, yes: bool, as_json: bool, **given: Unpack[DeadLetterFilters]) -> None:
    """Replay dead letters: append them to their log, in their order, with only the calls that were refused.

    Prints the number and asks for confirmation. Without ids or options all are replayed.
    """
    count = _confirm_and_act(address, filter_from(given), "replay", yes)
    _print_count(count, as_json, "queued for replay; `intercomd watch` shows the outcomes")


@command.command(
    "discard",
    short_help="Discard dead letters permanently.",
    epilog=options.examples("intercomd dead-letters discard --customer-id 42"),
)
@filter_options
@options.operations
@options.YES
@options.JSON
def discard_command(address: str, yes: bool, as_json: bool, **given: Unpack[DeadLetterFilters]) -> None:
    """Discard dead letters permanently: each gets the outcome "discarded".

    Prints the number and asks for confirmation. Without ids or options all are discarded.
    """
    count = _confirm_and_act(address, filter_from(given), "discard", yes)
    _print_count(count, as_json, "discarded")


def _confirm_and_act(
    address: str, wanted: messages.DeadLetterFilter, verb: Literal["replay", "discard"], yes: bool
) -> int:
    """Returns how many were replayed or discarded, after confirmation."""

    async def count_selected() -> messages.ListDeadLettersResponse:
        async with operations(address) as stub:
            return await _count(stub, wanted)

    async def act(count: int) -> int:
        async with operations(address) as stub:
            if verb == "replay":
                replay = messages.ReplayDeadLettersRequest(filter=wanted, expected_count=count)
                return (await stub.ReplayDeadLetters(replay, timeout=CALL_SECONDS)).count
            discard = messages.DiscardDeadLettersRequest(filter=wanted, expected_count=count)
            return (await stub.DiscardDeadLetters(discard, timeout=CALL_SECONDS)).count

    selected = asyncio.run(count_selected())
    count = selected.total_count
    if count and not yes:
        click.confirm(f"This will {verb} {counts_text(selected)}. Continue?", abort=True, err=True)
    return asyncio.run(act(count)) if count else 0


def _print_count(count: int, as_json: bool, done: str) -> None:
    if as_json:
        print_json({"count": count})
    else:
        click.echo(f"{quantity(count, 'dead letter')} {done}" if count else "no dead letter matches")
