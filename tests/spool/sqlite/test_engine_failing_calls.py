"""The engine on a disk whose calls fail, one after the other and for a while."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from spool.disk_failures import faults, play, rehearse

Make = Callable[..., Incoming]
End = Callable[..., Completion]

STRIDE = 12
"""Every 12th call of a frequent kind fails here; each of them in `tests/crash/disks.py`."""


async def test_any_failing_disk_call_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Appending, settling, parking, reading, replaying, discarding, the turn of the duplicate window, and closing.

    What is refused is taken later; then the spool holds what it would hold had nothing failed, and through a power cut
    amid the failures too.
    """
    rehearsal = await rehearse(tmp_path)
    assert {Kind.READ, Kind.WRITE, Kind.SYNC, Kind.TRUNCATE, Kind.DELETE} <= rehearsal.calls.keys()
    chosen = faults(rehearsal.calls, STRIDE)
    trials = await play(tmp_path, rehearsal, chosen)
    assert all(trial.disk.failed for trial in trials)
    refused = Counter(fault.kind for fault, trial in zip(chosen, trials, strict=True) if trial.refused)
    assert all(refused[kind] > 3 for kind in (Kind.WRITE, Kind.SYNC)), refused


@pytest.mark.parametrize("delivering", [False, True])
@pytest.mark.parametrize(
    "fault",
    [Fault(Kind.WRITE, full=True), Fault(Kind.WRITE), Fault(Kind.SYNC), Fault(Kind.WRITE, after=1)],
    ids=["full", "write", "sync", "second write"],
)
async def test_first_append_after_a_disk_error_clears_is_accepted(
    tmp_path: Path, row: Make, ended: End, fault: Fault, *, delivering: bool
) -> None:
    """Also while a settlement that the disk refused waits for its retry."""
    disk = Disk(tmp_path)
    with below_sqlite(disk):
        spool = await open_spool(SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0))
        for attempt in range(20):
            (key,) = await spool.append([row(f"{attempt}")])
            disk.fail(fault)
            tasks = []
            if delivering:
                tasks = [asyncio.create_task(spool.settle([Settlement("default", [ended(key, f"{attempt}")])]))]
            for _ in range(3):
                with pytest.raises(SpoolFull, match="the disk refuses"):
                    await spool.append([row(f"refused {attempt}", size=9_000)])
            disk.fail(None)
            assert await spool.append([row(f"refused {attempt}", size=9_000)]) > [key]
            assert spool.usage().full_reason == ""
            await asyncio.gather(*tasks)
        await spool.close()
