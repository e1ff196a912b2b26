"""`intercomd config`: prints the settings in effect, each with its origin."""

import os

import click

from intercomd_daemon import config
from intercomd_daemon.cli import options
from intercomd_daemon.cli.exits import EXIT_CONFIGURATION
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import print_json, print_table
from intercomd_daemon.errors import SettingsInvalid

COLUMNS = (Column("setting", style="bold"), Column("value", typical=14), Column("from", style="dim", typical=13))


@click.command("config", epilog=options.examples("INTERCOMD_LOG_LEVEL=debug intercomd config --config intercomd.toml"))
@options.CONFIG
@options.JSON
def command(config_path: str | None, as_json: bool) -> None:
    """Print the settings in effect, and where each comes from: the file, a variable or the default.

    Secrets are masked. If settings are invalid, every problem is reported with its fix, and the exit code is 78.
    """
    loaded = load_or_exit(config_path)
    rows = config.describe(loaded)
    if as_json:
        for row in rows:
            print_json(row._asdict())
    else:
        print_table(COLUMNS, rows)


def load_or_exit(config_path: str | None) -> config.LoadedSettings:
    """Returns the settings and prints warnings. Invalid settings end the command with exit code 78."""
    try:
        loaded = config.load(config_path, os.environ)
    except SettingsInvalid as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(EXIT_CONFIGURATION) from None
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded
