"""Days in virtual time, as many as one has time for: `python tests/order/soak.py --days 500`, or `--seed 7` alone.

Each is larger than a test's, with clocks that are set and everything else that `troubles` knows. A day that fails ends
the run with its seed, and fails again with it.
"""

import argparse
import sys
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from simulation.fleet import play_fleet
from simulation.simulation import Plan, simulate
from simulation.troubles import play


def main() -> None:
    """Reads the arguments, plays, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--envelopes", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=300.0, help="virtual time in which the envelopes are sent")
    parser.add_argument("--jumps", type=int, default=4, help="how often the wall clock is set")
    parser.add_argument("--fleet", action="store_true", help="play three daemons on one spool")
    arguments = parser.parse_args()
    first = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    plan = Plan(arguments.users, arguments.envelopes, arguments.seconds, jumps=arguments.jumps)
    for seed in range(first, first + arguments.days):
        print(f"seed {seed}", end=" ", flush=True)  # noqa: T201 - a command prints
        figures = play_fleet(seed, strikes=12) if arguments.fleet else simulate(seed, plan, play)
        print(figures)  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
