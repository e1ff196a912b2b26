"""How commands end that cannot do what they were asked."""

import click
import pytest
from click.testing import CliRunner

from intercomd_daemon.cli.failures import Failed, Misconfigured


@pytest.mark.parametrize(("failure", "code"), [(Failed("no answer"), 1), (Misconfigured("no answer"), 78)])
def test_one_line_and_the_code_that_scripts_know(failure: click.ClickException, code: int) -> None:
    @click.command()
    def command() -> None:
        raise failure

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output) == (code, "Error: no answer\n")
