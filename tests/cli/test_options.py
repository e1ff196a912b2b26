"""Tests the shared options."""

import click
import pytest
from click.testing import CliRunner

from intercomd_daemon.cli import options


@click.command(epilog=options.examples("one", "two"))
@options.patience("5m", "the end")
def command(patience_seconds: float) -> None:
    click.echo(f"{patience_seconds:g}")


@pytest.mark.parametrize(("text", "seconds"), [("90s", "90"), ("1h30m", "5400"), ("0s", "0")])
def test_patience_accepts_durations_of_the_settings(text: str, seconds: str) -> None:
    assert CliRunner().invoke(command, ["--patience", text]).output == f"{seconds}\n"


def test_patience_default_is_a_duration() -> None:
    assert CliRunner().invoke(command).output == "300\n"


@pytest.mark.parametrize("text", ["soon", "5", "-1s", "30d"])
def test_patience_rejects_an_invalid_duration(text: str) -> None:
    result = CliRunner().invoke(command, ["--patience", text])
    assert result.exit_code == 2
    assert "write" in result.output


def test_examples_are_on_separate_lines() -> None:
    assert CliRunner().invoke(command, ["--help"]).output.endswith("  Examples:\n    one\n    two\n")
