"""How a command ends when it cannot do what it was asked: one line for a person, and the exit code for a script."""

import click

from intercomd_daemon.cli.main import EXIT_CONFIGURATION, EXIT_FAILED


class Failed(click.ClickException):
    """Something outside of the settings stands in the way."""

    exit_code = EXIT_FAILED


class Misconfigured(click.ClickException):
    """The settings are wrong; the message holds the remedy."""

    exit_code = EXIT_CONFIGURATION
