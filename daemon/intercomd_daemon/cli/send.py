"""`intercomd send`: sends envelopes from a file or a pipe to a daemon."""

import sys
from typing import TypedDict, Unpack

import click

from intercomd_daemon.cli import client_options, options
from intercomd_daemon.cli.addresses import INGEST, OPERATIONS
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.remote import resolve_access
from intercomd_daemon.cli.sending.job import STDIN, SendJob
from intercomd_daemon.cli.sending.results import Tally
from intercomd_daemon.cli.signals import run_interruptible

EPILOG = options.examples(
    "intercomd send envelopes.jsonl",
    "intercomd send --wait --rejected rejected.jsonl envelopes.jsonl",
    """echo '{"identity":{"customer_id":"42"},"custom_event":{"name":"hi"}}' |""",
    "  intercomd send --preview -",
)


class JobOptions(TypedDict):
    """The options that are passed on to the job."""

    file: str
    connection: str
    validate_only: bool
    preview: bool
    wait: bool
    rejected_path: str | None
    patience_seconds: float
    as_json: bool


@click.command("send", epilog=EPILOG)
@click.argument("file", metavar="[FILE]", default="-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--target",
    metavar="ADDR",
    type=options.GIVEN,
    help="Address where the daemon accepts envelopes (gRPC), host:port or unix:path.  "
    "[default: ingest.listen of the settings, 127.0.0.1:50051]",
)
@click.option(
    "--operations",
    "operations_address",
    metavar="ADDR",
    type=options.GIVEN,
    help="Address of the daemon's operations service, for --wait; with the options for TLS.  "
    "[default: operations.grpc_listen of the settings, 127.0.0.1:9091, with TLS if they have operations.tls]",
)
@client_options.options
@options.CONFIG
@click.option(
    "--connection", default="", type=options.TEXT, metavar="NAME", help="Connection of envelopes that name none."
)
@click.option("--validate-only", is_flag=True, help="Only validate the envelopes; the daemon accepts none.")
@click.option("--preview", is_flag=True, help="Only print the calls to Intercom that each envelope would become.")
@click.option("--wait", is_flag=True, help="Wait until every accepted envelope has its outcome.")
@click.option(
    "--rejected",
    "rejected_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True),
    help="Write rejected and unreadable lines to this file, to be corrected and sent again.",
)
@options.patience("10m", "giving up")
@options.JSON
def command(
    target: str | None,
    operations_address: str | None,
    config_path: str | None,
    **given: Unpack[JobOptions],
) -> None:
    """Send envelopes to a daemon, from FILE or from the standard input: one envelope in proto3 JSON per line.

    Lines are sent in batches, in their order, and across restarts of the daemon without loss. A line without an
    envelope_id gets one derived from its text and from the number of equal lines before it. The daemon therefore
    recognizes a file that is sent again, and delivers nothing twice. A line that is not an envelope is reported with
    the reason, and sending continues.

    Exit code 1 if a line was rejected, unreadable or could not be sent; with --wait also if an envelope became a dead
    letter or its outcome is unknown.
    """
    if given["preview"] + given["validate_only"] + given["wait"] > 1:
        raise click.UsageError("use only one of --preview, --validate-only and --wait")
    if given["file"] == STDIN and sys.stdin.isatty():
        click.echo("Reading envelopes from the terminal, one per line; end with Ctrl-D.", err=True)
    tally = Tally()
    operations = options.resolve_address(operations_address, OPERATIONS, config_path) if given["wait"] else ""
    job = SendJob(
        target=options.resolve_address(target, INGEST, config_path),
        operations=operations,
        operations_access=resolve_access(operations_address, config_path) if given["wait"] else None,
        **given,
    )
    try:
        run_interruptible(job.run(tally))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
    except CommandFailed:
        if tally.sent:
            _print_summary(tally, job)
        raise
    _print_summary(tally, job)
    sys.exit(0 if tally.successful else EXIT_FAILED)


def _print_summary(tally: Tally, job: SendJob) -> None:
    if job.as_json:
        click.echo(tally.summary_json())
        return
    click.echo(tally.summary("checked" if job.preview or job.validate_only else "sent"))
    if job.wait:
        click.echo(tally.outcome_summary())
