"""`intercomd pause`, `resume` and `retry`: stop and continue the calls of a connection, or probe it."""

import asyncio
from collections.abc import Awaitable, Callable

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli import options
from intercomd_daemon.cli.format import quantity
from intercomd_daemon.cli.output import print_json, print_text
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations
from intercomd_daemon.cli.status import obstacles_of, state_of

_CONNECTION = click.argument("connection", type=options.GIVEN, metavar="CONNECTION")
Response = messages.PauseConnectionResponse | messages.ResumeConnectionResponse | messages.RetryConnectionResponse
Call = Callable[[Operations], Awaitable[Response]]


@click.command("pause", epilog=options.examples("intercomd pause default"))
@_CONNECTION
@options.operations
@options.JSON
def pause(connection: str, address: str, as_json: bool) -> None:
    """Pause the calls of a connection to Intercom, until `intercomd resume`; also across restarts of the daemon.

    The daemon finishes calls in flight and accepts envelopes as before. They wait.
    """
    request = messages.PauseConnectionRequest(connection=connection)
    _run(lambda stub: stub.PauseConnection(request, timeout=CALL_SECONDS), address, as_json=as_json)


@click.command("resume", epilog=options.examples("intercomd resume default"))
@_CONNECTION
@options.operations
@options.JSON
def resume(connection: str, address: str, as_json: bool) -> None:
    """Resume the calls of a paused connection to Intercom."""
    request = messages.ResumeConnectionRequest(connection=connection)
    _run(lambda stub: stub.ResumeConnection(request, timeout=CALL_SECONDS), address, as_json=as_json)


@click.command("retry", epilog=options.examples("intercomd retry default"))
@_CONNECTION
@options.operations
@options.JSON
def retry(connection: str, address: str, as_json: bool) -> None:
    """Probe a suspended or down connection now, for example after its token was replaced.

    The daemon also probes by itself; `intercomd status` shows when. In other states nothing changes. The command does
    not wait for the result, which `intercomd status` shows.
    """
    request = messages.RetryConnectionRequest(connection=connection)
    _run(lambda stub: stub.RetryConnection(request, timeout=CALL_SECONDS), address, as_json=as_json)


def _run(call: Call, address: str, *, as_json: bool) -> None:
    async def run() -> messages.ConnectionStatus:
        async with operations(address) as stub:
            return (await call(stub)).connection

    status = asyncio.run(run())
    if as_json:
        print_json(status)
        return
    for line in lines_of(status):
        print_text(line)


def lines_of(status: messages.ConnectionStatus) -> list[str]:
    """Returns the state of a connection after the call, and, if it does not deliver, why."""
    waiting = quantity(status.waiting_normal + status.waiting_bulk, "envelope")
    verb = "waits" if waiting == "1 envelope" else "wait"
    line = f"{status.name} is {state_of(status)}; {waiting} {verb}"
    if status.state == messages.CONNECTION_STATE_PAUSED:
        line += f"; `intercomd resume {status.name}` continues"
        return [line]
    return [line, *obstacles_of(status)]
