"""`intercomd explain WHO`: shows everything that the daemon knows of a user or an envelope, and sums it up."""

import asyncio
import os
import sys
from typing import NamedTuple

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon import config
from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.answer import answer, answer_for_both, not_at_gateway, not_found
from intercomd_daemon.cli.client_options import ClientOptions
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.explanation import explain_entry, print_explanation
from intercomd_daemon.cli.output import print_json, print_text
from intercomd_daemon.cli.remote import (
    CALL_SECONDS,
    Operations,
    operations,
    warn_of_unknown_connection,
)
from intercomd_daemon.cli.status import last_error_of, obstacles_of
from intercomd_daemon.cli.trail import EnvelopeState, connection_of, merge, state_of, superseded
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.errors import SettingsInvalid

PAGE_SIZE = 100
TROUBLED = (
    messages.CONNECTION_STATE_SUSPENDED,
    messages.CONNECTION_STATE_DOWN,
    messages.CONNECTION_STATE_VERIFYING,
)
"""States whose cause is shown, because an entry of the trail does not have it."""

_OLDER = "Older entries exist: --limit shows more."


@click.command(
    "explain",
    epilog=options.examples(
        "intercomd explain 42",
        "intercomd explain ada@example.com --limit 100",
        "intercomd explain 0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d",
    ),
)
@click.argument("identifier", type=options.GIVEN, metavar="WHO")
@options.operations_address
@options.CONFIG
@click.option("--connection", type=options.GIVEN, metavar="NAME", help="Only envelopes of this connection.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="Number of entries, newest first.",
)
@click.option(
    "--gateway",
    type=options.GIVEN,
    metavar="ADDR",
    help="At an agent: ask the gateway's operations address, too. By default upstream.operations_target.",
)
@options.JSON
def command(
    identifier: str,
    address: str | None,
    config_path: str | None,
    connection: str | None,
    limit: int,
    gateway: str | None,
    as_json: bool,
) -> None:
    """Explain what became of a user's envelopes, or of one envelope: where each is, why, and what to do.

    WHO is a customer id, an email or an envelope id; if it is several of them, all are shown. The first line is the
    answer in one sentence. Then follow waiting envelopes, outcomes, and rejected and skipped envelopes, newest first,
    each with its reasons and the remedy. Outcomes are kept for 72 h by default, rejected and skipped envelopes for as
    long, the newest 10,000.

    Exit code 1 if the daemon knows nothing of WHO.
    """
    target = options.resolve_address(address, OPERATIONS, config_path)
    known, is_agent = _explain(target, None, identifier, connection or "", limit, as_json=as_json)
    if not known:
        print_text(not_found(identifier), hanging="", err=True)
    access: ClientOptions | None = None
    if not gateway and is_agent:
        gateway, access = _gateway_of(config_path)
    if gateway:
        if not as_json:
            click.secho(f"\nAt the gateway {gateway}:", bold=True)
        try:
            forwarded, _ = _explain(gateway, access, identifier, connection or "", limit, as_json=as_json)
            known |= forwarded
            if not forwarded:
                print_text(not_at_gateway(identifier), hanging="", err=True)
        except CommandFailed as error:
            print_text(f"{error.message}; or run `intercomd explain` at the gateway", hanging="", err=True)
    if not known:
        sys.exit(EXIT_FAILED)


def _gateway_of(config_path: str | None) -> tuple[str, ClientOptions]:
    """Returns the operations address of the gateway in an agent's settings, empty without one, and how to call it."""
    try:
        upstream = config.load(config_path, os.environ).settings.upstream
    except SettingsInvalid:
        return "", ClientOptions()  # The daemon may have other settings than this command.
    tls = upstream.tls
    return upstream.operations_target, ClientOptions(
        tls=upstream.operations_use_tls,
        ca_file=tls.ca_file or None,
        certificate_file=tls.certificate_file or None,
        key_file=tls.key_file or None,
        server_name=tls.server_name or None,
        token_file=upstream.token_file or None,
    )


