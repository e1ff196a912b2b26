"""Exit codes, and the errors that end a command with one of them.

0: success. 1: failure. 2: usage error, raised by click. 78: invalid configuration (EX_CONFIG of sysexits.h).
"""

import click

from intercomd_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED

__all__ = ["EXIT_CONFIGURATION", "EXIT_FAILED", "CommandFailed", "ConfigurationInvalid"]


class CommandFailed(click.ClickException):
    """The command failed for a reason outside the settings. Prints one line and exits with 1."""

    exit_code = EXIT_FAILED


class ConfigurationInvalid(click.ClickException):
    """The settings are invalid. Prints one line with the fix and exits with 78."""

    exit_code = EXIT_CONFIGURATION
