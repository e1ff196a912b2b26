import asyncio
import os
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.sqlite.lock import hold


async def test_lock_waits_for_the_holder_and_names_it(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    first = await hold(path, 0.0)
    waiting: asyncio.Queue[str] = asyncio.Queue()
    second = asyncio.create_task(hold(path, 60.0, waiting.put_nowait))
    assert f"process {os.getpid()} on " in await waiting.get()
    assert not second.done()
    first.release()
    (await second).release()
    assert waiting.empty()


async def test_spool_held_longer_than_the_wait_raises_spool_locked(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    lock = await hold(path, 60.0)
    with pytest.raises(SpoolLocked, match=rf"process {os.getpid()} on .* holds the spool {path}"):
        await hold(path, 0.0)
    lock.release()


async def test_waiting_for_a_lock_can_be_cancelled(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    lock = await hold(path, 60.0)
    waiting = asyncio.Event()
    second = asyncio.create_task(hold(path, 60.0, lambda _holder: waiting.set()))
    await waiting.wait()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    lock.release()
    (await hold(path, 0.0)).release()


async def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="No such file or directory; check the folder"):
        await hold(str(tmp_path / "missing" / "spool.db"), 0.0)


async def reopened(path: str) -> bool:
    """Whether the next holder finds the spool left open; it does nothing with it."""
    lock = await hold(path, 0.0)
    lock.release()
    return lock.left_open


async def test_lock_marks_a_spool_left_open_until_it_is_closed(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    assert not await reopened(path)
    lock = await hold(path, 0.0)
    lock.opened()
    lock.release()  # As the kernel does for a process that was killed: without `closing`.
    assert await reopened(path)
    assert await reopened(path), "a process that only had the lock closed nothing"
    lock = await hold(path, 0.0)
    lock.opened()
    lock.closing()
    lock.release()
    assert not await reopened(path)


async def test_holder_of_an_open_spool_is_named_in_one_line(tmp_path: Path) -> None:
    lock = await hold(str(tmp_path / "spool.db"), 0.0)
    lock.opened()
    with pytest.raises(SpoolLocked, match=rf"^process {os.getpid()} on \S+ holds the spool"):
        await hold(str(tmp_path / "spool.db"), 0.0)
    lock.release()


async def test_lock_file_has_the_owner_of_the_spool(tmp_path: Path) -> None:
    """A command of root leaves no file that the daemon's user cannot open."""
    path = tmp_path / "spool.db"
    path.touch()
    owner = (65_534, 65_533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    (await hold(str(path), 0.0)).release()
    found = (tmp_path / "spool.db.lock").stat()
    assert (found.st_uid, found.st_gid) == owner
