"""`intercomd check`: everything that is wrong with the settings, and with the world around them, at once."""

import asyncio
import os
import sys

import click

from intercomd_daemon import config
from intercomd_daemon.cli import options, world
from intercomd_daemon.cli.findings import Finding, Level
from intercomd_daemon.cli.json_lines import print_json
from intercomd_daemon.cli.main import EXIT_CONFIGURATION, EXIT_FAILED
from intercomd_daemon.cli.words import counted, plain
from intercomd_daemon.errors import SettingsInvalid

COLOURS = {Level.OK: "green", Level.NOTE: "yellow", Level.UNKNOWN: "yellow", Level.WRONG: "red"}
EPILOG = options.examples("intercomd check --config intercomd.toml", "intercomd check --offline")


@click.command("check", epilog=EPILOG)
@options.CONFIG
@click.option("--offline", is_flag=True, help="Look at the settings alone: no file, no disk, no call to Intercom.")
@options.JSON
def command(config_path: str | None, offline: bool, as_json: bool) -> None:
    """Check the settings, and the world that they speak of; name everything that is wrong, with the remedy.

    The settings first: syntax and meaning. Then the spool's folder and disk, the access tokens, and with Intercom: the
    workspace that each token belongs to, and how many of its custom attributes are in use. Nothing is changed.

    Exit code 0: all is well. 78: something is wrong. 1: nothing is wrong, but Intercom could not be asked.
    """
    found = settings_findings(config_path, offline=offline)
    for finding in found:
        if as_json:
            print_json(finding.as_json())
        else:
            show(finding)
    sys.exit(exit_code_of(found))


def settings_findings(config_path: str | None, *, offline: bool) -> list[Finding]:
    """All that is found; the world is only looked at if the settings make sense."""
    try:
        loaded = config.load(config_path, os.environ)
    except SettingsInvalid as error:
        return [Finding(Level.WRONG, "settings", problem) for problem in error.problems]
    found = [Finding(Level.NOTE, "settings", warning) for warning in loaded.warnings]
    names = ", ".join(loaded.settings.connections)
    connections = counted(len(loaded.settings.connections), "connection")
    found.append(Finding(Level.OK, "settings", f"{config_path or 'environment and defaults'}: {connections} ({names})"))
    if not offline:
        found += world.spool_findings(loaded.settings.spool)
        found += asyncio.run(world.connection_findings(loaded.settings))
    return found


def show(finding: Finding) -> None:
    """One line."""
    level = click.style(f"{finding.level.value:<8}", fg=COLOURS[finding.level])
    click.echo(f"{level}{finding.subject}: {plain(finding.message, characters_max=None)}")


def exit_code_of(found: list[Finding]) -> int:
    """The worst of what was found decides."""
    levels = {finding.level for finding in found}
    if Level.WRONG in levels:
        return EXIT_CONFIGURATION
    return EXIT_FAILED if Level.UNKNOWN in levels else 0
