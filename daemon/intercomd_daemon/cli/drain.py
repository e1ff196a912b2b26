"""`intercomd drain`: makes a running daemon refuse new calls, for preStop hooks."""

import asyncio

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli import options
from intercomd_daemon.cli.output import print_json
from intercomd_daemon.cli.remote import CALL_SECONDS, operations


@click.command("drain", epilog=options.examples("intercomd drain --wait"))
@click.option("--wait", is_flag=True, help="Return only when no call of a sender is open.")
@options.operations
@options.JSON
def command(wait: bool, address: str, as_json: bool) -> None:
    """Make a running daemon refuse new calls of senders, until it is restarted.

    Health becomes NOT_SERVING, so that load balancers send calls elsewhere; accepted envelopes are still delivered. For
    the preStop hook of a gateway; a native sidecar needs none.
    """
    asyncio.run(_drain(address, wait=wait))
    if as_json:
        print_json({"draining": True, "drained": wait})
    else:
        click.echo("drained: no call is open" if wait else "draining: new calls are refused")


async def _drain(address: str, *, wait: bool) -> None:
    async with operations(address) as stub:
        # Open calls end by themselves or at their deadline; the platform bounds the hook.
        await stub.Drain(messages.DrainRequest(wait=wait), timeout=None if wait else CALL_SECONDS)
