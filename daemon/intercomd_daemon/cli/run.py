"""`intercomd run`: runs the daemon until SIGTERM or SIGINT; a second signal stops it at once, SIGHUP reloads.

`__main__.py` starts a plain `run` without this module.
"""

import sys

import click

from intercomd_daemon.app import process
from intercomd_daemon.cli import options


@click.command("run", epilog=options.examples("intercomd run --config intercomd.toml"))
@click.option(
    "--config",
    "path",
    type=options.SettingsFile(dir_okay=False),
    help="Settings file (TOML); without it: environment and defaults.",
)
def command(path: str | None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    It accepts envelopes over gRPC, stores them on disk, and forwards them to Intercom. On SIGTERM it finishes open
    calls and exits with 0. A second signal ends it at once, also without loss. On SIGHUP it reads the settings again.
    """
    sys.exit(process.run(path))
