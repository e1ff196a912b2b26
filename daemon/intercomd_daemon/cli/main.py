"""The command `intercomd`: which subcommands there are, each loaded only when it is called.

A daemon that starts pays for no command but `run`; a command pays for no daemon.
"""

import os
from importlib import import_module
from types import MappingProxyType

import click

# Name to module and to what the overview says: what stands in a module is only imported when it is called.
COMMANDS = MappingProxyType(
    {
        "run": ("run", "Run the daemon."),
        "check": ("check", "Validate the settings and the world around them."),
        "config": ("config", "Show the settings in force, and where each comes from."),
        "demo": ("demo", "See the whole job, with a sandbox in Intercom's place."),
        "sandbox": ("sandbox", "Run the stand-in for Intercom alone."),
        "send": ("send", "Send envelopes from a file or a pipe."),
        "status": ("status", "Show the spool, the connections and the budget."),
        "watch": ("watch", "Show outcomes as they happen."),
        "explain": ("explain", "Say what became of a user or an envelope."),
        "dead-letters": ("dead_letters", "List, show, replay and discard dead letters."),
        "spool": ("spool", "Verify, export or repair a spool that no daemon has open."),
        "healthcheck": ("healthcheck", "Ask a daemon whether it is healthy; exit 0 or 1."),
    }
)


class Commands(click.Group):
    """The subcommands, by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of a newcomer's way."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Loads a command."""
        if cmd_name not in COMMANDS:
            return None
        # gRPC reads it when it is imported. Of its own lines on stderr, in a format of its own, what matters is an
        # error of ours as well.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        module = import_module(f"intercomd_daemon.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """The overview, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="intercomd", prog_name="intercomd")
def main() -> None:
    """Hand customer events, identities and attributes to Intercom: durably, in order, at the fewest calls.

    Try `intercomd demo` first: it needs no account and no network.
    """
