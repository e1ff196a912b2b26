"""The footprint: memory at rest and with a large backlog, and the time until the daemon serves.

The limit is an interpreter that has imported gRPC and aiohttp, which every such daemon in Python needs. The first run
of each does not count: it writes the bytecode for the others.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from backlog import bring
from children import NOMINAL, NOWHERE, Daemon, Sandbox, Script
from rounds import Line, alternate, measured, written

STARTS, WEIGHINGS = 5, 3
ROWS, USERS = 1_000_000, 100_000
WARM = 500
"""Outcomes after which the read-ahead window, the caches and the connections are full."""
AT_REST_MAX, MORE_MAX = 60.0, 32.0
SECONDS_MAX, TIMES_MAX = 1.0, 1.3


def memory(folder: Path) -> Iterator[Line]:
    """Resident memory at rest, and while a million envelopes wait and are delivered."""
    resting, bare, busy = [], [], []
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(NOMINAL))
        for number in range(WEIGHINGS + 1):
            with (
                Daemon(_made(folder / f"rest-{number}"), sandbox.base_url) as daemon,
                Script("bare_imports.py") as least,
            ):
                least.ask(do="versions")
                daemon.delivering()
                resting.append(daemon.resident_mebibytes)
                bare.append(least.resident_mebibytes)
        bring(folder.parent, folder, ROWS, USERS)
        with Daemon(folder, sandbox.base_url) as daemon:
            for outcomes in range(WARM, WARM * (WEIGHINGS + 1), WARM):
                daemon.delivered(outcomes)
                busy.append(daemon.resident_mebibytes)
    rest, full, least_memory = measured(resting[1:]), measured(busy), measured(bare[1:])
    ratio = written(rest.median / least_memory.median)
    yield Line(
        "memory at rest",
        f"{rest} MiB",
        f"{least_memory} MiB",
        ratio,
        f"<= {AT_REST_MAX:g} MiB",
        rest.median <= AT_REST_MAX,
    )
    more = full.median - rest.median
    what = "memory with 1,000,000 waiting, while delivering"
    increase = f"+{written(max(more, 0.0))} MiB"
    yield Line(what, f"{full} MiB", f"{rest} MiB at rest", increase, f"<= +{MORE_MAX:g} MiB", more <= MORE_MAX)


def start(folder: Path) -> Iterator[Line]:
    """From exec to SERVING, on an empty spool and on one with a million waiting envelopes."""
    empty_folder = _made(folder / "empty")
    bring(folder.parent, folder, ROWS, USERS)
    empty, full, bare = alternate(STARTS, _started(empty_folder), _started(folder), _imported)
    ratio = written(empty.median / bare.median)
    what = "exec to SERVING, empty spool"
    yield Line(what, f"{empty} s", f"{bare} s", ratio, f"<= {SECONDS_MAX} s", empty.median <= SECONDS_MAX)
    times = full.median / empty.median
    what = "exec to SERVING, 1,000,000 waiting"
    yield Line(what, f"{full} s", f"{empty} s empty", written(times), f"<= {TIMES_MAX}", times <= TIMES_MAX)


def _started(folder: Path) -> Callable[[], float]:
    def run() -> float:
        with Daemon(folder, NOWHERE) as daemon:
            return daemon.start_seconds

    return run


def _imported() -> float:
    begin = time.perf_counter()
    with Script("bare_imports.py") as script:
        script.ask(do="versions")
        return time.perf_counter() - begin


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
