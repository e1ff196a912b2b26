"""Tests the errors that end a command."""

import click
import pytest
from click.testing import CliRunner

from intercomd_daemon.cli.exits import CommandFailed, ConfigurationInvalid


@pytest.mark.parametrize(
    ("failure", "code"), [(CommandFailed("no answer"), 1), (ConfigurationInvalid("no answer"), 78)]
)
def test_error_prints_one_line_and_sets_the_exit_code(failure: click.ClickException, code: int) -> None:
    @click.command()
    def command() -> None:
        raise failure

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output) == (code, "Error: no answer\n")
