"""The commands that use it are in `tests/cli/test_spool.py`."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.maintenance import DamageReport
from intercomd_daemon.spool.sqlite.maintenance import SqliteMaintenance
from spool.filled import opened


@pytest.fixture
def maintenance() -> SqliteMaintenance:
    return SqliteMaintenance()


@pytest.fixture
def new_spool(tmp_path: Path) -> str:
    """The path of an empty spool that was closed."""

    async def make() -> None:
        await (await opened(tmp_path / "new.db")).close()

    asyncio.run(make())
    return str(tmp_path / "new.db")


def test_sound_spool_has_no_damage(maintenance: SqliteMaintenance, new_spool: str) -> None:
    with maintenance.lock(new_spool) as spool:
        assert spool.damages == []
        assert spool.verify().count == 0
        assert list(spool.export(0.0, DamageReport(), dead_letters=True)) == []
        assert Path(spool.repair(0.0).kept).exists()


def test_lock_keeps_a_second_command_out(maintenance: SqliteMaintenance, new_spool: str) -> None:
    again = maintenance.lock(new_spool)
    with maintenance.lock(new_spool), pytest.raises(SpoolLocked, match="stop that daemon first"):
        again.__enter__()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk I/O error")])
def test_errors_of_the_disk_name_the_remedy(maintenance: SqliteMaintenance, new_spool: str, error: Exception) -> None:
    with pytest.raises(SpoolUnusable, match="look at the disk's room"), maintenance.lock(new_spool):
        raise error
    with maintenance.lock(new_spool) as spool:
        assert spool.verify().count == 0


def test_lost_content_shows_at_the_lock(maintenance: SqliteMaintenance, tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    with maintenance.lock(str(path)) as spool:
        assert "empty file" in spool.damages[0].reason


@pytest.mark.parametrize("kind", ["text", "database", "pipe", "device"])
def test_nothing_is_created_beside_what_is_not_a_spool(
    maintenance: SqliteMaintenance, tmp_path: Path, kind: str
) -> None:
    """A lock of this name can stop another program, as /etc/passwd.lock does."""
    path = tmp_path / "other"
    if kind == "text":
        path.write_text("root:x:0:0\n" * 1_000)
    elif kind == "database":
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE things (name)")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    expected = "another program's file|Is a device, a pipe or a socket"
    with pytest.raises(SpoolUnusable, match=expected):
        maintenance.lock(str(path)).__enter__()
    with pytest.raises(SpoolUnusable, match=expected):
        asyncio.run(opened(path))
    assert list(tmp_path.glob("*")) == [path]
