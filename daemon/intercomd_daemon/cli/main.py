"""The command `intercomd`. Each subcommand is imported only when it is called, so that every one starts fast."""

import errno
import os
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from intercomd_daemon.errors import EXIT_FAILED


class Subcommand(NamedTuple):
    """A subcommand."""

    module: str
    text: str
    """The line of the overview."""
    attribute: str = "command"
    """Name of the command in its module."""


COMMANDS = MappingProxyType(
    {
        "run": Subcommand("run", "Run the daemon."),
        "check": Subcommand("check", "Validate the settings and what they refer to."),
        "config": Subcommand("config", "Show the settings in effect and their origins."),
        "demo": Subcommand("demo", "See everything work against a sandbox."),
        "sandbox": Subcommand("sandbox", "Run a stand-in for Intercom, for tests."),
        "send": Subcommand("send", "Send envelopes from a file or a pipe."),
        "status": Subcommand("status", "Show the spool, connections and rate limits."),
        "watch": Subcommand("watch", "Show outcomes as they happen."),
        "explain": Subcommand("explain", "Explain what became of a user's envelopes."),
        "dead-letters": Subcommand("dead_letters", "List, show, replay and discard dead letters."),
        "pause": Subcommand("connections", "Pause the calls of a connection.", "pause"),
        "resume": Subcommand("connections", "Resume the calls of a connection.", "resume"),
        "retry": Subcommand("connections", "Probe a suspended or down connection now.", "retry"),
        "give-up": Subcommand("give_up", "End a waiting envelope as a dead letter."),
        "reload": Subcommand("reload", "Make a daemon read its settings again."),
        "drain": Subcommand("drain", "Make a daemon refuse new calls, before a stop."),
        "spool": Subcommand("spool", "Verify, export, repair or copy a spool."),
        "token": Subcommand("token", "Make a token for a caller, and its hash."),
        "healthcheck": Subcommand("healthcheck", "Check a daemon's health; exit 0 or 1."),
    }
)


_OUTPUT_FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a write to a file. If the reader of a pipe has gone, click ends the command quietly."""


class Commands(click.Group):
    """Looks up subcommands by name."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's signature
        """Runs the command, and reports that its output cannot be written."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in _OUTPUT_FAILURES or error.filename is not None:
                raise
            with suppress(OSError):
                click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
            # Python would write the rest when it ends, and report the error again.
            os._exit(EXIT_FAILED)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Returns the names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Imports a command."""
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"intercomd_daemon.cli.{entry.module}"), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Writes the overview without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="intercomd", prog_name="intercomd")
def main() -> None:
    """Forward customer events, identities and attributes to Intercom: durably, in order, with the fewest calls.

    Try `intercomd demo` first: it needs no account and no network.
    """
