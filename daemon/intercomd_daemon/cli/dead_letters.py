"""`intercomd dead-letters`: what Intercom refused for good: listed, shown, sent again, given up."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Literal, Unpack

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import DeadLetter
from intercomd_daemon.cli import json_lines, options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.dead_letter_filter import Asked, filter_of, filtered
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.outcome_text import what, who, why
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations, resolved
from intercomd_daemon.cli.story import tell
from intercomd_daemon.cli.table import Column, print_table
from intercomd_daemon.cli.words import counted, moment, plain
from intercomd_daemon.operations.explain import explain

COLUMNS = (
    Column("id", right=True, style="bold"),
    Column("connection"),
    Column("accepted"),
    Column("about"),
    Column("what"),
    Column("why", style="red"),
    Column("envelope"),
)
PAGE_SIZE = 100
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")


@click.group(
    "dead-letters",
    epilog=options.examples("intercomd dead-letters list", "intercomd dead-letters replay --reason CONTACT_ARCHIVED"),
)
def command() -> None:
    """Look after what Intercom refused for good: it is kept, with the answer, and can be sent again."""


@command.command("list", epilog=options.examples("intercomd dead-letters list --customer-id 42"))
@filtered
@options.OPERATIONS
@options.CONFIG
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="The oldest so many.")
@options.JSON
def list_command(
    address: str | None, config_path: str | None, limit: int, as_json: bool, **asked: Unpack[Asked]
) -> None:
    """List dead letters, the oldest first; without ids or options all of them."""
    target = resolved(address, OPERATIONS, config_path)
    asyncio.run(_list(target, filter_of(asked), limit, as_json))


async def _list(address: str, wanted: messages.DeadLetterFilter, limit: int, as_json: bool) -> None:
    rows = []
    async with operations(address) as stub:
        total = (await stub.ListDeadLetters(_page(wanted, 1), timeout=CALL_SECONDS)).total_count
        async for letter in _letters(stub, wanted, limit):
            if as_json:
                json_lines.print_json(letter)
            else:
                rows.append(_row(letter))
    if as_json:
        return
    if rows:
        print_table(COLUMNS, rows)
    click.echo(counted(total, "dead letter") + (f"; the oldest {limit:,} are shown" if limit < total else ""))


def _page(wanted: messages.DeadLetterFilter, size: int, token: str = "") -> messages.ListDeadLettersRequest:
    return messages.ListDeadLettersRequest(filter=wanted, page_size=size, page_token=token)


async def _letters(stub: Operations, wanted: messages.DeadLetterFilter, limit: int) -> AsyncIterator[DeadLetter]:
    token, left = "", limit
    while left:
        listed = await stub.ListDeadLetters(_page(wanted, min(left, PAGE_SIZE), token), timeout=CALL_SECONDS)
        for letter in listed.dead_letters:
            yield letter
        left -= len(listed.dead_letters)
        token = listed.next_page_token
        if not token:
            return


def _row(letter: DeadLetter) -> list[str]:
    outcome = letter.outcome
    accepted = moment(outcome.accept_time)
    about, reason = who(outcome), why(outcome)
    return [letter.dead_letter_id, outcome.connection, accepted, about, what(outcome), reason, outcome.envelope_id]


@command.command("show", epilog=options.examples("intercomd dead-letters show 7"))
@click.argument("dead_letter_id", metavar="ID")
@options.OPERATIONS
@options.CONFIG
@options.JSON
def show_command(dead_letter_id: str, address: str | None, config_path: str | None, as_json: bool) -> None:
    """Show a dead letter whole: the envelope, how each of its calls ended, and Intercom's answer.

    ID is the first column of `intercomd dead-letters list`.
    """
    letter = asyncio.run(_get(resolved(address, OPERATIONS, config_path), dead_letter_id))
    if as_json:
        json_lines.print_json(letter)
        return
    for story in explain((), [letter]):
        tell(story)
    envelope = json_lines.as_json(letter.envelope, every_field=False)
    click.echo(f"\nThe envelope:\n{json.dumps(envelope, indent=2, ensure_ascii=False)}")
    click.echo(f"\nIntercom's answer:\n{plain(letter.answer_body) or '(empty)'}")


async def _get(address: str, dead_letter_id: str) -> DeadLetter:
    wanted = messages.DeadLetterFilter(dead_letter_ids=[dead_letter_id])
    async with operations(address) as stub:
        listed = await stub.ListDeadLetters(_page(wanted, 1), timeout=CALL_SECONDS)
    if not listed.dead_letters:
        raise Failed(f"there is no dead letter {plain(dead_letter_id)}: `intercomd dead-letters list` names them")
    return listed.dead_letters[0]


@command.command(
    "replay",
    epilog=options.examples(
        "intercomd dead-letters replay 7 8",
        "intercomd dead-letters replay --reason CONTACT_ARCHIVED --from 2026-08-01 --yes",
    ),
)
@filtered
@options.OPERATIONS
@options.CONFIG
@_YES
@options.JSON
def replay_command(
    address: str | None, config_path: str | None, yes: bool, as_json: bool, **asked: Unpack[Asked]
) -> None:
    """Send dead letters again: at the end of their log, in their order, only the calls that were refused.

    Says how many it is about, and asks first. Without ids or options all are meant.
    """
    target = resolved(address, OPERATIONS, config_path)
    count = _settle(target, filter_of(asked), "replay", yes)
    _say(count, as_json, "on the way again; `intercomd watch` shows what becomes of them")


@command.command("discard", epilog=options.examples("intercomd dead-letters discard --customer-id 42"))
@filtered
@options.OPERATIONS
@options.CONFIG
@_YES
@options.JSON
def discard_command(
    address: str | None, config_path: str | None, yes: bool, as_json: bool, **asked: Unpack[Asked]
) -> None:
    """Give dead letters up for good: each gets the outcome "discarded".

    Says how many it is about, and asks first. Without ids or options all are meant.
    """
    target = resolved(address, OPERATIONS, config_path)
    count = _settle(target, filter_of(asked), "discard", yes)
    _say(count, as_json, "given up")


def _settle(address: str, wanted: messages.DeadLetterFilter, verb: Literal["replay", "discard"], yes: bool) -> int:
    """How many were replayed or discarded, once that has been confirmed."""
    count = asyncio.run(_count(address, wanted))
    if count and not yes:
        click.confirm(f"This will {verb} {counted(count, 'dead letter')}. Go on?", abort=True, err=True)
    return asyncio.run(_act(address, wanted, verb, count)) if count else 0


async def _count(address: str, wanted: messages.DeadLetterFilter) -> int:
    async with operations(address) as stub:
        return (await stub.ListDeadLetters(_page(wanted, 1), timeout=CALL_SECONDS)).total_count


async def _act(address: str, wanted: messages.DeadLetterFilter, verb: Literal["replay", "discard"], count: int) -> int:
    async with operations(address) as stub:
        if verb == "replay":
            replay = messages.ReplayDeadLettersRequest(filter=wanted, expected_count=count)
            return (await stub.ReplayDeadLetters(replay, timeout=CALL_SECONDS)).count
        discard = messages.DiscardDeadLettersRequest(filter=wanted, expected_count=count)
        return (await stub.DiscardDeadLetters(discard, timeout=CALL_SECONDS)).count


def _say(count: int, as_json: bool, done: str) -> None:
    if as_json:
        json_lines.print_json({"count": count})
    else:
        click.echo(f"{counted(count, 'dead letter')} {done}" if count else "no dead letter matches")
