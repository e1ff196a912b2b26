"""A spool behind a symbolic link: its log and its lock are beside the file that the link names."""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolFull, SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from intercomd_daemon.spool.sqlite.content import find
from intercomd_daemon.spool.sqlite.content import opened as content_of
from intercomd_daemon.spool.sqlite.inspection import inspect
from intercomd_daemon.spool.sqlite.maintenance import SqliteMaintenance

Make = Callable[..., Incoming]


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link to a link to a file that does not exist yet."""
    for folder in ("volume", "between", "links"):
        (tmp_path / folder).mkdir()
    (tmp_path / "between" / "spool.db").symlink_to("../volume/spool.db")
    made = tmp_path / "links" / "name.db"
    made.symlink_to("../between/spool.db")
    return made


async def opened(path: Path, damages: list[str]) -> SqliteSpool:
    settings = SqliteSettings(str(path), free_bytes_min=0, lock_wait_seconds=0.0)
    return await open_spool(settings, on_damage=damages.append)


def repair(path: Path) -> None:
    with SqliteMaintenance().lock(str(path)) as closed:
        closed.repair(time.time())


def retire(path: Path) -> str:
    with content_of(find(str(path))) as content:
        return content.retire()


async def test_daemons_at_the_link_and_at_the_file_exclude_each_other(link: Path, tmp_path: Path) -> None:
    spool = await opened(link, [])
    for path in (link, tmp_path / "volume" / "spool.db"):
        with pytest.raises(SpoolLocked, match="stop the other one"):
            await opened(path, [])
    assert inspect(SpoolSettings(url=f"sqlite:{link}")).holder
    await spool.close()
    assert [each.name for each in link.parent.iterdir()] == ["name.db"]


async def test_log_of_a_killed_daemon_is_found(link: Path, tmp_path: Path, row: Make) -> None:
    """Copies what a daemon that is killed leaves behind."""
    spool = await opened(link, [])
    await spool.append([row("1"), row("2")])
    left = tmp_path / "left"
    left.mkdir()
    for name in ("spool.db", "spool.db-wal", "spool.db.lock"):
        (left / name).write_bytes((tmp_path / "volume" / name).read_bytes())
    await spool.close()
    other = tmp_path / "other.db"
    other.symlink_to("left/spool.db")
    damages: list[str] = []
    reopened = await opened(other, damages)
    assert damages == []
    batch = await reopened.read("default", Priority.NORMAL, 0, 10, 1 << 20)
    assert len(batch.rows) == 2
    await reopened.close()


async def test_rebuilt_file_takes_the_place_of_the_file_not_of_the_link(link: Path, tmp_path: Path, row: Make) -> None:
    spool = await opened(link, [])
    await spool.append([row("1")])
    await spool.close()
    await asyncio.to_thread(repair, link)
    assert [each.is_symlink() for each in link.parent.iterdir()] == [True]
    assert len(list((tmp_path / "volume").glob("spool.db.damaged-*"))) == 1


@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal"])
async def test_file_that_is_removed_behind_the_link_is_noticed(
    link: Path, tmp_path: Path, row: Make, name: str
) -> None:
    ticks = itertools.count(0.0, 1.0)
    spool = await open_spool(SqliteSettings(str(link), free_bytes_min=0), monotonic=lambda: next(ticks))
    await spool.append([row("1")])
    (tmp_path / "volume" / name).unlink()
    with pytest.raises(SpoolFull, match="was removed, renamed or replaced"):
        await spool.append([row("2")])
    await spool.close()


async def test_retired_file_keeps_its_place(link: Path, tmp_path: Path) -> None:
    await (await opened(link, [])).close()
    volume = tmp_path / "volume"
    assert await asyncio.to_thread(retire, link) == str(volume / "spool.db.copied")
    assert find(str(link)) == str(volume / "spool.db.copied")


async def test_link_in_a_circle_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SpoolUnusable, match="leads back to itself"):
        await opened(tmp_path / "a", [])
    assert "leads back to itself" in inspect(SpoolSettings(url=f"sqlite:{tmp_path / 'a'}")).problem


def test_sqlite_keeps_the_log_beside_the_file(link: Path, tmp_path: Path) -> None:
    """The fact that all of this follows."""
    database = sqlite3.connect(link)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (x)")
    assert (tmp_path / "volume" / "spool.db-wal").exists()
    database.close()
