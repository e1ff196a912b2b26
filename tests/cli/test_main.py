"""Tests the command line as a whole."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from intercomd_daemon.cli.main import COMMANDS, main

# What a probe that runs every few seconds must not load.
HEAVY = ("grpc", "aiohttp", "msgspec", "google.protobuf", "rich", "structlog", "intercomd")


def invoke(*words: str) -> click.testing.Result:
    return CliRunner().invoke(main, words)


def test_help_names_every_command() -> None:
    output = invoke("--help").output
    assert [name for name in COMMANDS if f"  {name} " not in output] == []


def test_version_is_printed() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.output.startswith("intercomd, version ")) == (0, True)


def paths(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Returns the words of every command."""
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    names = command.list_commands(context)
    return [
        path,
        *(each for name in names for each in paths(command.get_command(context, name) or main, (*path, name))),
    ]


@pytest.mark.parametrize("columns", ["80", "140"])
@pytest.mark.parametrize("path", paths(main), ids=" ".join)
def test_help_of_every_command_fits_80_columns(path: tuple[str, ...], columns: str) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], env={"COLUMNS": columns})
    assert result.exit_code == 0
    assert "Example" in result.output or not path
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize("path", paths(main), ids=" ".join)
def test_help_of_every_command_is_complete(path: tuple[str, ...]) -> None:
    """Every option is explained, and no summary in a list of commands is cut."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or main
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    _, _, summaries = CliRunner().invoke(main, [*path, "--help"]).output.partition("\nCommands:\n")
    assert "..." not in summaries


@pytest.mark.parametrize("words", [("dance",), ("status", "--nonsense"), ("explain",), ("sandbox", "--port", "x")])
def test_invalid_arguments_are_usage_errors(words: tuple[str, ...]) -> None:
    assert invoke(*words).exit_code == 2


def test_healthcheck_imports_nothing_heavy() -> None:
    code = "import sys, intercomd_daemon.cli.main, intercomd_daemon.cli.healthcheck; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()  # noqa: S603 - of ours
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.parametrize("name", ["send", "status", "demo.command", "dead_letters"])
def test_commands_import_rich_only_to_draw(name: str) -> None:
    code = f"import sys, intercomd_daemon.cli.{name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()  # noqa: S603 - of ours
    assert "rich" not in modules


PRINTING = {
    "help": ["--help"],
    "help of a command": ["spool", "verify", "--help"],
    "table": ["config"],
    "JSON": ["config", "--json"],
    "text": ["check", "--offline"],
    "secret": ["token"],
    "file": ["spool", "schema"],
}
CONNECTION = {"INTERCOMD_APP_ID": "abc", "INTERCOMD_ACCESS_TOKEN": "token"}


def run(arguments: list[str], redirection: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in a shell that redirects its standard streams."""
    script = f'"$@" {redirection}'
    words = ["sh", "-c", script, "sh", sys.executable, "-m", "intercomd_daemon", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=CONNECTION, cwd=folder)  # noqa: S603


@pytest.mark.parametrize("arguments", PRINTING.values(), ids=PRINTING)
def test_output_that_cannot_be_written_is_an_error(tmp_path: Path, arguments: list[str]) -> None:
    """/dev/full is a disk without room."""
    ended = run(arguments, ">/dev/full", tmp_path)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        1,
        "Error: the output cannot be written: No space left on device",
    )
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "2>&-", "<&-"])
@pytest.mark.parametrize("arguments", PRINTING.values(), ids=PRINTING)
def test_closed_standard_streams_are_no_error(tmp_path: Path, arguments: list[str], redirection: str) -> None:
    ended = run(arguments, redirection, tmp_path)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
