"""A disk that takes nothing more: a limit on the size of this process' files, which the kernel enforces."""

import asyncio
import itertools
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, OutcomeFilter, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool

Make = Callable[..., Incoming]
End = Callable[..., Completion]

NOON = 1_750_000_000.0
"""When the outcomes of these tests end."""


class Disk:
    """The folder of the spool, whose files can be kept from growing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def full(self) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = (self.path.parent / (self.path.name + "-wal")).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "spool.db")


@pytest.fixture
async def spool(disk: Disk) -> AsyncIterator[SqliteSpool]:
    made = await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0), wall=lambda: NOON)
    yield made
    await made.close()


async def test_appends_are_refused_on_a_full_disk_until_it_has_room(spool: SqliteSpool, disk: Disk, row: Make) -> None:
    (first,) = await spool.append([row("1")])
    with disk.full():
        for _ in range(3):
            with pytest.raises(SpoolFull, match="the disk refuses") as refused:
                await spool.append([row("2")])
        assert 1.0 <= refused.value.retry_seconds <= 5.0
        assert "the disk refuses" in spool.usage().full_reason
        assert spool.usage().connections["default"].normal == 1
        batch = await spool.read("default", Priority.NORMAL, 0, 10, 1 << 20)
        assert [each.key for each in batch.rows] == [first]
    (second,) = await spool.append([row("2")])
    assert second > first
    assert spool.usage().full_reason == ""


async def test_settlements_wait_for_the_disk_and_keep_their_order(
    spool: SqliteSpool, disk: Disk, row: Make, ended: End
) -> None:
    keys = await spool.append([row(str(number)) for number in range(4)])
    with disk.full():
        settling = [
            asyncio.create_task(spool.settle([Settlement("default", [ended(key, str(number))])]))
            for number, key in enumerate(keys[:3])
        ]
        parking = asyncio.create_task(spool.park("default", "c:ann", keys, 5.0, 1))
        with pytest.raises(SpoolFull):
            await spool.append([row("more")])
        with pytest.raises(SpoolFull):
            await spool.discard(DeadLetterFilter(), 0) or await spool.set_paused("default", True)
        assert not any(task.done() for task in (*settling, parking))
        assert "the disk refuses" in spool.usage().full_reason
        assert await spool.outcomes(OutcomeFilter(), 0, 9) == []
    assert [outcome.sequence for task in settling for outcome in await task] == [1, 2, 3]
    await parking
    batch = await spool.parked("default", "c:ann", 0, 10, 1 << 20)
    assert [each.key for each in batch.rows] == [keys[3]]
    assert [outcome.envelope_id for outcome in await spool.outcomes(OutcomeFilter(), 0, 9)] == ["2", "1", "0"]


async def test_states_of_workers_wait_for_the_disk(spool: SqliteSpool, disk: Disk, row: Make) -> None:
    """An error would end the worker: of a sequence that an agent reserves, or of an attribute that was created."""
    await spool.append([row("1")])
    outflow = await spool.acquire("workspace")
    with disk.full():
        saving = [asyncio.create_task(each.save_state("count", b"2")) for each in (spool, outflow)]
        with pytest.raises(SpoolFull):
            await spool.append([row("2")])
        assert not any(task.done() for task in saving)
    await asyncio.gather(*saving)
    assert await outflow.load_state("count") == b"2"


async def test_settlements_waiting_for_the_disk_are_reported_without_appends(disk: Disk, row: Make, ended: End) -> None:
    reports: asyncio.Queue[str] = asyncio.Queue()
    spool = await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0), on_refusing=reports.put_nowait)
    (key,) = await spool.append([row("1")])
    with disk.full():
        settling = asyncio.create_task(spool.settle([Settlement("default", [ended(key, "1")])]))
        assert "the disk refuses" in await reports.get()
        assert "the disk refuses" in spool.usage().full_reason
    await settling
    assert spool.usage().full_reason == ""
    await spool.close()


async def test_spool_works_where_its_lock_file_cannot_be_written(disk: Disk, row: Make) -> None:
    """A disk that is full when the daemon starts; it can go on as soon as there is room."""
    await (await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0))).close()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        spool = await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0))
        with pytest.raises(SpoolFull, match="the disk refuses"):
            await spool.append([row("1")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await spool.append([row("1")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        await spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0))
    assert again.usage().connections["default"].normal == 1
    await again.close()


async def test_spool_that_closes_on_a_full_disk_fails_open_settlements(
    spool: SqliteSpool, disk: Disk, row: Make, ended: End
) -> None:
    (key,) = await spool.append([row("1")])
    with disk.full():
        settling = asyncio.create_task(spool.settle([Settlement("default", [ended(key, "1")])]))
        with pytest.raises(SpoolFull):
            await spool.append([row("2")])
        await spool.close()
        with pytest.raises(SpoolFull, match="the disk refuses"):
            await settling
    again = await open_spool(SqliteSettings(str(disk.path), free_bytes_min=0))
    assert again.usage().connections["default"].normal == 1
    await again.close()


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_spool_without_its_file_accepts_nothing_and_delivers_what_waits(
    tmp_path: Path, row: Make, ended: End, suffix: str
) -> None:
    """What an open file of no name takes would be gone after the next start."""
    ticks = itertools.count(0.0, 1.0)
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    spool = await open_spool(settings, monotonic=lambda: next(ticks))
    (key,) = await spool.append([row("1")])
    file, aside = tmp_path / f"spool.db{suffix}", tmp_path / "aside"
    file.rename(aside)
    with pytest.raises(SpoolFull, match="was removed, renamed or replaced"):
        await spool.append([row("2")])
    await spool.settle([Settlement("default", [ended(key, "1")])])
    assert spool.usage().connections["default"].normal == 0
    assert "was removed, renamed or replaced" in spool.usage().full_reason
    aside.rename(file)
    await spool.append([row("2")])
    await spool.close()
    reopened = await open_spool(settings)
    assert reopened.usage().connections["default"].normal == 1
    await reopened.close()


async def test_stop_without_the_log_keeps_what_was_accepted(tmp_path: Path, row: Make) -> None:
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    spool = await open_spool(settings)
    await spool.append([row("1"), row("2")])
    (tmp_path / "spool.db-wal").unlink()
    await spool.close()
    reopened = await open_spool(settings)
    assert reopened.usage().connections["default"].normal == 2
    await reopened.close()
