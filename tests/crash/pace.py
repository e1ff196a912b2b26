"""How well a real window's budget is used: `python tests/crash/pace.py --calls 2000`, which takes two minutes.

Prints the calls of each window, the share of the budget in the full ones, and how many calls were refused.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from daemons.backlog import paced
from intercomd_daemon.sandbox import SandboxSettings
from intercomd_daemon.sandbox.recorded import ALL, NONE


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--limit", type=int, default=167)
    parser.add_argument("--window", type=float, default=10.0, help="seconds")
    parser.add_argument("--described", action="store_true", help="headers as Intercom describes them, not as recorded")
    arguments = parser.parse_args()
    settings = SandboxSettings(
        rate_limit=arguments.limit,
        rate_window_seconds=arguments.window,
        recorded=NONE if arguments.described else ALL,
    )
    with tempfile.TemporaryDirectory(prefix="intercomd-pace-") as folder:
        pace = asyncio.run(paced(Path(folder), settings, arguments.calls))
    print(pace)  # noqa: T201 - a command prints
    print(f"{pace.share:.2%} of the budget, {pace.refused} refused")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
