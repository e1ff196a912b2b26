"""Kills an agent and its gateway as often as one has time for: `python tests/crash/chain.py --blows 500`.

The same run as the test's, with another seed for each series of blows. It ends with an AssertionError if anything that
must hold does not, and then keeps its folder.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from kill_harness.chain import chain_run
from ports import free_port

SERIES_BLOWS = 60


async def series(folder: Path, blows: int, seed: int) -> tuple[Counter[str], Counter[str]]:
    """Returns the blows of one run, and how often each law was checked."""
    async with chain_run(folder, free_port(), seed) as run:
        await run.run(blows)
        return run.blows, run.laws


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blows", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    blows: Counter[str] = Counter()
    laws: Counter[str] = Counter()
    for first in range(0, arguments.blows, SERIES_BLOWS):
        folder = Path(tempfile.mkdtemp(prefix="intercomd-chain-"))
        print(f"seed {seed + first}, in {folder}", flush=True)  # noqa: T201 - a command prints
        made = asyncio.run(series(folder, min(SERIES_BLOWS, arguments.blows - first), seed + first))
        blows.update(made[0])
        laws.update(made[1])
        shutil.rmtree(folder)
    for title, counts in (("blow", blows), ("held", laws)):
        for name, count in counts.items():
            print(f"{title:<11}{name:<62}{count:>7,}")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
