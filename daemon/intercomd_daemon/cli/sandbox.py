"""`intercomd sandbox`: the stand-in for Intercom alone, for anybody's integration tests."""

import asyncio
from contextlib import suppress

import click

from intercomd_daemon.cli import options
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.json_lines import print_json
from intercomd_daemon.cli.words import plain
from intercomd_daemon.sandbox import Call, Fault, FaultSyntaxError, Sandbox, SandboxSettings, parse_fault

PORT = 9080
DEFAULTS = SandboxSettings()
EPILOG = options.examples(
    "intercomd sandbox --rate 20 --calls",
    'intercomd sandbox --fault "POST /events 503 times=3" --fault "* 429 probability=0.05"',
    'intercomd sandbox --port 0 --fault "POST /contacts cut-after times=1" --json',
)


def _fault(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[Fault]:
    try:
        return [parse_fault(text) for text in texts]
    except FaultSyntaxError as error:
        raise click.BadParameter(str(error)) from None


@click.command("sandbox", epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="Where to listen; 0: any free port."
)
@click.option(
    "--rate",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Calls allowed in 10 s, then 429; 0: any number. Intercom's real ones are 83 and 167.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_fault,
    metavar="TEXT",
    help='What goes wrong: "METHOD /path status action option=value ..."; may be repeated.',
)
@click.option("--app-id", default=DEFAULTS.app_id, show_default=True, help="The App ID of the workspace that it plays.")
@click.option("--access-token", default=DEFAULTS.access_token, show_default=True, help="The token that it accepts.")
@click.option("--calls", "show_calls", is_flag=True, help="Print each call that comes in.")
@options.JSON
def command(
    host: str,
    port: int,
    rate: int,
    faults: list[Fault],
    app_id: str,
    access_token: str,
    show_calls: bool,
    as_json: bool,
) -> None:
    """Run a stand-in for Intercom: a real HTTP server that behaves as Intercom is documented to, until Ctrl-C.

    It keeps contacts, custom attributes and events in memory, answers with Intercom's errors and rate headers, and
    refuses what Intercom's description does not allow. GET /_sandbox/state, /calls, /contacts and /events below its
    address tell what came in; POST /_sandbox/reset forgets it.
    """
    settings = SandboxSettings(app_id=app_id, access_token=access_token, rate_limit=rate)
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(Sandbox(settings), host, port, faults, show_calls, as_json))


async def _run(sandbox: Sandbox, host: str, port: int, faults: list[Fault], show_calls: bool, as_json: bool) -> None:
    try:
        await sandbox.start(host, port)
    except OSError as error:
        raise Failed(f"cannot listen on {host}:{port} ({error.strerror}); choose another port with --port") from None
    try:
        for fault in faults:
            sandbox.fault(fault)
        _introduce(sandbox, as_json)
        await _follow(sandbox, as_json) if show_calls else await asyncio.get_running_loop().create_future()
    finally:
        await sandbox.stop()


def _introduce(sandbox: Sandbox, as_json: bool) -> None:
    settings = sandbox.settings
    if as_json:
        print_json({"base_url": sandbox.base_url, "access_token": settings.access_token, "app_id": settings.app_id})
        return
    click.echo(f"Intercom's sandbox answers at {sandbox.base_url}; Ctrl-C ends it.\n")
    click.echo("Settings for a daemon that uses it:\n")
    click.echo("[connections.default]")
    click.echo(f'app_id = "{settings.app_id}"')
    click.echo(f'access_token = "{settings.access_token}"')
    click.echo(f'base_url = "{sandbox.base_url}"\n')
    click.echo(f"What came in: {sandbox.base_url}/_sandbox/state")


async def _follow(sandbox: Sandbox, as_json: bool) -> None:
    """Prints each call as it comes in."""
    shown = 0

    def grown(playing: Sandbox) -> bool:
        return playing.record.count > shown

    while True:
        await sandbox.wait_for(grown, timeout_seconds=float("inf"))
        for call in sandbox.calls[shown - sandbox.record.count :]:
            print_json(call.as_json()) if as_json else _show(call)
        shown = sandbox.record.count


def _show(call: Call) -> None:
    fault = f"  ({call.fault})" if call.fault else ""
    colour = "green" if 200 <= call.status < 300 else "red"
    status = click.style(str(call.status or "cut"), fg=colour)
    click.echo(f"{call.method} {plain(call.path)} {status}{fault}  {plain(call.body.decode(errors='replace'))}")
