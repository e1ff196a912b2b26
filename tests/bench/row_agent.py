"""An agent: accepting while its gateway is away, forwarding to a gateway that answers at once, and memory at rest."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from threading import Event

import grpc
from children import NOMINAL, NOWHERE, Daemon, Sandbox, Script
from rounds import Line, alternate, line, measured, written

from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub

ROUNDS, FORWARDS, WEIGHINGS = 5, 3, 3
BATCHES, BATCH, CALLERS = 150, 200, 4
FORWARD_MIN = 20_000
_AWAY = "127.0.0.1:9"
_FIRST = count(step=1_000_000)


def agent(folder: Path) -> Iterator[Line]:
    """All of it."""
    yield _accept(folder)
    yield from _forward(folder)


def _upstream(target: str) -> str:
    return f'[upstream]\ntarget = "{target}"\n'


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _rate(script: Script) -> Callable[[], float]:
    def run() -> float:
        script.ask(do="prepare", first=next(_FIRST), count=BATCHES, size=BATCH)
        answer = script.ask(do="call", callers=CALLERS)
        return BATCHES * BATCH / float(answer["seconds"])

    return run


def _accept(folder: Path) -> Line:
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(_made(folder / "daemon"), NOWHERE))
        away = stack.enter_context(Daemon(_made(folder / "agent"), NOWHERE, _upstream(_AWAY)))
        senders = [stack.enter_context(Script("sender.py", each.ingest)) for each in (away, daemon)]
        ours, limit = alternate(ROUNDS, *map(_rate, senders))
    return line("agent, gateway away: accept, batches of 200, 4 callers", "envelopes/s", ours, limit, 0.95)


def _forward(folder: Path) -> Iterator[Line]:
    rates: list[float] = []
    with ExitStack() as stack:
        sink = stack.enter_context(Script("sink.py"))
        assert sink.process.stdout
        target = f"127.0.0.1:{int(sink.process.stdout.readline())}"
        sandbox = stack.enter_context(Sandbox(NOMINAL))
        yield _memory(folder, target, sandbox.base_url)
        forwards = stack.enter_context(Daemon(_made(folder / "forwarding"), NOWHERE, _upstream(target)))
        forwards.delivering()
        sender = stack.enter_context(Script("sender.py", forwards.ingest))
        stub = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(forwards.operations)))
        before = sink.ask()
        for _ in range(FORWARDS + 1):
            stub.PauseConnection(PauseConnectionRequest(connection="default"))
            _rate(sender)()
            sink.ask(do="begin")
            busy = forwards.cpu_seconds
            stub.ResumeConnection(ResumeConnectionRequest(connection="default"))
            total = int(before["envelopes"]) + BATCHES * BATCH
            while int((taken := sink.ask())["envelopes"]) < total:
                Event().wait(0.1)  # Asking costs the sink time.
            before = taken
            rates.append(BATCHES * BATCH / float(taken["seconds"]))
            share = (forwards.cpu_seconds - busy) / float(taken["seconds"])
    ours = measured(rates[1:])
    limit = f"{written(share)} of a core busy in the agent"
    ratio = written(ours.median / FORWARD_MIN)
    yield Line(
        "agent: forwarding to a sink, batches of 500",
        f"{ours} envelopes/s",
        limit,
        ratio,
        f">= {FORWARD_MIN:,}/s",
        ours.median >= FORWARD_MIN,
    )


def _memory(folder: Path, target: str, base_url: str) -> Line:
    weighed: dict[str, list[float]] = {"agent": [], "daemon": []}
    for number in range(WEIGHINGS):
        for name, url, settings in (("agent", NOWHERE, _upstream(target)), ("daemon", base_url, "")):
            with Daemon(_made(folder / f"{name}-{number}"), url, settings) as resting:
                resting.delivering()
                weighed[name].append(resting.resident_mebibytes)
    ours, limit = measured(weighed["agent"]), measured(weighed["daemon"])
    ratio = ours.median / limit.median
    return Line("agent: memory at rest", f"{ours} MiB", f"{limit} MiB", f"{ratio:.2f}", "<= 1.00", ratio <= 1.0)
