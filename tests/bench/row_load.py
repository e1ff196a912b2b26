"""Accepting from a load generator in Go: batches, tens, single envelopes, and the delay of a response.

Deliveries are suspended: nothing listens at the address of the daemon's connection. Envelopes have 5 + 5 attributes and
272 bytes. The daemon and the load generator share two cores.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from children import NOWHERE, Daemon, Program, Script, older_command
from load_generator import LoadGenerator, NotBuiltError, build, write_requests
from rounds import Line, alternate, line, measured, written

ROUNDS = 5
PER_SECOND, BEATS = 100.0, 300
BARE_BATCHES, BARE_SINGLES, OLDER_TENS = 0.9, 0.8, 2.0
BATCH_MICROSECONDS = 45.0
DELAYS = (("p50", 50, 2.5), ("p99", 99, 8.0))
_FIRST = count(step=1_000_000)


class Requests(NamedTuple):
    """What one run sends."""

    count: int
    size: int
    callers: int

    @property
    def envelopes(self) -> int:
        """The number of envelopes."""
        return self.count * self.size


BATCHES = Requests(150, 200, 4)
TENS = Requests(1_500, 10, 16)
SINGLES = Requests(4_000, 1, 64)


class _Accepting:
    """A process that accepts, and the load generator that calls it."""

    def __init__(self, stack: ExitStack, folder: Path, process: Daemon | Program, target: str) -> None:
        self._folder = folder
        self._process = process
        self._load = stack.enter_context(LoadGenerator(folder / "load", target))
        self.microseconds: list[float] = []
        """Processor time for each envelope, of each run."""

    def rate(self, requests: Requests) -> Callable[[], float]:
        """Returns a run, which returns envelopes per second."""

        def run() -> float:
            self._load.prepare(_written(self._folder, requests))
            before = self._process.cpu_seconds
            seconds = float(self._load.ask(do="call", callers=requests.callers)["seconds"])
            self.microseconds.append((self._process.cpu_seconds - before) / requests.envelopes * 1e6)
            accepted = self._load.accepted()
            if accepted != requests.envelopes:
                raise RuntimeError(f"{accepted} of {requests.envelopes} envelopes were accepted")
            return accepted / seconds

        return run

    def delays(self) -> list[float]:
        """Returns the milliseconds of responses at 1,000 envelopes per second in tens."""
        self._load.prepare(_written(self._folder, Requests(BEATS, 10, 1)))
        return self._load.ask(do="beat", per_second=PER_SECOND)["milliseconds"]

    def cost(self, what: str, beside: list[float], most: float | None = None) -> Line:
        """Returns the line of the processor time, beside that of another process, both without the warm-up's."""
        ours, limit = measured(self.microseconds[1:]), measured(beside[1:])
        target, met = (f"<= {most:g} µs", ours.median <= most) if most else ("", None)
        what = f"processor time per accepted envelope, {what}"
        return Line(what, f"{ours} µs", f"{limit} µs", written(ours.median / limit.median), target, met)


def _written(folder: Path, requests: Requests) -> Path:
    file = folder / "requests"
    write_requests(file, next(_FIRST), requests.count, requests.size)
    return file


def load_batches(folder: Path) -> Iterator[Line]:
    """Batches of 200 by 4 callers, beside the bare loop."""
    yield from _when_built(folder, _batches, "batches of 200")


def load_tens(folder: Path) -> Iterator[Line]:
    """Tens by 16 callers, beside a server that responds at once and an older release."""
    yield from _when_built(folder, _tens, "tens")


def load_singles(folder: Path) -> Iterator[Line]:
    """Single envelopes by 64 callers, beside a server that responds at once."""
    yield from _when_built(folder, _singles, "single envelopes")


def load_latency(folder: Path) -> Iterator[Line]:
    """The delay of responses at 1,000 envelopes per second in tens, beside a commit."""
    yield from _when_built(folder, _latency, "acknowledgement")


