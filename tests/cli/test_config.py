"""Tests `intercomd config`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from intercomd_daemon.cli.main import main

TOKEN = "a-secret-token"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "intercomd.toml"
    path.write_text(f'[log]\nlevel = "debug"\n[connections.default]\napp_id = "abc"\naccess_token = "{TOKEN}"\n')
    return path


def test_config_shows_value_and_origin(path: Path) -> None:
    result = CliRunner().invoke(main, ["config", "--config", str(path)], env={"INTERCOMD_LOG_FORMAT": "console"})
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert result.exit_code == 0
    assert rows["log.level"] == ['"debug"', str(path)]
    assert rows["log.format"] == ['"console"', "INTERCOMD_LOG_FORMAT"]
    assert rows["spool.lock_wait"][1] == "default"


@pytest.mark.parametrize("columns", [80, 140])
def test_config_keeps_values_whole_within_the_terminal(path: Path, columns: int) -> None:
    environment = {"COLUMNS": str(columns), "INTERCOMD_OPERATIONS_GRPC_LISTEN": "127.0.0.1:19091"}
    result = CliRunner().invoke(main, ["config", "--config", str(path)], env=environment)
    rows = [line for line in result.stdout.splitlines() if str(path) not in line and "placeholder" not in line]
    assert "INTERCOMD_OPERATIONS_GRPC_LISTEN" in result.stdout
    assert '["null", "undefined", "nan", "none", "nil", "(null)", "[object object]", "true", "false"]' in result.stdout
    assert max(len(line) for line in rows if "[object object]" not in line) <= columns


def test_config_json_has_a_line_for_each_setting(path: Path) -> None:
    result = CliRunner().invoke(main, ["config", "--config", str(path), "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"key": "connections.default.app_id", "value": '"abc"', "origin": str(path)} in rows


def test_config_masks_tokens_and_warns_of_one_in_the_file(path: Path) -> None:
    result = CliRunner().invoke(main, ["config", "--config", str(path)])
    assert TOKEN not in result.output
    assert "warning: connections.default.access_token" in result.stderr


def test_config_reports_all_invalid_settings(tmp_path: Path) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text('[log]\nlevel = "loud"\nformt = "json"\n')
    result = CliRunner().invoke(main, ["config", "--config", str(path)])
    assert (result.exit_code, result.stdout) == (78, "")
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == ["log.formt", "log.level", "connections"]
