"""`intercomd healthcheck`: reports by its exit code whether a daemon is ready or alive.

It runs every few seconds in containers without a shell, and therefore imports only the standard library and click.
"""

import os
import socket
import sys
from http.client import HTTPConnection, HTTPException

import click

from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import PAGES, AddressUnknown, address_of
from intercomd_daemon.cli.exits import EXIT_CONFIGURATION, EXIT_FAILED

RESPONSE_BYTES_MAX = 4096


class UnixConnection(HTTPConnection):
    """HTTP over a Unix domain socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command("healthcheck", epilog=options.examples('HEALTHCHECK CMD ["intercomd", "healthcheck"]'))
@click.option(
    "--target",
    metavar="ADDR",
    type=options.TEXT,
    help="HTTP address of the daemon, host:port or unix:path.  "
    "[default: operations.listen of the settings, 127.0.0.1:9090]",
)
@options.CONFIG
@click.option("--live", is_flag=True, help="Check that the daemon is alive (/healthz), not that it is ready (/readyz).")
@click.option("--timeout", "timeout_seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True)
def command(target: str | None, config_path: str | None, live: bool, timeout_seconds: float) -> None:
    """Check that a daemon is ready: exit 0 if it is, 1 if not.

    A ready daemon answers calls. Neither an outage of Intercom nor a full spool makes it unready.
    """
    try:
        address = target or address_of(PAGES, config_path, os.environ)
    except AddressUnknown as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    path = "/healthz" if live else "/readyz"
    try:
        status, body = _get(address, path, timeout_seconds)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        click.echo(f"no answer from {address}: {reason}", err=True)
        sys.exit(EXIT_FAILED)
    click.echo(body)
    sys.exit(0 if status == 200 else EXIT_FAILED)


def _get(address: str, path: str, timeout_seconds: float) -> tuple[int, str]:
    connection = (
        UnixConnection(address.removeprefix("unix:"), timeout_seconds)
        if address.startswith("unix:")
        else HTTPConnection(address, timeout=timeout_seconds)
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(RESPONSE_BYTES_MAX).decode(errors="replace")
    finally:
        connection.close()