def _explain(
    address: str, access: ClientOptions | None, identifier: str, connection: str, limit: int, *, as_json: bool
) -> tuple[bool, bool]:
    """Prints what one daemon knows; returns whether that is anything, and whether the daemon is an agent."""
    found = asyncio.run(_collect(address, access, identifier, connection, limit))
    entries = merge((found.of_envelope, found.of_user))[:limit]
    if as_json:
        for entry in entries:
            print_json(entry)
        if found.more:
            click.echo(_OLDER, err=True)
    elif entries:
        _print(identifier, found, entries)
    return bool(entries), any(status.upstream for status in found.connections.values())


class Explained(NamedTuple):
    """What the daemon knows."""

    of_envelope: list[TrailEntry]
    """About the envelope with this id."""
    of_user: list[TrailEntry]
    """About the user with this customer id or email."""
    more: bool
    """Whether older entries exist."""
    connections: dict[str, messages.ConnectionStatus]
    """By name."""


async def _collect(
    address: str, access: ClientOptions | None, identifier: str, connection: str, limit: int
) -> Explained:
    user = messages.ListTrailRequest(connection=connection, customer_id=identifier)
    if "@" in identifier:
        user.email = identifier
    async with operations(address, access) as stub:
        await warn_of_unknown_connection(stub, connection)
        of_user, more = await read_trail(stub, user, limit)
        of_envelope: list[TrailEntry] = []
        if len(identifier.encode()) <= GIVEN_ID_BYTES_MAX:  # longer than any envelope id
            request = messages.ListTrailRequest(connection=connection, envelope_id=identifier)
            of_envelope, more_of_envelope = await read_trail(stub, request, limit)
            more = more or more_of_envelope
        status = await stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)
    return Explained(of_envelope, of_user, more, {each.name: each for each in status.connections})


async def read_trail(stub: Operations, request: messages.ListTrailRequest, limit: int) -> tuple[list[TrailEntry], bool]:
    """Returns at most `limit` entries, newest first, and whether older ones exist."""
    entries: list[TrailEntry] = []
    while True:
        request.page_size = min(limit - len(entries), PAGE_SIZE)
        page = await stub.ListTrail(request, timeout=CALL_SECONDS)
        entries += page.entries
        request.page_token = page.next_page_token
        if not page.next_page_token or len(entries) >= limit:
            return entries, bool(page.next_page_token)


def _print(identifier: str, found: Explained, entries: list[TrailEntry]) -> None:
    known = {entry.SerializeToString(deterministic=True) for entry in found.of_user}
    others = [entry for entry in found.of_envelope if entry.SerializeToString(deterministic=True) not in known]
    suspensions = {name: status.suspended_reason for name, status in found.connections.items()}
    agents = {name for name, status in found.connections.items() if status.upstream}
    first = answer(identifier, found.of_user or entries, more=found.more, suspensions=suspensions, agents=agents)
    if others and found.of_user:
        of_envelope = answer(identifier, others, suspensions=suspensions, agents=agents)
        first = answer_for_both(identifier, of_envelope, first)
    click.secho(first, bold=True)
    waiting = [entry for entry in entries if state_of(entry) is EnvelopeState.WAITING]
    errors = {entry.waiting.last_error for entry in waiting}
    for name in dict.fromkeys(map(connection_of, waiting)):
        status = found.connections.get(name)
        if status is not None and status.state in TROUBLED:
            for line in obstacles_of(status):
                print_text(line)
            if status.last_error and status.last_error not in errors:
                print_text(last_error_of(status))
    for entry, over in zip(entries, superseded(entries), strict=True):
        click.echo()
        print_explanation(explain_entry(entry, superseded=over, forwards=connection_of(entry) in agents))
    if found.more:
        click.echo(f"\n{_OLDER}")
