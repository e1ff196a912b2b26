"""Tests `intercomd check`."""

import json
from pathlib import Path

import pytest

from daemons.commands import invoke
from intercomd_daemon.cli.check import exit_code_of
from intercomd_daemon.cli.preflight import CheckResult, Severity
from intercomd_daemon.sandbox import Sandbox
from tls.certificates import Files

SETTINGS = """
[spool]
url = "sqlite:{folder}/spool.db"
free_bytes_min = "0B"
[connections.default]
app_id = "{app_id}"
access_token_file = "{folder}/token"
base_url = "{base_url}"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("sandbox-token\n")
    return tmp_path / "intercomd.toml"


def write(path: Path, sandbox: Sandbox, app_id: str = "sandbox") -> None:
    path.write_text(SETTINGS.format(folder=path.parent, app_id=app_id, base_url=sandbox.base_url))


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


def read_text(path: Path) -> str:
    return path.read_text()


async def test_check_passes_with_valid_settings(path: Path) -> None:
    async with Sandbox() as sandbox:
        write(path, sandbox)
        result = await invoke("check", "--config", path)
        assert [call.path for call in sandbox.calls] == ["/me", "/data_attributes"]
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.stdout.splitlines()} <= {"ok", "note"}


@pytest.mark.parametrize("columns", [80, 140])
async def test_check_fits_the_terminal_and_keeps_paths_whole(path: Path, columns: int) -> None:
    (path.parent / "token").unlink()
    async with Sandbox() as sandbox:
        write(path, sandbox)
        result = await invoke("check", "--config", path, env={"COLUMNS": str(columns)})
    lines = result.stdout.splitlines()
    assert str(path.parent / "token") in result.stdout
    assert [line for line in lines if len(line) > columns and len(line.split()) > 1] == []
    assert {line[:8].strip() for line in lines} <= {"ok", "note", "unknown", "wrong", ""}


async def test_check_fails_with_a_wrong_app_id(path: Path) -> None:
    async with Sandbox() as sandbox:
        write(path, sandbox, app_id="other")
        result = await invoke("check", "--config", path, "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 78
    assert [each["subject"] for each in found if each["level"] == "wrong"] == ["connection default"]


async def test_check_is_unknown_while_intercom_is_down(path: Path) -> None:
    async with Sandbox() as sandbox:
        write(path, sandbox)
    result = await invoke("check", "--config", path)
    assert (result.exit_code, "unknown  connection default" in result.stdout) == (1, True)


async def test_check_offline_reads_only_the_settings(path: Path) -> None:
    async with Sandbox() as sandbox:
        write(path, sandbox, app_id="other")
        result = await invoke("check", "--config", path, "--offline")
        assert sandbox.calls == []
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)


async def test_check_reports_all_invalid_settings(path: Path) -> None:
    write_text(path, '[log]\nlevel = "loud"\n[ingest]\nlisten = []\n')
    result = await invoke("check", "--config", path)
    assert result.exit_code == 78
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["wrong", "settings:", "log.level"],
        ["wrong", "settings:", "ingest.listen"],
        ["wrong", "settings:", "connections"],
    ]


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ((), 0),
        ((Severity.OK, Severity.NOTE), 0),
        ((Severity.OK, Severity.UNKNOWN), 1),
        ((Severity.UNKNOWN, Severity.WRONG), 78),
    ],
)
def test_exit_code_of_follows_the_most_severe_finding(levels: tuple[Severity, ...], code: int) -> None:
    assert exit_code_of([CheckResult(level, "", "") for level in levels]) == code


async def test_check_rejects_a_certificate_without_its_key(path: Path, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.key.unlink()
    async with Sandbox() as sandbox:
        write(path, sandbox)
        tls = "".join(f'{key} = "{value}"\n' for key, value in files.table.items())
        write_text(path, f"[ingest.tls]\n{tls}{read_text(path)}")
        result = await invoke("check", "--config", path)
    assert result.exit_code == 78
    assert f"ingest.tls: {files.key}: No such file or directory" in result.stdout
