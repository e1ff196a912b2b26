import asyncio
import os
from pathlib import Path

import pytest

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.sqlite.lock import hold


async def test_a_held_spool_is_waited_for_and_the_holder_named(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    first = await hold(path, 0.0)
    waiting: asyncio.Queue[str] = asyncio.Queue()
    second = asyncio.create_task(hold(path, 60.0, waiting.put_nowait))
    assert f"process {os.getpid()} on " in await waiting.get()
    assert not second.done()
    first.release()
    (await second).release()
    assert waiting.empty()


async def test_a_spool_that_is_held_too_long_is_locked(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    lock = await hold(path, 60.0)
    with pytest.raises(SpoolLocked, match=rf"process {os.getpid()} on .* holds the spool {path}"):
        await hold(path, 0.0)
    lock.release()


async def test_waiting_can_be_given_up(tmp_path: Path) -> None:
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


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="No such file or directory; check the folder"):
        await hold(str(tmp_path / "missing" / "spool.db"), 0.0)


async def reopened(path: str) -> bool:
    """Whether the next holder finds the spool left open; it does nothing with it."""
    lock = await hold(path, 0.0)
    lock.release()
    return lock.left_open


async def test_a_spool_that_was_opened_and_not_closed_is_left_open_until_somebody_closes_it(tmp_path: Path) -> None:
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


async def test_the_holder_of_an_open_spool_is_named_in_one_line(tmp_path: Path) -> None:
    lock = await hold(str(tmp_path / "spool.db"), 0.0)
    lock.opened()
    with pytest.raises(SpoolLocked, match=rf"^process {os.getpid()} on \S+ holds the spool"):
        await hold(str(tmp_path / "spool.db"), 0.0)
    lock.release()