def _when_built(folder: Path, rows: Callable[[ExitStack, Path], Iterator[Line]], what: str) -> Iterator[Line]:
    try:
        build(folder)
    except NotBuiltError as error:
        yield Line(f"{what}, load in Go: not measured", str(error).splitlines()[0], "", "", "", None)
        return
    with ExitStack() as stack:
        yield from rows(stack, folder)


def _daemon(stack: ExitStack, folder: Path) -> _Accepting:
    daemon = stack.enter_context(Daemon(folder, NOWHERE))
    return _Accepting(stack, folder, daemon, daemon.ingest)


def _batches(stack: ExitStack, folder: Path) -> Iterator[Line]:
    daemon = _daemon(stack, folder)
    loop = stack.enter_context(Script("bare_loop.py", folder / "bare.db"))

    bare_microseconds: list[float] = []

    def bare() -> float:
        loop.ask(do="read", file=str(_written(folder, BATCHES)))
        before = loop.cpu_seconds
        seconds = float(loop.ask(do="run")["seconds"])
        bare_microseconds.append((loop.cpu_seconds - before) / BATCHES.envelopes * 1e6)
        return BATCHES.envelopes / seconds

    ours, limit = alternate(ROUNDS, daemon.rate(BATCHES), bare)
    yield line("durable accept, batches of 200, 4 callers in Go", "envelopes/s", ours, limit, BARE_BATCHES)
    yield daemon.cost("batches of 200", bare_microseconds, BATCH_MICROSECONDS)


def _bare_server(stack: ExitStack, folder: Path) -> _Accepting:
    server = stack.enter_context(Script("bare_server.py"))
    assert server.process.stdout
    return _Accepting(stack, folder, server, f"127.0.0.1:{int(server.process.stdout.readline())}")


def _tens(stack: ExitStack, folder: Path) -> Iterator[Line]:
    command = older_command()
    what = "durable accept, tens, 16 callers in Go"
    daemon, bare = _daemon(stack, folder), _bare_server(stack, folder)
    runs = [daemon.rate(TENS), bare.rate(TENS)]
    if command is not None:
        (folder / "older").mkdir()
        process = stack.enter_context(Daemon(folder / "older", NOWHERE, command=command))
        older = _Accepting(stack, folder, process, process.ingest)
        runs.append(older.rate(TENS))
    ours, limit, *before = alternate(ROUNDS, *runs)
    yield line(f"{what}, beside a server that responds at once", "envelopes/s", ours, limit, None)
    yield daemon.cost("tens", bare.microseconds)
    if before:
        yield line(f"{what}, beside an older release", "envelopes/s", ours, before[0], OLDER_TENS)
        yield daemon.cost("tens, beside an older release", older.microseconds)
    else:
        yield Line(f"{what}, beside an older release", "not measured", "needs OLDER=folder", "", "", None)


def _singles(stack: ExitStack, folder: Path) -> Iterator[Line]:
    daemon, bare = _daemon(stack, folder), _bare_server(stack, folder)
    ours, limit = alternate(ROUNDS, daemon.rate(SINGLES), bare.rate(SINGLES))
    yield line("durable accept, single envelopes, 64 callers in Go", "envelopes/s", ours, limit, BARE_SINGLES)
    yield daemon.cost("single envelopes", bare.microseconds)


def _latency(stack: ExitStack, folder: Path) -> Iterator[Line]:
    daemon = _daemon(stack, folder)
    commit = stack.enter_context(Script("bare_commit.py", folder / "bare.db"))
    ours: list[float] = []
    limit: list[float] = []
    for counts in (False, True, True, True):
        taken = daemon.delays()
        bare = commit.ask(do="beat", count=BEATS, size=10, per_second=PER_SECOND)["milliseconds"]
        if counts:
            ours += taken
            limit += bare
    for name, part, most in DELAYS:
        mine, least = quantiles(ours, n=100)[part - 1], quantiles(limit, n=100)[part - 1]
        what = f"acknowledgement at 1,000 envelopes/s in tens from Go, {name}"
        more = mine - least
        target = f"<= +{most:g} ms"
        yield Line(what, f"{written(mine)} ms", f"{written(least)} ms", f"+{written(more)} ms", target, more <= most)
