"""`intercomd reload`: makes a running daemon read its settings again, as SIGHUP does."""

import asyncio
import sys

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli import options
from intercomd_daemon.cli.exits import EXIT_FAILED
from intercomd_daemon.cli.output import print_json
from intercomd_daemon.cli.remote import CALL_SECONDS, operations


@click.command("reload", epilog=options.examples("intercomd reload --operations 127.0.0.1:9091"))
@options.operations
@options.JSON
def command(address: str, as_json: bool) -> None:
    """Make a running daemon read its settings again, as SIGHUP does.

    The daemon validates the whole file and its environment first. Prints what changed and what needs a restart; if
    something is wrong it prints every error, nothing changes, and the exit code is 1.
    """
    response = asyncio.run(_reload(address))
    if as_json:
        print_json(response)
    else:
        for warning in response.warnings:
            click.echo(f"warning: {warning}", err=True)
        for error in response.errors:
            click.echo(error, err=True)
        for line in lines_of(response):
            click.echo(line)
    if response.errors:
        sys.exit(EXIT_FAILED)


async def _reload(address: str) -> messages.ReloadResponse:
    async with operations(address) as stub:
        return await stub.Reload(messages.ReloadRequest(), timeout=CALL_SECONDS)


def lines_of(response: messages.ReloadResponse) -> list[str]:
    """Returns what to print of a reload, one setting a line."""
    if response.errors:
        return ["nothing has changed"]
    if not response.changed and not response.needs_restart:
        return ["the settings are the same"]
    return [
        *(f"changed: {key}" for key in response.changed),
        *(f"needs a restart: {key}" for key in response.needs_restart),
    ]
