"""`intercomd status`: shows a running daemon, its spool, its connections and their rate limits."""

import asyncio
from collections.abc import Iterable

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli import fleet, options
from intercomd_daemon.cli.format import byte_size, duration_of, percentage, printable, quantity, timestamp
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import print_json, print_table, print_text
from intercomd_daemon.cli.remote import CALL_SECONDS, operations
from intercomd_daemon.reasons import ReasonKind, remedy_of

COLUMNS = (
    Column("connection", style="bold"),
    Column("state", typical=11),
    Column("waiting", right=True),
    Column("bulk", right=True),
    Column("parked", right=True),
    Column("oldest", right=True),
    Column("dead", right=True),
    Column("budget", right=True),
    Column("calls", right=True),
    Column("workspace", typical=20),
)
LEGEND = """\b
waiting, bulk  envelopes not delivered yet, by priority (normal, bulk)
parked         users whose envelopes wait for a retry of their own
oldest         age of the oldest waiting envelope
dead           dead letters: envelopes that Intercom refused permanently
budget         calls left in the current rate limit window of Intercom
calls          calls since the daemon started
workspace      name of the workspace in Intercom (App ID, region), or at an
               agent its gateway (spool)
daemon         of those that share a spool; a star marks the called one

"""


@click.command("status", epilog=LEGEND + options.examples("intercomd status --operations 127.0.0.1:9091"))
@options.operations
@options.JSON
def command(address: str, as_json: bool) -> None:
    """Show a running daemon: its spool, its connections, and the calls that Intercom still allows."""
    status = asyncio.run(_get_status(address))
    if as_json:
        print_json(status)
        return
    for line in summary_of(status):
        print_text(line)
    click.echo()
    print_table(COLUMNS, [row_of(connection) for connection in status.connections])
    remarks = remarks_of(status)
    if status.HasField("fleet"):
        click.echo()
        print_table(fleet.COLUMNS, fleet.rows_of(status.fleet))
        remarks += fleet.remarks_of(status.fleet)
    if remarks:
        click.echo()
    for line in remarks:
        print_text(line)


async def _get_status(address: str) -> messages.GetStatusResponse:
    async with operations(address) as stub:
        return await stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)


def summary_of(status: messages.GetStatusResponse) -> list[str]:
    """Returns a line about the daemon and one about its spool."""
    state = _name(messages.DaemonState.items(), status.state, "DAEMON_STATE_")
    spool = status.spool
    usage = f"spool: {quantity(spool.envelopes, 'envelope')} waiting, {byte_size(spool.bytes)} in use"
    usage += f" ({percentage(spool.fill_ratio)} of the limit)"
    if spool.HasField("oldest_age"):
        usage += f", the oldest for {duration_of(spool.oldest_age)}"
    return [f"intercomd {printable(status.version)}: {state} since {timestamp(status.start_time)}", usage]


def row_of(connection: messages.ConnectionStatus) -> list[str]:
    """Returns the row of a connection."""
    known = ", ".join(printable(part) for part in (connection.app_id, connection.region) if part)
    budget = connection.budget
    allowed = f"{budget.remaining:,} of {budget.limit:,}" if budget.limit else "not known yet"
    allowed = "-" if connection.upstream else allowed
    return [
        connection.name,
        state_of(connection),
        f"{connection.waiting_normal:,}",
        f"{connection.waiting_bulk:,}",
        f"{connection.parked_lanes:,}",
        duration_of(connection.oldest_age) if connection.HasField("oldest_age") else "-",
        f"{connection.dead_letters:,}",
        allowed,
        f"{connection.calls_made:,}",
        place_of(connection, known),
    ]


def place_of(connection: messages.ConnectionStatus, known: str) -> str:
    """Returns where the envelopes of a connection go: the workspace with what is `known` of it, or the gateway."""
    if not connection.upstream:
        return f"{printable(connection.workspace_name) or '?'} ({known})"
    spool = f"spool {printable(connection.upstream_spool_id)}" if connection.upstream_spool_id else "not answered yet"
    return f"gateway {printable(connection.upstream)} ({spool})"


def state_of(connection: messages.ConnectionStatus) -> str:
    """Returns the state of a connection: `delivering`, `delivering, dry run`."""
    state = _name(messages.ConnectionState.items(), connection.state, "CONNECTION_STATE_")
    return state + (", dry run" if connection.dry_run else "")


def remarks_of(status: messages.GetStatusResponse) -> list[str]:
    """Returns a line for each problem that an operator should look at."""
    lines = []
    if status.spool.fill_ratio >= 1.0:
        lines.append(
            "The daemon accepts nothing: the spool has reached its limit, its disk is full or fails, or its database "
            "is away. The log event spool_refusing names which; senders retry."
        )
    for connection in status.connections:
        name = printable(connection.name)
        lines += obstacles_of(connection)
        if connection.last_error:
            lines.append(last_error_of(connection))
        if connection.dead_letters:
            dead = quantity(connection.dead_letters, "dead letter")
            lines.append(f"{name} has {dead}: `intercomd dead-letters list --connection {name}` shows them")
    return lines


def last_error_of(connection: messages.ConnectionStatus) -> str:
    """Returns a line for the last failed call of a connection."""
    return f"{printable(connection.name)}: last error: {printable(connection.last_error)}"


def obstacles_of(connection: messages.ConnectionStatus) -> list[str]:
    """Returns a line for each thing that holds up the envelopes of a connection, with the remedy."""
    name, lines = printable(connection.name), []
    other = "the gateway" if connection.upstream else "Intercom"
    if connection.state == messages.CONNECTION_STATE_PAUSED:
        lines.append(f"{name} is paused by an operator: `intercomd resume {name}` continues")
    if connection.state == messages.CONNECTION_STATE_DOWN:
        fails = "does not take envelopes" if connection.upstream else "does not answer, or fails for all users"
        lines.append(f"{name} is down: {other} {fails}")
    if connection.suspended_reason:
        since = f" since {timestamp(connection.suspended_since)}" if connection.HasField("suspended_since") else ""
        reason = connection.suspended_reason
        remedy = remedy_of(ReasonKind.UPSTREAM if connection.upstream else ReasonKind.SUSPENSION, reason)
        lines.append(f"{name} is suspended{since}: {printable(reason)}" + (f": {remedy}" if remedy else ""))
    if connection.HasField("next_probe_time"):
        at = timestamp(connection.next_probe_time)
        lines.append(f"{name} calls {other} again at {at}; `intercomd retry {name}` calls now")
    if connection.state == messages.CONNECTION_STATE_UNCONFIGURED:
        lines.append(f"{name} is missing from the settings; its envelopes wait until it is added again")
    return lines


def _name(values: Iterable[tuple[str, int]], value: int, prefix: str) -> str:
    """Returns `delivering` for CONNECTION_STATE_DELIVERING; the number for a value of a later version."""
    known = {number: name for name, number in values}
    return known.get(value, str(value)).removeprefix(prefix).lower()
