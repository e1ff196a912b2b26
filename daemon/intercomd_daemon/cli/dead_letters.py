"""`intercomd dead-letters`: lists, shows, replays and discards what Intercom refused permanently."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import DeadLetter
from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.explanation import print_explanation
from intercomd_daemon.cli.format import printable, quantity, timestamp
from intercomd_daemon.cli.outcomes import calls_of, reasons_of, user_of
from intercomd_daemon.cli.output import Column, message_to_json, print_json, print_table
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations, resolve_address
from intercomd_daemon.operations.explain import explain

COLUMNS = (
    Column("id", right=True, style="bold"),
    Column("connection"),
    Column("accepted"),
    Column("user"),
    Column("calls"),
    Column("reasons", style="red", wrap=True),
    Column("envelope"),
)
PAGE_SIZE = 100
_TIME_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")

Command = TypeVar("Command", bound=Callable[..., Any])


class FilterOptions(TypedDict):
    """The arguments and options that select dead letters."""

    ids: tuple[str, ...]
    connection: str
    envelope_ids: tuple[str, ...]
    customer_id: str
    email: str
    reason: str
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
            default="",
            type=options.TEXT,
            metavar="REASON",
            help="With this reason, like EXPIRED.",
        ),
        click.option("--email", default="", type=options.TEXT, metavar="EMAIL", help="Of the user with this email."),
        click.option("--customer-id", default="", type=options.TEXT, metavar="ID", help="Of this customer."),
        click.option(
            "--envelope-id",
            "envelope_ids",
            multiple=True,
            type=options.TEXT,
            metavar="ID",
            help="Of this envelope; repeatable.",
        ),
        click.option("--connection", default="", type=options.TEXT, metavar="NAME", help="Of this connection."),
        click.argument("ids", type=options.TEXT, nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


def filter_from(given: FilterOptions) -> messages.DeadLetterFilter:
    """Returns the filter for the options given."""
    wanted = messages.DeadLetterFilter(
        connection=given["connection"],
        dead_letter_ids=given["ids"],
        envelope_ids=given["envelope_ids"],
        customer_id=given["customer_id"],
        email=given["email"],
        reason=given["reason"],
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


@command.command("list", epilog=options.examples("intercomd dead-letters list --customer-id 42"))
@filter_options
@options.OPERATIONS
@options.CONFIG
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Number of dead letters, oldest first."
)
@options.JSON
def list_command(
    address: str | None, config_path: str | None, limit: int, as_json: bool, **given: Unpack[FilterOptions]
) -> None:
    """List dead letters, oldest first; all of them without ids or options."""
    target = resolve_address(address, OPERATIONS, config_path)
    asyncio.run(_list(target, filter_from(given), limit, as_json))


async def _list(address: str, wanted: messages.DeadLetterFilter, limit: int, as_json: bool) -> None:
    rows = []
    async with operations(address) as stub:
        total = await _count(stub, wanted)
        async for letter in _read_pages(stub, wanted, limit):
            if as_json:
                print_json(letter)
            else:
                rows.append(_row(letter))
    if as_json:
        return
    if rows:
        print_table(COLUMNS, rows)
    click.echo(quantity(total, "dead letter") + (f"; the oldest {limit:,} are shown" if limit < total else ""))


def _request(wanted: messages.DeadLetterFilter, page_size: int, token: str = "") -> messages.ListDeadLettersRequest:
    return messages.ListDeadLettersRequest(filter=wanted, page_size=page_size, page_token=token)


async def _count(stub: Operations, wanted: messages.DeadLetterFilter) -> int:
    return (await stub.ListDeadLetters(_request(wanted, 1), timeout=CALL_SECONDS)).total_count


async def _read_pages(stub: Operations, wanted: messages.DeadLetterFilter, limit: int) -> AsyncIterator[DeadLetter]:
    token, left = "", limit
    while left:
        page = await stub.ListDeadLetters(_request(wanted, min(left, PAGE_SIZE), token), timeout=CALL_SECONDS)
        for letter in page.dead_letters:
            yield letter
        left -= len(page.dead_letters)
        token = page.next_page_token
        if not token:
            return


def _row(letter: DeadLetter) -> list[str]:
    outcome = letter.outcome
    return [
        letter.dead_letter_id,
        outcome.connection,
        timestamp(outcome.accept_time),
        user_of(outcome),
        calls_of(outcome),
        reasons_of(outcome),
        outcome.envelope_id,
    ]


@command.command("show", epilog=options.examples("intercomd dead-letters show 7"))
@click.argument("dead_letter_id", type=options.TEXT, metavar="ID")
@options.OPERATIONS
@options.CONFIG
@options.JSON
def show_command(dead_letter_id: str, address: str | None, config_path: str | None, as_json: bool) -> None:
    """Show one dead letter: the envelope, the result of each call, and Intercom's response.

    ID is the first column of `intercomd dead-letters list`.
    """
    letter = asyncio.run(_get(resolve_address(address, OPERATIONS, config_path), dead_letter_id))
    if as_json:
        print_json(letter)
        return
    for explanation in explain((), [letter]):
        print_explanation(explanation)
    envelope = message_to_json(letter.envelope, every_field=False)
    click.echo(f"\nThe envelope:\n{json.dumps(envelope, indent=2, ensure_ascii=False)}")
    click.echo(f"\nIntercom's response:\n{printable(letter.answer_body) or '(empty)'}")


async def _get(address: str, dead_letter_id: str) -> DeadLetter:
    wanted = messages.DeadLetterFilter(dead_letter_ids=[dead_letter_id])
    async with operations(address) as stub:
        page = await stub.ListDeadLetters(_request(wanted, 1), timeout=CALL_SECONDS)
    if not page.dead_letters:
        message = f"no dead letter {printable(dead_letter_id)} exists: `intercomd dead-letters list` shows the ids"
        raise CommandFailed(message)
    return page.dead_letters[0]


@command.command(
    "replay",
    epilog=options.examples(
        "intercomd dead-letters replay 7 8",
        "intercomd dead-letters replay --reason CONTACT_ARCHIVED --from 2026-08-01 --yes",
    ),
)
@filter_options
@options.OPERATIONS
@options.CONFIG
@_YES
@options.JSON
def replay_command(
    address: str | None, config_path: str | None, yes: bool, as_json: bool, **given: Unpack[FilterOptions]
) -> None:
    """Replay dead letters: append them to their log, in their order, with only the calls that were refused.

    Prints the number and asks for confirmation. Without ids or options all are replayed.
    """
    target = resolve_address(address, OPERATIONS, config_path)
    count = _confirm_and_act(target, filter_from(given), "replay", yes)
    _print_count(count, as_json, "queued for replay; `intercomd watch` shows the outcomes")


@command.command("discard", epilog=options.examples("intercomd dead-letters discard --customer-id 42"))
@filter_options
@options.OPERATIONS
@options.CONFIG
@_YES
@options.JSON
def discard_command(
    address: str | None, config_path: str | None, yes: bool, as_json: bool, **given: Unpack[FilterOptions]
) -> None:
    """Discard dead letters permanently: each gets the outcome "discarded".

    Prints the number and asks for confirmation. Without ids or options all are discarded.
    """
    target = resolve_address(address, OPERATIONS, config_path)
    count = _confirm_and_act(target, filter_from(given), "discard", yes)
    _print_count(count, as_json, "discarded")


def _confirm_and_act(
    address: str, wanted: messages.DeadLetterFilter, verb: Literal["replay", "discard"], yes: bool
) -> int:
    """Returns how many were replayed or discarded, after confirmation."""

    async def count_selected() -> int:
        async with operations(address) as stub:
            return await _count(stub, wanted)

    async def act(count: int) -> int:
        async with operations(address) as stub:
            if verb == "replay":
                replay = messages.ReplayDeadLettersRequest(filter=wanted, expected_count=count)
                return (await stub.ReplayDeadLetters(replay, timeout=CALL_SECONDS)).count
            discard = messages.DiscardDeadLettersRequest(filter=wanted, expected_count=count)
            return (await stub.DiscardDeadLetters(discard, timeout=CALL_SECONDS)).count

    count = asyncio.run(count_selected())
    if count and not yes:
        click.confirm(f"This will {verb} {quantity(count, 'dead letter')}. Continue?", abort=True, err=True)
    return asyncio.run(act(count)) if count else 0


def _print_count(count: int, as_json: bool, done: str) -> None:
    if as_json:
        print_json({"count": count})
    else:
        click.echo(f"{quantity(count, 'dead letter')} {done}" if count else "no dead letter matches")
