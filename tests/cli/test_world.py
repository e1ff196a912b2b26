"""The world that the settings speak of: what is right there, and what is wrong."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from intercomd_daemon.cli.findings import Finding, Level
from intercomd_daemon.cli.world import connection_findings, spool_findings
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.sandbox import CustomAttribute, Sandbox, SandboxSettings
from intercomd_daemon.setting.secret import Secret
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SpoolSettings as SqliteSettings
from intercomd_daemon.spool.sqlite import open_spool

FREE = {"free_bytes_min": 0, "bytes_max": 1 << 20}


def spool(path: Path, **fields: Any) -> SpoolSettings:  # noqa: ANN401 - of the settings
    return SpoolSettings(url=f"sqlite:{path}", **(FREE | fields))


def levels(found: list[Finding]) -> list[Level]:
    return [finding.level for finding in found]


def connection(sandbox: Sandbox, **fields: Any) -> ConnectionSettings:  # noqa: ANN401 - the same
    given = {"name": "default", "app_id": "sandbox", "access_token": Secret("sandbox-token")}
    return ConnectionSettings(**(given | {"base_url": sandbox.base_url} | fields))


async def asked(*connections: ConnectionSettings) -> list[Finding]:
    return await connection_findings(Settings(connections={each.name: each for each in connections}))


def test_a_spool_that_can_be_made_is_well_and_is_not_made(tmp_path: Path) -> None:
    assert levels(spool_findings(spool(tmp_path / "spool.db"))) == [Level.OK, Level.OK]
    assert list(tmp_path.iterdir()) == []


def test_a_spool_in_memory_is_noted() -> None:
    assert levels(spool_findings(SpoolSettings(url="memory:"))) == [Level.NOTE]


def test_a_folder_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    (found,) = spool_findings(spool(tmp_path / "nowhere" / "spool.db"))
    assert found.level is Level.WRONG
    assert "nowhere" in found.message


def test_a_file_of_another_program_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("none of ours")
    (found,) = spool_findings(spool(path))
    assert (found.level, "another program's" in found.message) == (Level.WRONG, True)


def test_a_database_of_another_program_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA application_id = 7")
    database.execute("CREATE TABLE things (name)")
    database.close()
    assert levels(spool_findings(spool(path))) == [Level.WRONG]


async def test_a_spool_that_a_daemon_holds_is_noted_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    held = await open_spool(SqliteSettings(path=str(path), free_bytes_min=0))
    (*_, holder, _) = spool_findings(spool(path))
    await held.close()
    assert (holder.level, f"process {os.getpid()}" in holder.message) == (Level.NOTE, True)
    assert levels(spool_findings(spool(path))) == [Level.OK, Level.OK]


def test_a_full_disk_is_wrong_and_a_small_one_noted(tmp_path: Path) -> None:
    path, total = tmp_path / "spool.db", shutil.disk_usage(tmp_path).total
    assert levels(spool_findings(spool(path, free_bytes_min=2 * total))) == [Level.OK, Level.WRONG]
    assert levels(spool_findings(spool(path, bytes_max=2 * total))) == [Level.OK, Level.NOTE]


async def test_a_connection_that_fits_tells_its_workspace_and_its_attributes() -> None:
    attributes = tuple(CustomAttribute(f"attribute {number}") for number in range(3))
    async with Sandbox(SandboxSettings(workspace_name="Shop", attributes=attributes)) as sandbox:
        found = await asked(connection(sandbox))
    assert levels(found) == [Level.OK, Level.OK]
    assert ('"Shop", in us' in found[0].message, found[1].message) == (True, "custom attributes 3/250")


async def test_many_custom_attributes_are_noted() -> None:
    attributes = tuple(CustomAttribute(f"attribute {number}") for number in range(240))
    async with Sandbox(SandboxSettings(attributes=attributes)) as sandbox:
        found = await asked(connection(sandbox))
    assert levels(found) == [Level.OK, Level.NOTE]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"app_id": "other"}, "APP_ID_MISMATCH"),
        ({"access_token": Secret("revoked")}, "UNAUTHORIZED"),
        ({"access_token": Secret(""), "access_token_file": "/nowhere/token"}, "/nowhere/token: No such file"),
    ],
)
async def test_what_keeps_a_connection_from_delivering_is_wrong(fields: dict[str, Any], says: str) -> None:
    async with Sandbox() as sandbox:
        (found,) = await asked(connection(sandbox, **fields))
    assert (found.level, found.message.startswith(says)) == (Level.WRONG, True)


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff"])
async def test_a_file_that_holds_no_token_is_wrong(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    async with Sandbox() as sandbox:
        (found,) = await asked(connection(sandbox, access_token=Secret(""), access_token_file=str(path)))
    assert (found.level, str(path) in found.message) == (Level.WRONG, True)


async def test_an_intercom_that_does_not_answer_leaves_it_unknown() -> None:
    async with Sandbox() as sandbox:
        there = connection(sandbox)
    (found,) = await asked(there)
    assert found.level is Level.UNKNOWN


async def test_a_token_that_may_not_list_attributes_is_noted() -> None:
    async with Sandbox() as sandbox:
        sandbox.fault("GET /data_attributes 403")
        assert levels(await asked(connection(sandbox))) == [Level.OK, Level.NOTE]


async def test_an_answer_of_a_bad_moment_leaves_the_attributes_unknown() -> None:
    async with Sandbox() as sandbox:
        sandbox.fault("GET /data_attributes 503")
        assert levels(await asked(connection(sandbox))) == [Level.OK, Level.UNKNOWN]


async def test_an_answer_without_an_app_is_noted() -> None:
    async with Sandbox(SandboxSettings(app_visible=False)) as sandbox:
        assert levels(await asked(connection(sandbox))) == [Level.NOTE, Level.OK]


async def test_an_inactive_connection_is_not_asked_about() -> None:
    async with Sandbox() as sandbox:
        assert levels(await asked(connection(sandbox, active=False))) == [Level.NOTE]
        assert sandbox.calls == []
