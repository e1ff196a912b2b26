"""`intercomd sandbox`: runs the stand-in for Intercom alone, for integration tests."""

import asyncio
from contextlib import suppress

import click

from intercomd_daemon.cli import options
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.output import print_json
from intercomd_daemon.cli.signals import run_interruptible
from intercomd_daemon.sandbox import (
    Fault,
    FaultSyntaxError,
    ReceivedCall,
    Recorded,
    Sandbox,
    SandboxSettings,
    parse_fault,
)

PORT = 9080
DEFAULTS = SandboxSettings()
ALL = "all"
EPILOG = options.examples(
    "intercomd sandbox --rate 20 --calls",
    'intercomd sandbox --fault "POST /events 503 times=3" --fault "* 429 after=9"',
    "intercomd sandbox --rate 167 --without remaining-before --without reset-late",
    'intercomd sandbox --port 0 --fault "POST /contacts cut-after times=1" --json',
)


def _parse_faults(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[Fault]:
    try:
        return [parse_fault(text) for text in texts]
    except FaultSyntaxError as error:
        raise click.BadParameter(str(error)) from None


def _recorded(_context: click.Context, _parameter: click.Parameter, without: tuple[str, ...]) -> frozenset[Recorded]:
    return frozenset(answer for answer in Recorded if not {ALL, answer.value} & set(without))


@click.command("sandbox", epilog=EPILOG)
@click.option("--host", default="127.0.0.1", type=options.TEXT, show_default=True, help="Host to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@click.option(
    "--rate",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Calls allowed in 10 s, after which it answers 429; 0: no limit. Intercom allows 83 or 167.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_parse_faults,
    metavar="TEXT",
    help='Fault to inject: "METHOD /path status action option=value ..."; repeatable.',
)
@click.option(
    "--without",
    "recorded",
    multiple=True,
    callback=_recorded,
    type=click.Choice([ALL, *(answer.value for answer in Recorded)]),
    metavar="NAME",
    help="Recorded answer to replace by the other one, as listed above; repeatable.",
)
@click.option(
    "--app-id", default=DEFAULTS.app_id, type=options.TEXT, show_default=True, help="App ID of the workspace."
)
@click.option(
    "--access-token",
    default=DEFAULTS.access_token,
    type=options.TEXT,
    show_default=True,
    help="Access token that it accepts.",
)
@click.option("--calls", "show_calls", is_flag=True, help="Print each call.")
@options.JSON
def command(  # noqa: PLR0913, PLR0917 - one for each option
    host: str,
    port: int,
    rate: int,
    faults: list[Fault],
    recorded: frozenset[Recorded],
    app_id: str,
    access_token: str,
    show_calls: bool,
    as_json: bool,
) -> None:
    """Run a stand-in for Intercom, until Ctrl-C: an HTTP server that behaves as Intercom is documented to.

    It keeps contacts, custom attributes and events in memory, answers with Intercom's errors and rate limit headers,
    and rejects requests that Intercom's API description does not allow. Below /_sandbox, GET /state, /calls, /contacts
    and /events return what it has received; POST /reset deletes it.

    A --fault names a method or *, a path prefix, a status, an action and options, in this order; all but the method may
    be left out:

    \b
      actions  answer, cut-before, cut-after, cut-middle, hang,
               hang-after, empty, not-json, html, text, other-json,
               errors, truncated, garbled, utf-16, bom, wrong-type,
               huge, slow
      which    times=3 after=9 probability=0.05 containing=TEXT
      what     delay=250ms over=2s size=8MiB header-size=64KiB
               code=CODE message=TEXT body=TEXT header=Retry-After:7

    Where sources disagree, it gives the answers that were recorded with version 2.3 of the API. --without NAME plays
    the other answer, so that a client can be tested with both:

    \b
      shared-email       PUT of another user's email: 200 if both have
                         an external_id; other: 409
      archived-update    PUT on an archived user, or of the identity of
                         one: 200; other: 404, 409
      deleted-marked     create after DELETE: 409, unarchive: 400;
                         other: 200, 404
      remaining-before   X-RateLimit-Remaining counts before the call;
                         other: after it
      reset-late         X-RateLimit-Reset is 2 s after the end of the
                         window; other: at its end
      user-stays-user    PUT role "lead" on a user: 400; other: 200
      external-id-stays  PUT external_id null on a user: 200, kept;
                         other: cleared
      email-emptied      PUT email null: stored as ""; other: null
      lead-null          null in a lead's custom attributes: 200,
                         cleared; other: 400
      all                all of these
    """  # noqa: D301 - click reads the backspace
    settings = SandboxSettings(app_id=app_id, access_token=access_token, rate_limit=rate, recorded=recorded)
    with suppress(KeyboardInterrupt):
        run_interruptible(_run(Sandbox(settings), host, port, faults, show_calls, as_json))


async def _run(sandbox: Sandbox, host: str, port: int, faults: list[Fault], show_calls: bool, as_json: bool) -> None:
    try:
        await sandbox.start(host, port)
    except OSError as error:
        message = f"cannot listen on {host}:{port} ({error.strerror}); choose another port with --port"
        raise CommandFailed(message) from None
    try:
        for fault in faults:
            sandbox.fault(fault)
        _print_settings(sandbox, as_json)
        await _print_calls(sandbox, as_json) if show_calls else await asyncio.get_running_loop().create_future()
    finally:
        await sandbox.stop()


def _print_settings(sandbox: Sandbox, as_json: bool) -> None:
    settings = sandbox.settings
    if as_json:
        print_json({"base_url": sandbox.base_url, "access_token": settings.access_token, "app_id": settings.app_id})
        return
    click.echo(f"The Intercom sandbox listens at {sandbox.base_url}; Ctrl-C ends it.\n")
    click.echo("Settings for a daemon that uses it:\n")
    click.echo("[connections.default]")
    click.echo(f'app_id = "{settings.app_id}"')
    click.echo(f'access_token = "{settings.access_token}"')
    click.echo(f'base_url = "{sandbox.base_url}"\n')
    click.echo(f"Received data: {sandbox.base_url}/_sandbox/state")


async def _print_calls(sandbox: Sandbox, as_json: bool) -> None:
    """Prints each call as it arrives."""
    printed = 0

    def has_new_calls(running: Sandbox) -> bool:
        return running.record.count > printed

    while True:
        await sandbox.wait_for(has_new_calls, timeout_seconds=float("inf"))
        for call in sandbox.calls[printed - sandbox.record.count :]:
            print_json(call.as_json()) if as_json else _print_call(call)
        printed = sandbox.record.count


def _print_call(call: ReceivedCall) -> None:
    fault = f"  ({call.fault})" if call.fault else ""
    colour = "green" if 200 <= call.status < 300 else "red"
    status = click.style(str(call.status or "cut"), fg=colour)
    line = f"{call.method} {printable(call.path)} {status}{fault}  {printable(call.body.decode(errors='replace'))}"
    click.echo(line.rstrip(" "))
