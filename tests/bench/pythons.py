"""Compares Pythons: start, memory at rest, and accepting single envelopes.

    python tests/bench/pythons.py .venv-3.11/bin/python .venv-3.14/bin/python

Each argument is a command that runs a Python with the project installed. They take turns, so that other work on the
machine affects all of them. The first round does not count.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from children import NOMINAL, NOWHERE, Daemon, Sandbox, Script
from rounds import measured

ROUNDS = 7
SINGLES, CALLERS = 4_000, 64


def main() -> None:
    """Measures this Python once, or compares those that the arguments name."""
    if sys.argv[1:] == ["--once"]:
        print(json.dumps(_once()))  # noqa: T201 - the result
        return
    figures: dict[str, list[dict[str, float]]] = {command: [] for command in sys.argv[1:]}
    for _ in range(ROUNDS + 1):
        for command, rounds in figures.items():
            words = [*shlex.split(command), Path(__file__), "--once"]
            rounds.append(json.loads(subprocess.check_output(words)))  # noqa: S603 - what the caller named
    for command, (_, *rounds) in figures.items():
        for name in rounds[0]:
            print(f"{command}: {name} {measured([one[name] for one in rounds])}")  # noqa: T201 - the result


def _once() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="intercomd-bench-", dir=Path.cwd()) as place:
        resting, accepting = Path(place) / "resting", Path(place) / "accepting"
        resting.mkdir()
        accepting.mkdir()
        with Sandbox(NOMINAL) as sandbox, Daemon(resting, sandbox.base_url) as daemon:
            daemon.delivering()
            found = {"s to SERVING": daemon.start_seconds, "MiB at rest": daemon.resident_mebibytes}
        with Daemon(accepting, NOWHERE) as daemon, Script("sender.py", daemon.ingest) as sender:
            for first in (0, SINGLES):
                sender.ask(do="prepare", first=first, count=SINGLES, size=1)
                answer = sender.ask(do="call", callers=CALLERS)
            if answer["accepted"] != SINGLES:
                raise RuntimeError(f"{answer['accepted']} of {SINGLES} envelopes were accepted")
            found["envelopes/s"] = SINGLES / answer["seconds"]
            found["µs of processor per envelope"] = 1e6 * daemon.cpu_seconds / (2 * SINGLES)
    return found


if __name__ == "__main__":
    main()
