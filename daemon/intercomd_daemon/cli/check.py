"""`intercomd check`: validates the settings and what they refer to, and reports every problem at once."""

import asyncio
import os
import sys
from datetime import UTC, datetime

import click

from intercomd_daemon import config
from intercomd_daemon.cli import options, preflight
from intercomd_daemon.cli.certificate_check import check_certificates
from intercomd_daemon.cli.exits import EXIT_CONFIGURATION, EXIT_FAILED
from intercomd_daemon.cli.format import printable, quantity
from intercomd_daemon.cli.gateway_check import check_gateway
from intercomd_daemon.cli.layout import wrap_text
from intercomd_daemon.cli.output import output_width, print_json
from intercomd_daemon.cli.preflight import CheckResult, Severity
from intercomd_daemon.errors import SettingsInvalid

COLOURS = {Severity.OK: "green", Severity.NOTE: "yellow", Severity.UNKNOWN: "yellow", Severity.WRONG: "red"}
EPILOG = options.examples("intercomd check --config intercomd.toml", "intercomd check --offline")


@click.command("check", epilog=EPILOG)
@options.CONFIG
@click.option("--offline", is_flag=True, help="Check only the settings: no files, no disk, no call to Intercom.")
@options.JSON
def command(config_path: str | None, offline: bool, as_json: bool) -> None:
    """Validate the settings and what they refer to; report every problem with its fix.

    The command checks syntax and meaning of the settings. If they are valid, it checks the spool's folder and disk,
    the listeners' addresses, certificates, tokens and traces, and with Intercom the workspace of each access token and
    how many custom attributes are in use. It changes nothing.

    Exit code 0: no problem. 78: something is wrong. 1: nothing is known to be wrong, but Intercom did not answer.
    """
    findings = collect_findings(config_path, offline=offline)
    for finding in findings:
        if as_json:
            print_json(finding.as_json())
        else:
            level = f"{finding.level.value:<9}"
            text = f"{finding.subject}: {printable(finding.message, characters_max=None)}"
            first, *rest = wrap_text(text, output_width(), level, " " * len(level))
            click.echo(click.style(level, fg=COLOURS[finding.level]) + first[len(level) :])
            for line in rest:
                click.echo(line)
    sys.exit(exit_code_of(findings))


def collect_findings(config_path: str | None, *, offline: bool) -> list[CheckResult]:
    """Returns all findings. What invalid settings refer to is not checked."""
    try:
        loaded = config.load(config_path, os.environ)
    except SettingsInvalid as error:
        return [CheckResult(Severity.WRONG, "settings", problem) for problem in error.problems]
    findings = [CheckResult(Severity.NOTE, "settings", warning) for warning in loaded.warnings]
    names = ", ".join(loaded.settings.connections)
    connections = quantity(len(loaded.settings.connections), "connection")
    source = config_path or "environment and defaults"
    findings.append(CheckResult(Severity.OK, "settings", f"{source}: {connections} ({names})"))
    if not offline:
        findings += preflight.check_spool(loaded.settings.spool)
        findings += preflight.check_listeners(loaded.settings)
        findings += preflight.check_tls(loaded.settings)
        findings += check_certificates(loaded.settings, datetime.now(UTC))
        findings += preflight.check_tokens(loaded.settings)
        findings += asyncio.run(preflight.check_traces(loaded.settings, os.environ))
        check_target = check_gateway if loaded.settings.upstream.on else preflight.check_connections
        findings += asyncio.run(check_target(loaded.settings))
    return findings


def exit_code_of(findings: list[CheckResult]) -> int:
    """Returns the exit code of the most severe finding."""
    levels = {finding.level for finding in findings}
    if Severity.WRONG in levels:
        return EXIT_CONFIGURATION
    return EXIT_FAILED if Severity.UNKNOWN in levels else 0
