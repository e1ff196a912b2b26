"""`intercomd healthcheck`: reports by its exit code whether a daemon is ready or alive.

It runs every few seconds in containers without a shell, and therefore imports only the standard library and click.
"""

import os
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import click

from intercomd_daemon.cli import client_options, options
from intercomd_daemon.cli.addresses import AddressUnknown, HealthPage, health_pages, is_loopback
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


class TlsConnection(HTTPSConnection):
    """HTTP over TLS, with the name in the certificate that the command line gives."""

    def __init__(self, address: str, context: ssl.SSLContext, timeout: float, server_name: str | None) -> None:
        super().__init__(address, timeout=timeout, context=context)
        self._tls = context
        self._server_name = server_name

    def connect(self) -> None:
        """Connects, and makes the handshake."""
        sock = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(sock, server_hostname=self._server_name or self.host)


@click.command("healthcheck", epilog=options.examples('HEALTHCHECK CMD ["intercomd", "healthcheck"]'))
@click.option(
    "--target",
    metavar="ADDR",
    type=options.GIVEN,
    help="HTTP address of the daemon, host:port or unix:path.  "
    "[default: health.listen of the settings, then operations.listen, 127.0.0.1:9090]",
)
@client_options.options
@options.CONFIG
@click.option("--live", is_flag=True, help="Check that the daemon is alive (/healthz), not that it is ready (/readyz).")
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=3.0,
    show_default=True,
    help="How long to wait for an answer of each address.",
)
def command(target: str | None, config_path: str | None, live: bool, timeout_seconds: float) -> None:
    """Check that a daemon is ready: exit 0 if it is, 1 if not.

    A ready daemon answers calls. Neither an outage of Intercom nor a full spool makes it unready. The certificate of a
    loopback address is not verified.
    """
    given = client_options.current()
    try:
        pages = [HealthPage(target, given.uses_tls)] if target else health_pages(config_path, os.environ)
    except AddressUnknown as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    path = "/healthz" if live else "/readyz"
    failures = []
    for page in pages:
        try:
            status, body = _get(page, path, timeout_seconds, given)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            failures.append(f"no answer from {page.address}: {reason}")
        else:
            click.echo(body)
            sys.exit(0 if status == 200 else EXIT_FAILED)
    failures.append("start the daemon, or give its HTTP address with --target")
    click.echo("; ".join(failures), err=True)
    sys.exit(EXIT_FAILED)


def _get(page: HealthPage, path: str, timeout_seconds: float, given: client_options.ClientOptions) -> tuple[int, str]:
    connection = _connection(page, timeout_seconds, given)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(RESPONSE_BYTES_MAX).decode(errors="replace")
    finally:
        connection.close()


def _connection(page: HealthPage, timeout_seconds: float, given: client_options.ClientOptions) -> HTTPConnection:
    if page.address.startswith("unix:"):
        return UnixConnection(page.address.removeprefix("unix:"), timeout_seconds)
    if not page.tls:
        return HTTPConnection(page.address, timeout=timeout_seconds)
    context = ssl.create_default_context(cafile=given.ca_file)
    if is_loopback(page.address):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if given.certificate_file:
        context.load_cert_chain(given.certificate_file, given.key_file)
    return TlsConnection(page.address, context, timeout_seconds, given.server_name)
