"""Corrupts spools from seeds: `python tests/crash/corruption.py --seeds 1000`. Prints what went wrong.

Each seed corrupts the files of a filled spool in every way once, closed and as a kill leaves them, and has them opened,
verified and exported. It ends with the exit code 1 if anything that must hold did not.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from spool import corruption
from spool.corruption import CORRUPTIONS


async def check_seeds(seeds: range, rows: int, folder: Path) -> list[str]:
    """Runs the seeds in an empty folder, on a new spool of this many rows."""
    (folder / "specimen").mkdir()
    specimen = await corruption.specimen(folder / "specimen", rows, seeds.start)
    wrong: list[str] = []
    for seed in seeds:
        wrong += await corruption.sweep(specimen, CORRUPTIONS, range(seed, seed + 1), folder / "corrupted")
        shutil.rmtree(folder / "corrupted")
    return wrong


def main() -> int:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--seed", type=int, default=None, help="the first one")
    arguments = parser.parse_args()
    first = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    print(f"from seed {first}")  # noqa: T201 - a command prints
    with tempfile.TemporaryDirectory(prefix="intercomd-corruption-") as folder:
        wrong = asyncio.run(check_seeds(range(first, first + arguments.seeds), arguments.rows, Path(folder)))
    print("\n".join(wrong) or f"{arguments.seeds} seeds without a wrong result")  # noqa: T201 - as above
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
