"""`intercomd send`: envelopes from a file or a pipe to a daemon."""

import asyncio
import sys
from typing import TypedDict, Unpack

import click

from intercomd_daemon.cli import options
from intercomd_daemon.cli.addresses import INGEST, OPERATIONS
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.main import EXIT_FAILED
from intercomd_daemon.cli.remote import resolved
from intercomd_daemon.cli.sending.job import STDIN, Job
from intercomd_daemon.cli.sending.report import summary_json
from intercomd_daemon.cli.sending.tally import Tally

EPILOG = options.examples(
    "intercomd send envelopes.jsonl",
    "intercomd send --wait --rejected mend.jsonl envelopes.jsonl",
    """echo '{"identity":{"customer_id":"42"},"custom_event":{"name":"signed-up"}}' | intercomd send --preview -""",
)


class Asked(TypedDict):
    """What the options were given, as the job takes them."""

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
    help="Where the daemon takes envelopes (gRPC), host:port or unix:path.  "
    "[default: ingest.listen of the settings, 127.0.0.1:50051]",
)
@click.option(
    "--operations",
    "operations_address",
    metavar="ADDR",
    help="For --wait: where it answers operators.  [default: operations.grpc_listen of the settings, 127.0.0.1:9091]",
)
@options.CONFIG
@click.option("--connection", default="", metavar="NAME", help="The connection of envelopes that name none.")
@click.option("--validate-only", is_flag=True, help="Only say what would become of each; nothing is taken.")
@click.option("--preview", is_flag=True, help="Only print the calls to Intercom that each would become.")
@click.option("--wait", is_flag=True, help="Wait until every accepted envelope has its outcome.")
@click.option(
    "--rejected",
    "rejected_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True),
    help="Write the rejected and the unreadable lines to this file, to mend and to send again.",
)
@options.patience("10m", "giving up")
@options.JSON
def command(
    target: str | None,
    operations_address: str | None,
    config_path: str | None,
    **asked: Unpack[Asked],
) -> None:
    """Send envelopes to a daemon: a file, or with - the standard input, with one envelope as proto3 JSON a line.

    Lines go in batches and in their order, and over restarts of the daemon without loss. A line without an envelope_id
    gets one that is made of its text (and of how many equal lines come before it): the same file sent again is
    recognised, and nothing is delivered twice. A line that is no envelope is named with the reason, and the rest goes
    on.

    Exit code 1 if a line was rejected or unreadable, or could not be sent; with --wait also if one became a dead
    letter, or its outcome is not known.
    """
    if asked["preview"] + asked["validate_only"] + asked["wait"] > 1:
        raise click.UsageError("--preview, --validate-only and --wait exclude one another")
    if asked["file"] == STDIN and sys.stdin.isatty():
        click.echo("Reading envelopes from the terminal, one a line; Ctrl-D ends it.", err=True)
    tally = Tally()
    operations = resolved(operations_address, OPERATIONS, config_path) if asked["wait"] else ""
    job = Job(target=resolved(target, INGEST, config_path), operations=operations, **asked)
    try:
        asyncio.run(job.run(tally))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
    except Failed:
        if tally.sent:
            _summarise(tally, job)
        raise
    _summarise(tally, job)
    sys.exit(0 if tally.well else EXIT_FAILED)


def _summarise(tally: Tally, job: Job) -> None:
    if job.as_json:
        click.echo(summary_json(tally))
        return
    click.echo(tally.summary("sent" if job.takes else "looked at"))
    if job.wait:
        click.echo(tally.outcome_summary())
