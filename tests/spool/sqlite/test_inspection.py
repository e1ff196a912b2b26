import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.quota import SETTLING_BYTES
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool, schema
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.inspection import foreign_problem, inspect


def settings(path: Path) -> SpoolSettings:
    return SpoolSettings(url=f"sqlite:{path}")


def version_set(path: Path, version: int) -> None:
    open_database(str(path), 0.0).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
        # The header has the version once the write-ahead log is copied back.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_missing_file_can_be_created_and_is_not(tmp_path: Path) -> None:
    found = inspect(settings(tmp_path / "spool.db"))
    disk = os.statvfs(tmp_path)
    assert (found.problem, found.exists, found.holder) == ("", False, "")
    assert 0 < found.free_bytes <= disk.f_blocks * disk.f_frsize
    assert found.reserved_bytes > SETTLING_BYTES
    assert list(tmp_path.iterdir()) == []


async def test_open_spool_names_its_holder_and_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = await open_spool(SqliteSettings(str(path), free_bytes_min=0))
    before = contents(tmp_path)
    found = inspect(settings(path))
    assert (found.problem, found.exists) == ("", True)
    assert found.holder.startswith(f"process {os.getpid()} on ")
    assert contents(tmp_path) == before
    await spool.close()
    assert inspect(settings(path)).holder == ""


@pytest.mark.parametrize("version", [schema.VERSION, schema.VERSION + 1, *schema.UPGRADABLE])
def test_inspection_accepts_each_version_that_can_be_opened(tmp_path: Path, version: int) -> None:
    version_set(tmp_path / "spool.db", version)
    assert inspect(settings(tmp_path / "spool.db")).problem == ""


@pytest.mark.parametrize(("version", "named"), [(3_002, "3.2"), (1_001, "1.1")])
def test_other_version_is_reported_as_a_start_reports_it(tmp_path: Path, version: int, named: str) -> None:
    version_set(tmp_path / "spool.db", version)
    problem = inspect(settings(tmp_path / "spool.db")).problem
    assert f"has the format {named}, and this release reads 2.x and 1.0" in problem


@pytest.mark.parametrize(
    "content",
    [
        b"a list of things",
        b"a list of things\n" * 1_000,
        bytes(5_000),
        ["PRAGMA application_id = 7"],
        ["CREATE TABLE things (name)"],
        ["PRAGMA journal_mode = WAL", "CREATE TABLE things (name)"],
    ],
)
def test_file_of_another_program_is_reported_as_a_start_reports_it(tmp_path: Path, content: bytes | list[str]) -> None:
    path = tmp_path / "other"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as database:
            for statement in content:
                database.execute(statement)
    before = path.read_bytes()
    problem = inspect(settings(path)).problem
    assert problem == f"{path} is another program's file; set spool.url to another file"
    with pytest.raises(SpoolUnusable) as raised:
        open_database(str(path), 0.0)
    assert str(raised.value) == foreign_problem(str(path)) == problem
    assert path.read_bytes() == before


def test_inspection_accepts_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "spool.db").touch()
    assert inspect(settings(tmp_path / "spool.db")).problem == ""


def test_missing_folder_and_folder_in_place_of_the_file_are_reported(tmp_path: Path) -> None:
    missing = inspect(settings(tmp_path / "missing" / "spool.db")).problem
    assert missing.startswith(f"{tmp_path / 'missing'}: No such file or directory; create a folder")
    (tmp_path / "folder").mkdir()
    folder = inspect(settings(tmp_path / "folder")).problem
    assert folder.startswith(f"{tmp_path / 'folder'}: Is a directory")


def test_pipes_sockets_and_devices_are_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/null")):
        assert inspect(settings(path)).problem == f"{path}: Is a device, a pipe or a socket; set spool.url to a file"
