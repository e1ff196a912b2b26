"""`intercomd token`: makes a token for a caller, and its hash for the settings."""

import secrets

import click

from intercomd_daemon.cli import options
from intercomd_daemon.cli.output import print_json
from intercomd_daemon.rpc.callers import hash_of

PREFIX = "icd_"
"""By it, secret scanners and people recognise a token."""
RANDOM_BYTES = 32


@click.command("token", epilog=options.examples("intercomd token", "intercomd token --json"))
@options.JSON
def command(as_json: bool) -> None:
    """Make a token for a caller of the settings, and print its hash.

    The caller sends the token; the settings of the daemon hold only its hash. Neither is stored by this command.
    """
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    if as_json:
        print_json({"token": token, "token_sha256": hash_of(token)})
        return
    click.echo(f"token         {token}")
    click.echo(f"token_sha256  {hash_of(token)}")
    click.echo()
    click.echo("Give the token to the caller, and add its hash to the settings of the daemon:", err=True)
    click.echo(f'  [callers.NAME]\n  token_sha256 = ["{hash_of(token)}"]', err=True)
