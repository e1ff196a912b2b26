"""The command `intercomd`. Each subcommand is imported only when it is called, so that every one starts fast."""

import os
from importlib import import_module
from types import MappingProxyType

import click

# By name: the module, and the line of the overview.
COMMANDS = MappingProxyType(
    {
        "run": ("run", "Run the daemon."),
        "check": ("check", "Validate the settings and what they refer to."),
        "config": ("config", "Show the settings in effect and their origins."),
        "demo": ("demo", "See everything work against a sandbox."),
        "sandbox": ("sandbox", "Run a stand-in for Intercom, for tests."),
        "send": ("send", "Send envelopes from a file or a pipe."),
        "status": ("status", "Show the spool, connections and rate limits."),
        "watch": ("watch", "Show outcomes as they happen."),
        "explain": ("explain", "Explain what became of a user's envelopes."),
        "dead-letters": ("dead_letters", "List, show, replay and discard dead letters."),
        "reload": ("reload", "Make a daemon read its settings again."),
        "drain": ("drain", "Make a daemon refuse new calls, before a stop."),
        "spool": ("spool", "Verify, export or repair a closed spool."),
        "healthcheck": ("healthcheck", "Check a daemon's health; exit 0 or 1."),
    }
)


class Commands(click.Group):
    """Looks up subcommands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Returns the names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Imports a command."""
        if cmd_name not in COMMANDS:
            return None
        # gRPC reads this variable when it is imported. It would print its own lines to stderr, about errors that our
        # commands report themselves.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        module = import_module(f"intercomd_daemon.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Writes the overview without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="intercomd", prog_name="intercomd")
def main() -> None:
    """Forward customer events, identities and attributes to Intercom: durably, in order, with the fewest calls.

    Try `intercomd demo` first: it needs no account and no network.
    """
