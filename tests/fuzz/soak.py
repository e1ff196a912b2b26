"""Any bytes, any number of them, for minutes: `python tests/fuzz/soak.py --minutes 10 --seed 7`.

Ends with an AssertionError if the daemon crashes, hangs, answers with an undocumented status, loses what it accepted or
grows. `--keep FOLDER` writes the first call of each kind of answer there, by name.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from secrets import randbelow

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

from daemons.process import EXECUTABLE, Daemon
from fuzz_harness.calls import Answer, Assault, Method
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from senders.costly_requests import SHAPES, shape
from senders.raw_sockets import resident_bytes

CALLS_A_ROUND = 250
WARM_ROUNDS = 3
GROWTH_BYTES_MAX = 200 << 20
"""Several times what a large request takes for a moment; a leak passes it within minutes."""
KEPT_BYTES_MAX = 4096
FULL_BYTES = 4_000_000


class Soak:
    """Rounds of calls at one daemon."""

    def __init__(self, assault: Assault, daemon: Daemon, keep: Path | None) -> None:
        self._assault = assault
        self._daemon = daemon
        self._keep = keep
        self._answers: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Rounds until the time is over."""
        ends = time.monotonic() + seconds
        number, warm_bytes = 0, 0
        while time.monotonic() < ends:
            await self._round(number)
            number += 1
            resident = resident_bytes(self._daemon.pid)
            self._say(f"round {number}: {self._assault.calls} calls, {resident >> 20} MiB")
            if number == WARM_ROUNDS:
                warm_bytes = resident
            assert number <= WARM_ROUNDS or resident - warm_bytes < GROWTH_BYTES_MAX, "the daemon grows"
        for answer, count in sorted(self._answers.items()):
            self._say(f"{count:8} {answer}")

    async def _round(self, number: int) -> None:
        for _ in range(CALLS_A_ROUND):
            method, data = self._assault.invented()
            self._note(method, data, await self._assault.strike(method, data))
        request = shape(SHAPES[number % len(SHAPES)], FULL_BYTES)
        await self._assault.strike(self._assault.methods["Publish"], request)
        await self._assault.peace()
        self._assault.forget()

    def _note(self, method: Method, data: bytes, answer: Answer) -> None:
        name = f"{method.name}-{answer.gist}"
        self._answers[name] += 1
        if self._keep is not None and self._answers[name] == 1 and len(data) <= KEPT_BYTES_MAX:
            (self._keep / f"{name.rstrip('-')}.bin").write_bytes(data)

    def _say(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201 - a command prints


async def soak(seconds: float, seed: int, keep: Path | None) -> None:
    """One run in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="intercomd-fuzz-") as folder:
        async with Sandbox(SandboxSettings(rate_limit=1_000_000)) as sandbox:
            daemon = await Daemon(Path(folder), sandbox.base_url, command=EXECUTABLE).start()
            try:
                await Soak(Assault(daemon, seed), daemon, keep).run(seconds)
            except BaseException:
                await daemon.kill()
                raise
            await daemon.close()
            assert sandbox.illegal_requests == []


def main() -> None:
    """Reads the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None)
    arguments = parser.parse_args()
    seed = randbelow(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)  # noqa: T201 - a command prints
    asyncio.run(soak(arguments.minutes * 60, seed, arguments.keep))


if __name__ == "__main__":
    main()
