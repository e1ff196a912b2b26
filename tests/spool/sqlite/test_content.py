"""The file whose content another engine takes over."""

import asyncio
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.sqlite import content
from spool.filled import opened


async def created(path: Path) -> None:
    await (await opened(path)).close()


def test_file_is_found_under_its_name_or_its_later_one(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with pytest.raises(SpoolUnusable, match="there is no spool"):
        content.find(str(path))
    asyncio.run(created(path))
    assert content.find(str(path)) == str(path)
    with content.opened(str(path)) as found:
        assert found.retire() == f"{path}.copied"
    assert content.find(str(path)) == f"{path}.copied"
    with content.opened(f"{path}.copied") as found:
        assert found.retire() == f"{path}.copied"
    path.touch()
    with pytest.raises(SpoolUnusable, match="exists beside"):
        content.find(str(path))


def test_damaged_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    asyncio.run(created(path))
    sound = path.read_bytes()
    path.write_bytes(sound[:4_096] + bytes(len(sound) - 4_096))
    with content.opened(str(path)) as found:
        assert found.damages
    assert path.read_bytes() != sound


async def test_file_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = await opened(path)

    def read() -> None:
        with content.opened(str(path)):
            raise AssertionError

    with pytest.raises(SpoolLocked, match="stop that daemon first"):
        await asyncio.to_thread(read)
    await spool.close()
