"""Tests the shared options."""

import click
import pytest
from click.testing import CliRunner

from intercomd_daemon.cli import options
from intercomd_daemon.cli.main import main


@click.command(epilog=options.examples("one", "two"))
@options.patience("5m", "the end")
def command(patience_seconds: float) -> None:
    click.echo(f"{patience_seconds:g}")


@click.command()
@options.operations
def address_command(address: str) -> None:
    click.echo(address)


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (("--operations", "host:1", "--config", "/nowhere.toml"), {}, "host:1"),
        ((), {"INTERCOMD_OPERATIONS_GRPC_LISTEN": "host:2"}, "host:2"),
        ((), {}, "127.0.0.1:9091"),
    ],
    ids=["command line", "settings", "default"],
)
def test_operations_address_is_given_or_of_the_settings(
    arguments: tuple[str, ...], variables: dict[str, str], expected: str
) -> None:
    result = CliRunner().invoke(address_command, arguments, env=variables)
    assert (result.exit_code, result.output) == (0, f"{expected}\n")


def test_operations_address_that_cannot_be_found_exits_with_78() -> None:
    result = CliRunner().invoke(address_command, ["--config", "/nowhere.toml"])
    assert (result.exit_code, result.output.count("\n")) == (78, 1)


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


def texts(command: click.Command) -> list[click.Parameter]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        names = command.list_commands(context)
        return [text for name in names for text in texts(command.get_command(context, name) or command)]
    return [parameter for parameter in command.params if parameter.type is click.STRING]


def test_text_of_every_command_is_checked_to_be_utf_8() -> None:
    """Options that parse their text themselves have a callback and report their own error."""
    assert [parameter.name for parameter in texts(main) if parameter.callback is None] == []


@pytest.mark.parametrize("words", [["explain"], ["dead-letters", "show"], ["watch", "--email"], ["status", "--target"]])
def test_text_that_is_not_utf_8_is_a_usage_error(words: list[str]) -> None:
    result = CliRunner().invoke(main, [*words, "\udcff"])
    assert (result.exit_code, "b'\\xff' is not UTF-8" in result.output) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--config"],
        ["check", "--config"],
        ["config", "--config"],
        ["status", "--operations"],
        ["pause", "default", "--target"],
        ["send", "-", "--target"],
        ["send", "-", "--operations"],
        ["healthcheck", "--target"],
        ["explain", "1", "--gateway"],
    ],
)
@pytest.mark.parametrize("blank", ["", " "])
def test_blank_address_or_settings_file_is_a_usage_error(words: list[str], blank: str) -> None:
    """The default, in place of an unset shell variable, might be another daemon."""
    result = CliRunner().invoke(main, [*words, blank])
    assert (result.exit_code, "it is blank: is a shell variable unset?" in result.output) == (2, True)
