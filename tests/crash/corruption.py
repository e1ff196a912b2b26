"""As much rot as one has time for: `python tests/crash/rot.py --seeds 1000`. Prints what should not have been.

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


async def rot(seeds: range, rows: int, folder: Path) -> list[str]:
    """One run in an empty folder; a spool of so many rows is filled anew for it."""
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
    with tempfile.TemporaryDirectory(prefix="intercomd-rot-") as folder:
        wrong = asyncio.run(rot(range(first, first + arguments.seeds), arguments.rows, Path(folder)))
    print("\n".join(wrong) or f"{arguments.seeds} seeds, and nothing that should not have been")  # noqa: T201 - as above
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
