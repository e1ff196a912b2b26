"""A spool in PostgreSQL beside one in SQLite, in the same minutes: accepting, delivering, taking over, and memory.

The server runs on the machine and the disk of the daemon and shares its two cores.
"""

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median

import asyncpg
import grpc
from backlog import fill_spool
from children import NOMINAL, NOWHERE, Daemon, Sandbox, Script
from rounds import Line, alternate, line, measured, written

from database.server import Server
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub

ROUNDS = 5
BATCHES, BATCH, BATCH_CALLERS = 100, 200, 4
SINGLES, SINGLE_CALLERS = 3_000, 64
CALLS, USERS = 4_000, 1_000
ROWS, BACKLOG_USERS = 1_000_000, 100_000
LEASE_SECONDS = 5
COMMITS = 200
BATCHES_MIN, SINGLES_MIN, DELIVER_MIN = 0.5, 0.6, 0.6
AT_REST_MAX, MORE_MAX = 72.0, 32.0
WARM, WEIGHINGS = 500, 3
_SERVER = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
_FLEET = '[fleet]\nlease = "{lease}s"\ndaemon_id = "{name}"\n'
_BATCHES = "durable accept on PostgreSQL, batches of 200, 4 callers"
_SINGLES = "durable accept on PostgreSQL, single envelopes, 64 callers"
_FIRST = count(step=1_000_000)


def accept(folder: Path) -> Iterator[Line]:
    """Durable accept, batches and single envelopes, beside SQLite."""
    with ExitStack() as stack:
        server = _server(stack)
        daemons = (_on(stack, server, folder, NOWHERE), stack.enter_context(Daemon(_made(folder / "file"), NOWHERE)))
        senders = [stack.enter_context(Script("sender.py", daemon.ingest)) for daemon in daemons]
        clocks = (lambda: daemons[0].cpu_seconds + server.cpu_seconds, lambda: daemons[1].cpu_seconds)
        for what, least, job in (
            (_BATCHES, BATCHES_MIN, (BATCHES, BATCH, BATCH_CALLERS)),
            (_SINGLES, SINGLES_MIN, (SINGLES, 1, SINGLE_CALLERS)),
        ):
            used: list[list[float]] = [[], []]
            runs = (
                _timed(_rate(sender, *job), clock, job[0] * job[1], into)
                for sender, clock, into in zip(senders, clocks, used, strict=True)
            )
            ours, limit = alternate(ROUNDS, *runs)
            yield line(what, "envelopes/s", ours, limit, least)
            mine, other = (measured(figures[1:]) for figures in used)
            name = f"processor time of {what.removeprefix('durable ')}: daemon and server"
            yield Line(name, f"{mine} µs", f"{other} µs", written(mine.median / other.median), "", None)


def flush(folder: Path) -> Iterator[Line]:
    """The same with a flush of 2 ms, with the commits that such a flush allows one connection."""
    names = [f"{what}, flush of 2 ms" for what in (_BATCHES, _SINGLES)]
    library, reason = _slow_flush(folder)
    if library is None:
        yield from (Line(name, "NOT RUN", reason, "", "", None) for name in names)
        return
    with ExitStack() as stack:
        server = _server(stack, library)
        daemon = _on(stack, server, folder, NOWHERE)
        url = server.url(_database_of(daemon))
        bound = 1 / asyncio.run(_commit_seconds(url))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        jobs = ((BATCHES, BATCH, BATCH_CALLERS), (SINGLES, 1, SINGLE_CALLERS))
        for name, (requests, size, callers) in zip(names, jobs, strict=True):
            run = _rate(sender, requests, size, callers)
            run()
            rates, commits = [], []
            for _ in range(ROUNDS):
                before = asyncio.run(_appends(url))
                rates.append(run())
                commits.append((asyncio.run(_appends(url)) - before) / (requests * size / rates[-1]))
            each, per_second = measured(rates), measured(commits)
            limit = f"{per_second} commits/s of {written(bound)} that one session makes: 1 / (flush + round trip)"
            yield Line(name, f"{each} envelopes/s", limit, written(per_second.median / bound), "", None)


def deliver(folder: Path) -> Iterator[Line]:
    """Calls per second without a budget, 64 lanes, beside SQLite."""
    with ExitStack() as stack:
        server = _server(stack)
        sandboxes = [stack.enter_context(Sandbox()) for _ in range(2)]
        for sandbox in sandboxes:
            stack.enter_context(Script("bare_caller.py", sandbox.base_url)).ask(do="contacts", users=USERS)
        daemons = (
            _on(stack, server, folder, sandboxes[0].base_url),
            stack.enter_context(Daemon(_made(folder / "file"), sandboxes[1].base_url)),
        )
        ours, limit = alternate(3, *(_delivering(stack, daemon) for daemon in daemons))
    yield line("deliver without a rate limit, 64 lanes, on PostgreSQL", "calls/s", ours, limit, DELIVER_MIN)


