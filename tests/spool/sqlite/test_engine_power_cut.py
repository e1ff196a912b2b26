"""What the engine promises, on a disk that loses and tears what was not synced."""

import random
import shutil
from pathlib import Path

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from spool.power_cuts import Work, cut_and_check, moments

CUTS = 24


async def test_every_promise_holds_after_any_power_cut(tmp_path: Path) -> None:
    """Twice the disk also fails to sync a checkpoint of the write-ahead log, without an error."""
    (tmp_path / "watched").mkdir()
    disk = Disk(tmp_path / "watched")
    work = Work(disk, batches=24)
    disk.fail(Fault(Kind.SYNC, ending="spool.db", after=1, times=2))
    with below_sqlite(disk):
        await work.run(tmp_path / "watched" / "spool.db", rounds=2)
    assert disk.failed == 2
    assert sum(operation.kind is Kind.SYNC and operation.name == "spool.db" for operation in disk.operations) > 3
    chance = random.Random(1)  # noqa: S311 - nothing to guess
    for number, moment in enumerate(moments(disk, CUTS, chance)):
        folder = tmp_path / str(number)
        await cut_and_check(disk, work, moment, folder, seed=number)
        shutil.rmtree(folder)
