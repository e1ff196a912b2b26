"""A large backlog, or one user's, must not slow anything else: accepting, claiming and delivering beside it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import grpc
from backlog import bring
from children import NOMINAL, Daemon, Sandbox, Script
from envelopes import user_of
from rounds import Line, alternate, measured, written

from intercomd.v1.operations_pb2 import ListTrailRequest, PauseConnectionRequest, ResumeConnectionRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub

BACKLOGS, USERS = (0, 100_000, 1_000_000), 100_000
ROUNDS, BATCHES, BATCH, CALLERS = 5, 30, 200, 4
CLAIMS, FEW = 200, 1_000
HIS, OTHERS = 100_000, 1_000
# Of the million calls that a sandbox without a limit names: 49 a second, three times the budget seen of Intercom.
SHARE = "[connections.default.rate]\nshare = 0.0005\n"
# The one user of a backlog of one user.
_HE = b'"c:user-000000"'
# Far from the envelopes that wait, and never the same twice.
_FIRST = count(10_000_000, step=1_000_000)


def accept_backlog(folder: Path) -> Iterator[Line]:
    """Accepting beside a backlog that is delivered at Intercom's default rate for an app.

    The envelopes of each round stay, so the backlog "0" grows to some ten thousand.
    """
    with ExitStack() as stack:
        runs = [_accepting(stack, folder, waiting) for waiting in BACKLOGS]
        rates = alternate(ROUNDS, *runs)
    for waiting, rate in zip(BACKLOGS[1:], rates[1:], strict=True):
        ratio = rate.median / rates[0].median
        what = f"durable accept with {waiting:,} waiting, while delivering"
        yield Line(what, f"{rate} envelopes/s", f"{rates[0]} envelopes/s at 0", f"{ratio:.2f}", ">= 0.9", ratio >= 0.9)


def _accepting(stack: ExitStack, folder: Path, waiting: int) -> Callable[[], float]:
    """Returns a daemon with that backlog, which delivers only while it is measured."""
    place = folder / f"{waiting}"
    place.mkdir()
    if waiting:
        bring(folder.parent, place, waiting, USERS)
    daemon = stack.enter_context(Daemon(place, stack.enter_context(Sandbox(NOMINAL)).base_url))
    sender = stack.enter_context(Script("sender.py", daemon.ingest))
    operations = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(daemon.operations)))
    daemon.delivering()
    operations.PauseConnection(PauseConnectionRequest(connection="default"))

    def run() -> float:
        sender.ask(do="prepare", first=next(_FIRST), count=BATCHES, size=BATCH)
        operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
        answer = sender.ask(do="call", callers=CALLERS)
        operations.PauseConnection(PauseConnectionRequest(connection="default"))
        return float(answer["accepted"]) / float(answer["seconds"])

    return run


def claim(folder: Path) -> Iterator[Line]:
    """The engine's part of delivering: the next rows of the log with each lane's cached contact."""
    many, few = folder / "many", folder / "few"
    with ExitStack() as stack:
        runs = []
        for place, rows, users in ((many, BACKLOGS[-1], USERS), (few, FEW, FEW)):
            place.mkdir()
            script = stack.enter_context(Script("claims.py", bring(folder.parent, place, rows, users)))
            runs.append(_claiming(script))
        of_many, of_few = alternate(ROUNDS, *runs)
    ratio = of_many.median / of_few.median
    what = "claim of the next lanes (512 rows), 1,000,000 waiting over 100,000 users"
    yield Line(what, f"{of_many} ms", f"{of_few} ms at 1,000", f"{ratio:.2f}", "<= 2", ratio <= 2)


def _claiming(script: Script) -> Callable[[], float]:
    return lambda: measured(script.ask(do="claim", times=CLAIMS)["milliseconds"]).median


def crowd(folder: Path) -> Iterator[Line]:
    """Latency of other users' envelopes behind 100,000 envelopes of one user, and without them.

    Both are measured at once, each with a daemon and a sandbox of its own.
    """
    with ExitStack() as stack:
        beside, alone = (_others(stack, folder, his) for his in (HIS, 0))
        with_him, without = beside(), alone()
    for name, part in (("median", 50), ("p99", 99)):
        mine, least = (quantiles(ages, n=100)[part - 1] for ages in (with_him, without))
        what = f"delay of 1,000 users beside one with 100,000 waiting, {name}"
        ratio = mine / least
        yield Line(
            what, f"{written(mine)} s", f"{written(least)} s without that user", f"{ratio:.2f}", "<= 1.2", ratio <= 1.2
        )


def _others(stack: ExitStack, folder: Path, his: int) -> Callable[[], list[float]]:
    """Publishes an envelope of each other user at once; returns a function that waits for and returns the latencies."""
    place = folder / f"{his}"
    place.mkdir()
    if his:
        bring(folder.parent, place, his, 1)
    sandbox = stack.enter_context(Sandbox())
    creator = stack.enter_context(Script("bare_caller.py", sandbox.base_url))
    creator.ask(do="contacts", users=OTHERS)
    daemon = stack.enter_context(Daemon(place, sandbox.base_url, SHARE))
    sender = stack.enter_context(Script("sender.py", daemon.ingest))
    sender.ask(do="prepare_events", first=next(_FIRST), count=OTHERS // 500, size=500, users=OTHERS)
    sender.ask(do="call", callers=1)

    def wait() -> list[float]:
        daemon.wait(lambda: len(_of_others(daemon)) == OTHERS - 1)
        return [json.loads(line)["age_seconds"] for line in _of_others(daemon)]

    return wait


def _of_others(daemon: Daemon) -> list[bytes]:
    return [line for line in daemon.ended if _HE not in line]


def trail(folder: Path) -> Iterator[Line]:
    """The trail of one user among a million waiting envelopes, after a kill, by each of its names.

    Measured with the spool in the operating system's cache, and without it, as after a restart of the machine.
    """
    with ExitStack() as stack:
        spool = bring(folder.parent, folder, BACKLOGS[-1], USERS)
        sandbox = stack.enter_context(Sandbox(NOMINAL))
        with Daemon(folder, sandbox.base_url) as killed, grpc.insecure_channel(killed.operations) as channel:
            killed.delivering()
            OperationsServiceStub(channel).PauseConnection(PauseConnectionRequest(connection="default"))
        daemon = stack.enter_context(Daemon(folder, sandbox.base_url))
        operations = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(daemon.operations)))
        user = user_of(USERS - 1, USERS)
        for name, wanted in (
            ("customer id", ListTrailRequest(customer_id=user)),
            ("email", ListTrailRequest(email=f"{user}@example.com")),
            ("unknown envelope id", ListTrailRequest(envelope_id="unknown")),
        ):
            cached = measured([_seconds(lambda wanted=wanted: operations.ListTrail(wanted)) for _ in range(ROUNDS)])
            cold: list[float] = []
            for _ in range(ROUNDS):
                _evict(spool)
                cold.append(_seconds(lambda wanted=wanted: operations.ListTrail(wanted)))
            what = f"trail by {name}, 1,000,000 waiting"
            yield Line(what, f"{written(cached.median)} s", "", "", "<= 1 s", cached.median <= 1.0)
            yield Line(f"{what}, cold", f"{written(measured(cold).median)} s", "", "", "", None)


def _evict(path: Path) -> None:
    """Drops the file from the operating system's cache."""
    os.sync()
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began
