"""Tests the daemon's process; tests/e2e runs whole daemons."""

from pathlib import Path

import pytest

from intercomd_daemon.__main__ import is_plain_run


def test_run_without_a_file_or_with_one_needs_no_click(tmp_path: Path) -> None:
    file = tmp_path / "intercomd.toml"
    file.touch()
    assert is_plain_run(["run"])
    assert is_plain_run(["run", "--config", str(file)])


@pytest.mark.parametrize(
    "words", [[], ["status"], ["run", "--help"], ["run", "--config"], ["run", "--config", "/"], ["run", "--confg", "x"]]
)
def test_other_commands_and_mistakes_are_left_to_click(words: list[str]) -> None:
    assert not is_plain_run(words)


def test_file_that_is_missing_is_left_to_click(tmp_path: Path) -> None:
    assert not is_plain_run(["run", "--config", str(tmp_path / "intercomd.toml")])