def _delivering(stack: ExitStack, daemon: Daemon) -> Callable[[], float]:
    numbers = count(step=CALLS)
    sender = stack.enter_context(Script("sender.py", daemon.ingest))
    operations = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(daemon.operations)))
    daemon.delivering()

    def run() -> float:
        operations.PauseConnection(PauseConnectionRequest(connection="default"))
        sender.ask(do="prepare_events", first=next(numbers), count=CALLS // 100, size=100, users=USERS)
        sender.ask(do="call", callers=1)
        before, begin = daemon.outcomes, time.perf_counter()
        operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
        daemon.delivered(before + CALLS)
        return CALLS / (time.perf_counter() - begin)

    return run


def backlog(folder: Path) -> Iterator[Line]:
    """Memory at rest and with a million waiting, and the take-over of that backlog after `kill -9`."""
    with ExitStack() as stack:
        server = _server(stack)
        sandbox = stack.enter_context(Sandbox(NOMINAL))
        resting = []
        for number in range(WEIGHINGS + 1):
            with _daemon(server, folder / f"rest-{number}", sandbox.base_url, server.database()) as daemon:
                daemon.delivering()
                resting.append(daemon.resident_mebibytes)
        rest = measured(resting[1:])
        what = "memory at rest, on PostgreSQL"
        yield Line(what, f"{rest} MiB", "", "", f"<= {AT_REST_MAX:g} MiB", rest.median <= AT_REST_MAX)
        filled = server.database()
        fill_spool(server.url(filled), ROWS, BACKLOG_USERS)
        busy, took = [], []
        for number in range(WEIGHINGS):
            database = server.database(filled)
            with (
                _daemon(server, folder / f"owner-{number}", sandbox.base_url, database) as owner,
                _daemon(server, folder / f"other-{number}", sandbox.base_url, database) as other,
            ):
                owner.delivered(WARM)
                busy.append(owner.resident_mebibytes)
                begin = time.monotonic()
                owner.process.send_signal(signal.SIGKILL)
                other.delivered(1)
                took.append(time.monotonic() - begin)
            server.psql(f"DROP DATABASE {database} WITH (FORCE)")
    full, seconds = measured(busy), measured(took)
    more, most = full.median - rest.median, LEASE_SECONDS + 5.0
    what = "memory with 1,000,000 waiting on PostgreSQL, while delivering"
    increase = f"+{written(max(more, 0.0))} MiB"
    yield Line(what, f"{full} MiB", f"{rest} MiB at rest", increase, f"<= +{MORE_MAX:g} MiB", more <= MORE_MAX)
    what = "take-over after kill -9, 1,000,000 waiting: the first outcome"
    limit = f"lease of {LEASE_SECONDS} s"
    ratio = f"+{written(seconds.median - LEASE_SECONDS)} s"
    yield Line(what, f"{seconds} s", limit, ratio, f"<= {most:g} s", max(took) <= most)


def _server(stack: ExitStack, preload: Path | None = None) -> Server:
    server = Server(_SERVER, on_disk=True, preload=preload)
    stack.callback(server.close)
    server.start()
    return server


def _on(stack: ExitStack, server: Server, folder: Path, base_url: str) -> Daemon:
    return stack.enter_context(_daemon(server, folder / "database", base_url, server.database()))


def _daemon(server: Server, folder: Path, base_url: str, database: str) -> Daemon:
    fleet = _FLEET.format(lease=LEASE_SECONDS, name=folder.name)
    return Daemon(_made(folder), base_url, fleet, spool=server.url(database))


def _database_of(daemon: Daemon) -> str:
    text = (daemon.folder / "intercomd.toml").read_text()
    return text.partition("postgresql://intercomd@/")[2].partition("?")[0]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _timed(run: Callable[[], float], clock: Callable[[], float], count: int, used: list[float]) -> Callable[[], float]:
    """Returns the run, which adds its processor microseconds per envelope to `used`."""

    def timed() -> float:
        before = clock()
        rate = run()
        used.append((clock() - before) / count * 1e6)
        return rate

    return timed


def _rate(script: Script, requests: int, size: int, callers: int) -> Callable[[], float]:
    def run() -> float:
        script.ask(do="prepare", first=next(_FIRST), count=requests, size=size)
        answer = script.ask(do="call", callers=callers)
        if answer["accepted"] != requests * size:
            raise RuntimeError(f"{answer['accepted']} of {requests * size} envelopes were accepted")
        return requests * size / float(answer["seconds"])

    return run


async def _appends(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT sum(number) FROM intercomd.daemons WHERE kind = 'append'"))
    finally:
        await connection.close()


async def _commit_seconds(url: str) -> float:
    """Returns the median seconds of the smallest statement that is flushed: a flush and a round trip."""
    connection = await asyncpg.connect(url)
    taken = []
    for _ in range(COMMITS):
        begin = time.perf_counter()
        await connection.fetchval("SELECT pg_logical_emit_message(true, '', '')")
        taken.append(time.perf_counter() - begin)
    await connection.close()
    return median(taken)


def _slow_flush(folder: Path) -> tuple[Path | None, str]:
    """Compiles what delays each flush; returns it, or why it does not exist."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None, "needs a C compiler, cc"
    library = folder / "slow_flush.so"
    source = Path(__file__).with_name("slow_flush.c")
    made = subprocess.run(  # noqa: S603 - our own source
        [compiler, "-shared", "-fPIC", "-O1", source, "-o", library], check=False, capture_output=True
    )
    if made.returncode:
        return None, made.stderr.decode()[-200:].strip()
    return library, ""
