"""As many kills as one has time for: `python tests/crash/soak.py --kills 1000`. Prints what the run came to.

The same run as the test's, with another seed each time unless one is given; it ends with an AssertionError if anything
that must hold does not.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from crashing import Crashing, Figures
from daemons import Daemon

from intercomd_daemon.sandbox import Sandbox


async def soak(kills: int, seed: int) -> Figures:
    """One run in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="intercomd-soak-") as folder:
        async with Sandbox() as sandbox:
            daemon = Daemon(Path(folder), sandbox.base_url)
            figures = await Crashing(daemon, sandbox, seed).run(kills)
            await daemon.close()
            return figures


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}")  # noqa: T201 - a command prints
    print(asyncio.run(soak(arguments.kills, seed)))  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
