"""Accepting: envelopes per second on disk, beside minimal programs that do a part of the work.

The daemon's connection has an address at which nothing listens, so that nothing is delivered meanwhile. Its callers
share the two cores with it; the bare loop has no callers and a core of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles

from children import NOWHERE, Daemon, Script
from rounds import Line, Measured, alternate, line, measured, written

ROUNDS = 5
BATCHES, BATCH = 150, 200
MESSAGES, MESSAGE = 600, 50
SINGLES, CALLERS = 4_000, 64
PER_SECOND, TEN, BEATS = 100.0, 10, 300
# Never the same envelope twice.
_FIRST = count(step=1_000_000)


def accept_batches(folder: Path) -> Iterator[Line]:
    """Durable accept, batches of 200, 4 callers."""
    what = "durable accept, batches of 200, 4 callers"
    yield from _beside_bare_loop(what, folder, BATCHES, BATCH, do="call", callers=4)


def accept_singles(folder: Path) -> Iterator[Line]:
    """Durable accept, single envelopes, 64 callers."""
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(folder, NOWHERE))
        bare = stack.enter_context(Script("bare_server.py"))
        assert bare.process.stdout
        port = int(bare.process.stdout.readline())
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        to_bare = stack.enter_context(Script("sender.py", f"127.0.0.1:{port}"))
        ours, limit = alternate(
            ROUNDS,
            _rate(sender, SINGLES, 1, "call", callers=CALLERS),
            _rate(to_bare, SINGLES, 1, "call", callers=CALLERS),
        )
    yield line("durable accept, single envelopes, 64 callers", "envelopes/s", ours, limit, 0.6)


def stream(folder: Path) -> Iterator[Line]:
    """A stream of batches of 50, from one caller that does not wait for each response."""
    what = "stream, batches of 50, one caller ahead of its responses"
    yield from _beside_bare_loop(what, folder, MESSAGES, MESSAGE, do="stream", stream=True)


def _beside_bare_loop(
    what: str, folder: Path, requests: int, size: int, do: str, *, stream: bool = False, **how: int
) -> Iterator[Line]:
    cpu: list[float] = []
    bare_cpu: list[float] = []
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(folder, NOWHERE))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        loop = stack.enter_context(Script("bare_loop.py", folder / "bare.db"))
        ours, limit = alternate(
            ROUNDS,
            _rate(sender, requests, size, do, stream=stream, used=(lambda: daemon.cpu_seconds, cpu), **how),
            _rate(loop, requests, size, "run", used=(lambda: loop.cpu_seconds, bare_cpu)),
        )
    yield line(what, "envelopes/s", ours, limit, 0.6)
    mine, least = measured(cpu[1:]), measured(bare_cpu[1:])
    cost = f"processor time per accepted envelope, batches of {size}"
    yield Line(cost, f"{mine} µs", f"{least} µs", written(mine.median / least.median), "", None)


def _rate(
    script: Script,
    requests: int,
    size: int,
    do: str,
    *,
    stream: bool = False,
    used: tuple[Callable[[], float], list[float]] | None = None,
    **how: int,
) -> Callable[[], float]:
    """Returns a run of requests, which returns envelopes per second.

    `used` has the processor seconds of the process to measure; its microseconds per envelope are added to the list.
    """

    def run() -> float:
        asked = {"first": next(_FIRST), "count": requests, "size": size}
        script.ask(do="prepare", **asked, **({"stream": True} if stream else {}))
        before = used[0]() if used else 0.0
        answer = script.ask(do=do, **how)
        if used:
            used[1].append((used[0]() - before) / (requests * size) * 1e6)
        taken = answer.get("accepted", requests * size)
        if taken != requests * size:
            raise RuntimeError(f"{taken} of {requests * size} envelopes were accepted")
        return taken / float(answer["seconds"])

    return run


def latency(folder: Path) -> Iterator[Line]:
    """Latency of acknowledgements at 1,000 envelopes per second in requests of ten."""
    ours: list[float] = []
    limit: list[float] = []
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(folder, NOWHERE))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        commit = stack.enter_context(Script("bare_commit.py", folder / "bare.db"))
        for warm in (False, True, True, True):
            sender.ask(do="prepare", first=next(_FIRST), count=BEATS, size=TEN)
            taken = sender.ask(do="beat", per_second=PER_SECOND)["milliseconds"]
            bare = commit.ask(do="beat", count=BEATS, size=TEN, per_second=PER_SECOND)["milliseconds"]
            if warm:
                ours += taken
                limit += bare
    for name, part, over in (("p50", 50, 3.0), ("p99", 99, 10.0)):
        mine, least = _percentile(ours, part), _percentile(limit, part)
        what = f"acknowledgement at 1,000 envelopes/s in tens, {name}"
        more = mine.median - least.median
        yield Line(
            what, f"{mine} ms", f"{least} ms", f"+{written(max(more, 0.0))} ms", f"<= +{over:g} ms", more <= over
        )


def _percentile(figures: list[float], part: int) -> Measured:
    return measured([quantiles(figures, n=100)[part - 1]])
