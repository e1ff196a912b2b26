"""Strikes a fleet as often as one has time for: `python tests/fleet/soak.py --rounds 20`. Ends with a table.

The same run as the test's, era after era over one spool, each with every blow in another order, from one seed. It ends
with an AssertionError if anything that must hold does not, and then keeps its folder: settings, notes, logs.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from fleet_harness.blows import BLOWS
from fleet_harness.run import fleet_run


def say(text: object) -> None:
    """Prints at once, also without a terminal."""
    print(text, flush=True)  # noqa: T201 - a command prints


async def soak(folder: Path, rounds: int, seed: int) -> str:
    """Returns the table of one run."""
    chance = random.Random(seed)  # noqa: S311 - the order of blows is nothing to guess
    begun = time.monotonic()
    async with fleet_run(folder, seed) as run:
        for era in range(1, rounds + 1):
            await run.era(era, chance.sample(BLOWS, len(BLOWS)))
            minutes = (time.monotonic() - begun) / 60
            say(f"{len(run.blows):,} blows, {run.envelopes['accepted']:,} envelopes, {minutes:.1f} minutes")
        run.check_latencies()
        return run.table()


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="intercomd-fleet-"))
    say(f"seed {seed}, in {folder}")
    say(asyncio.run(soak(folder, arguments.rounds, seed)))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
