"""What refused calls cost: processor time for each, and the latency of another caller beside 500 of them a second.

Calls have a wrong token, or a caller's token above its quota. Latency is compared with that of the caller alone. Calls
also take processor time wherever they are refused, and keep the caches warm. So everything is compared as well with the
same calls to a bare gRPC server in a process of its own, which refuses each one at once: what remains is what it costs
to refuse them in the daemon's process.

Other work on the machine delays single requests by more than refusals do. So all processes have real-time priority, if
the system allows that, the spool is in memory, and conditions take turns of a second, of which each is compared with
the other of its round.
"""

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from children import NOWHERE, Daemon, Script
from rounds import Line, alternated, compared, measured

from intercomd_daemon.rpc.callers import hash_of

PER_SECOND, REFUSED = 100.0, 500.0
"""Requests of the other caller, and refused calls."""
BEATS, ROUNDS = 100, 60
"""Requests in a turn, of which the second slowest is its p99."""
MARGIN_SECONDS = 0.2
"""By how much refused calls go on longer than the requests, which begin later."""
COST_SECONDS, COST_ROUNDS = 1.0, 15
MORE_MAX = 0.1
IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder in it is made
_FIRST = count(step=1_000_000)


def offender(folder: Path) -> Iterator[Line]:
    """Processor time of a refused call, and latency of a caller at 1,000 envelopes per second in tens beside 500."""
    token, limited, wrong = (secrets.token_urlsafe(32) for _ in range(3))
    settings = (
        f'[callers.bench]\ntoken_sha256 = ["{hash_of(token)}"]\n'
        f'[callers.limited]\ntoken_sha256 = ["{hash_of(limited)}"]\nenvelopes_per_second = 1\n'
    )
    with ExitStack() as stack:
        stack.enter_context(_real_time())
        spool = stack.enter_context(TemporaryDirectory(dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else folder))
        daemon = stack.enter_context(Daemon(folder, NOWHERE, settings, spool=f"sqlite:{spool}/spool.db"))
        bare = stack.enter_context(Script("bare_refusal.py"))
        assert bare.process.stdout
        control = f"127.0.0.1:{int(bare.process.stdout.readline())}"
        caller = stack.enter_context(Script("sender.py", daemon.ingest, "", token))
        _use_up_quota(daemon, limited)
        unknown = stack.enter_context(Script("offender.py", daemon.ingest, wrong))
        above_quota = stack.enter_context(Script("offender.py", daemon.ingest, limited))
        elsewhere = stack.enter_context(Script("offender.py", control, wrong))
        costs = alternated(
            COST_ROUNDS,
            _cost_of_refusal(daemon, unknown),
            _cost_of_refusal(daemon, above_quota),
            _cost_of_refusal(bare, elsewhere),
        )
        latencies = alternated(
            ROUNDS,
            _beside(unknown, caller),
            _beside(above_quota, caller),
            _beside(elsewhere, caller),
            _beside(None, caller),
        )
    names = ("with a wrong token", "above the caller's quota")
    for name, ours in zip(names, costs, strict=False):
        own = measured([of_ours - of_bare for of_ours, of_bare in zip(ours, costs[-1], strict=True)]).median
        what = f"processor time per call {name}"
        yield Line(what, f"{measured(ours)} µs", f"{measured(costs[-1])} µs", f"{own:+.0f} µs", "", None)
    *refusing, refused_elsewhere, alone = latencies
    for others, where in ((alone, "alone"), (refused_elsewhere, "refused elsewhere")):
        for name, ours in zip(names, refusing, strict=True):
            what = f"acknowledgement, p99, beside 500 calls/s {name}"
            more = compared(ours, others)
            limit = f"{measured(others)} ms {where}"
            yield Line(what, f"{measured(ours)} ms", limit, str(more), f"<= +{MORE_MAX:.0%}", more.most <= MORE_MAX)


@contextmanager
def _real_time() -> Iterator[None]:
    """Gives this process, and those that it starts meanwhile, real-time priority if the system allows it."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def _use_up_quota(daemon: Daemon, token: str) -> None:
    """Publishes a request of 500 envelopes, which a quota of one a second takes more than eight minutes to allow."""
    with Script("sender.py", daemon.ingest, "", token) as sender:
        sender.ask(do="prepare", first=next(_FIRST), count=1, size=500)
        sender.ask(do="call", callers=1)


def _beside(offending: Script | None, caller: Script) -> Callable[[], float]:
    """Returns a turn of the caller beside refused calls, which returns its p99."""

    def run() -> float:
        caller.ask(do="prepare", first=next(_FIRST), count=BEATS, size=10)
        refused = Thread(target=_offend, args=(offending, BEATS / PER_SECOND + MARGIN_SECONDS))
        if offending is not None:
            refused.start()
        taken = caller.ask(do="beat", per_second=PER_SECOND)["milliseconds"]
        if offending is not None:
            refused.join()
        return float(sorted(taken, reverse=True)[BEATS // 100])

    return run


def _offend(offending: Script, seconds: float) -> None:
    calls = int(seconds * REFUSED)
    answered = offending.ask(do="offend", per_second=REFUSED, count=calls)["answered"]
    if answered != calls:
        raise RuntimeError(f"{answered} of {calls} calls were answered")


def _cost_of_refusal(server: Daemon | Script, offending: Script) -> Callable[[], float]:
    """Returns a run of refused calls, which returns the microseconds of the server's processor for each."""

    def run() -> float:
        before = server.cpu_seconds
        _offend(offending, COST_SECONDS)
        return (server.cpu_seconds - before) / (COST_SECONDS * REFUSED) * 1_000_000

    return run
