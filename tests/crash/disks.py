"""As many power cuts as one has time for, and every call that can fail: `python tests/crash/disks.py --cuts 2000`.

The same as the tests do, with another seed each time unless one is given; it ends with an AssertionError if anything
that must hold does not, and leaves the folder of a power cut for which that is so.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from disk.faulty import Disk
from disk.sqlite_vfs import below_sqlite
from spool.disk_failures import faults, play, rehearse
from spool.power_cuts import Work, cut_and_check, moments

CUTS_OF_A_RUN = 100


async def cut(cuts: int, seed: int) -> None:
    """Plays this many power cuts, in runs of work of their own."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guess
    for _ in range(0, cuts, CUTS_OF_A_RUN):
        folder = Path(tempfile.mkdtemp(prefix="intercomd-cuts-"))
        (folder / "watched").mkdir()
        disk = Disk(folder / "watched")
        work = Work(disk, batches=24)
        with below_sqlite(disk):
            await work.run(folder / "watched" / "spool.db", rounds=2)
        for moment in moments(disk, CUTS_OF_A_RUN, chance):
            await cut_and_check(disk, work, moment, folder / "cut", seed=chance.randrange(1 << 32))
            shutil.rmtree(folder / "cut")
        shutil.rmtree(folder)


async def fail(stride: int) -> int:
    """Every so manieth call fails; gives how many trials that were."""
    with tempfile.TemporaryDirectory(prefix="intercomd-faults-") as folder:
        rehearsal = await rehearse(Path(folder))
        return len(await play(Path(folder), rehearsal, faults(rehearsal.calls, stride)))


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000, help=f"in hundreds: runs of {CUTS_OF_A_RUN}")
    parser.add_argument("--stride", type=int, default=1, help="of the calls that could fail, every so manieth does")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}")  # noqa: T201 - a command prints
    print(asyncio.run(fail(arguments.stride)), "faults")  # noqa: T201 - a command prints
    asyncio.run(cut(arguments.cuts, seed))
    print(arguments.cuts, "power cuts")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
