"""As many kills as one has time for: `python tests/crash/soak.py --kills 1000`. Ends with a table of what happened.

The same run as the test's, era after era over one spool, with another seed each time unless one is given. It ends with
an AssertionError if anything that must hold does not, and then keeps its folder: settings, spool, notes, the last log.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from kill_harness.run import kill_run

ERA_KILLS = 50
"""Kills after which everything is checked and forgotten, so that a run of any length needs the memory of one era."""


def say(text: object) -> None:
    """Prints at once, also without a terminal."""
    print(text, flush=True)  # noqa: T201 - a command prints


async def soak(folder: Path, kills: int, seed: int) -> str:
    """The table of one run."""
    async with kill_run(folder, seed) as run:
        begun = time.monotonic()
        for era, first in enumerate(range(0, kills, ERA_KILLS)):
            await run.era(era, min(ERA_KILLS, kills - first))
            accepted = run.figures.envelopes["accepted"]
            minutes = (time.monotonic() - begun) / 60
            say(f"{run.figures.kills.total():,} kills, {accepted:,} envelopes, {minutes:.1f} minutes")
        await run.outlast()
        return run.figures.table()


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="intercomd-soak-"))
    say(f"seed {seed}, in {folder}")
    say(asyncio.run(soak(folder, arguments.kills, seed)))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
