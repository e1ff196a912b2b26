"""How fast each client publishes, beside bare stubs of the same language in batches of 200, one call at a time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Self

from children import NOWHERE, Daemon
from rounds import Line, alternated, measured

sys.path.append(str(Path(__file__).resolve().parents[2] / "clients"))

from languages import OTHERS, NotRunError

ROUNDS = 7
ENVELOPES = 20_000
LEAST = 0.8
PYTHON = (sys.executable, str(Path(__file__).resolve().parents[2] / "clients" / "conformance" / "driver.py"))


def clients(folder: Path) -> Iterator[Line]:
    """Envelopes a second by the client of each language."""
    drivers: list[tuple[str, Sequence[str], Path]] = [("python", PYTHON, folder)]
    for language in OTHERS:
        if not language.driver:
            continue
        try:
            language.build()
        except NotRunError as error:
            yield Line(f"{language.name}: NOT RUN", str(error).splitlines()[0], "", "", "", holds=False)
        else:
            drivers.append((language.name, language.driver, language.folder))
    for name, command, place in drivers:
        (folder / name).mkdir()
        with Daemon(folder / name, NOWHERE, "") as daemon, Driver(command, place) as driver:
            client, stubs = alternated(
                ROUNDS, lambda: driver.rate(daemon.ingest, "client"), lambda: driver.rate(daemon.ingest, "stubs")
            )
        # Runs of one round share the same few seconds: on a busy machine, the rate itself varies by half.
        ratio = median(ours / bare for ours, bare in zip(client, stubs, strict=True))
        what = f"envelopes/s, client beside bare stubs: {name}"
        yield Line(what, str(measured(client)), str(measured(stubs)), f"{ratio:.2f}", f">= {LEAST}", ratio >= LEAST)


class Driver:
    """The process of a conformance driver."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True)  # noqa: S603 - ours

    def rate(self, target: str, case: str) -> float:
        """Returns how many envelopes a second were accepted."""
        print(
            json.dumps({"do": "rate", "target": target, "count": ENVELOPES, "case": case}),
            file=self._process.stdin,
            flush=True,
        )
        reply = json.loads(self._process.stdout.readline())
        return float(reply["per_second"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
