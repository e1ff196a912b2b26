"""Delivering: the calls of the standard job, the share of the budget that is used, and the cost of a call.

The daemon and the sandbox each run in a process of their own.
"""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from children import Daemon, Sandbox, Script
from rounds import Line, alternate, line, measured, written

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd.values import attributes

EVENTS, CONTACTS, ATTRIBUTES = 1_000, 100, 10
RATE, WINDOW_SECONDS, WINDOWS = 167, 10, 4
LEARNING_WINDOWS = 2
CALLS, USERS, LANES, ROUNDS = 4_000, 1_000, 64, 5


def calls(folder: Path) -> Iterator[Line]:
    """Calls for the standard job: 1,000 events of 100 users, each with the same ten attributes."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        daemon = stack.enter_context(Daemon(folder, sandbox.base_url))
        update = attributes({f"attribute {number}": number for number in range(ATTRIBUTES)})
        job = [
            Envelope(
                identity=Identity(customer_id=f"user-{number % CONTACTS:04d}"),
                user_attributes=update,
                custom_event=CustomEvent(name=f"event {number // CONTACTS}"),
            )
            for number in range(EVENTS)
        ]
        with grpc.insecure_channel(daemon.ingest) as channel:
            for at in range(0, EVENTS, 500):
                request = PublishRequest(request_id=f"job-{at}", envelopes=job[at : at + 500])
                IngestServiceStub(channel).Publish(request)
        daemon.delivered(EVENTS)
        made = [call for call in _calls(sandbox) if call["path"].startswith(("/contacts", "/events"))]
    least = EVENTS + CONTACTS
    ratio = len(made) / least
    what = "calls for the standard job (1,000 events, 100 users, 10 equal attributes)"
    yield Line(what, f"{len(made):,} calls", f"{least:,} calls", f"{ratio:.2f}", "1.00", len(made) == least)


def budget(folder: Path) -> Iterator[Line]:
    """The share of the budget that is used while a backlog waits, after two windows in which the reset is learned."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(RATE))
        daemon = stack.enter_context(Daemon(folder, sandbox.base_url))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        creator = stack.enter_context(Script("bare_caller.py", sandbox.base_url))
        creator.ask(do="contacts", users=100)
        backlog = (WINDOWS + LEARNING_WINDOWS + 2) * RATE
        sender.ask(do="prepare_events", first=0, count=backlog // 100 + 1, size=100, users=100)
        first = int(time.time() // WINDOW_SECONDS) + 1 + LEARNING_WINDOWS
        sender.ask(do="call", callers=1)
        daemon.delivered(int(RATE * (WINDOWS + LEARNING_WINDOWS + 0.5)))
        made = _calls(sandbox)
    of_window = Counter(int(call["time"] // WINDOW_SECONDS) for call in made if call["status"] != 429)
    used = measured([of_window[window] / RATE for window in range(first, first + WINDOWS)])
    refused = sum(call["status"] == 429 for call in made)
    what = "rate limit used with a steady backlog; 429s"
    holds = used.median >= 0.98 and refused == 0
    ours = f"{used.median:.3f}; {refused}"
    yield Line(what, ours, f"{RATE} calls in {WINDOW_SECONDS} s", f"{used.median:.2f}", ">= 0.98; none", holds)


def deliver(folder: Path) -> Iterator[Line]:
    """Calls per second without a budget, 64 at once, and the processor time of an envelope."""
    numbers = count(step=CALLS)
    ours_cpu: list[float] = []
    bare_cpu: list[float] = []
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        bare = stack.enter_context(Script("bare_caller.py", sandbox.base_url))
        bare.ask(do="contacts", users=USERS)
        daemon = stack.enter_context(Daemon(folder, sandbox.base_url))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        operations = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(daemon.operations)))

        def ours() -> float:
            operations.PauseConnection(PauseConnectionRequest(connection="default"))
            sender.ask(do="prepare_events", first=next(numbers), count=CALLS // 100, size=100, users=USERS)
            sender.ask(do="call", callers=1)
            before, used, begin = daemon.outcomes, daemon.cpu_seconds, time.perf_counter()
            operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
            daemon.delivered(before + CALLS)
            seconds = time.perf_counter() - begin
            ours_cpu.append((daemon.cpu_seconds - used) / CALLS * 1e6)
            return CALLS / seconds

        def limit() -> float:
            bare.ask(do="prepare_events", first=next(numbers), count=CALLS, users=USERS)
            answer = bare.ask(do="call", at_once=LANES)
            bare_cpu.append(answer["cpu_seconds"] / CALLS * 1e6)
            if answer["statuses"] != [202]:
                raise RuntimeError(f"the bare loop was answered {answer['statuses']}")
            return CALLS / float(answer["seconds"])

        rate, most = alternate(ROUNDS, ours, limit)
    yield line("deliver without a rate limit, 64 lanes", "calls/s", rate, most, 0.5)
    mine, least = measured(ours_cpu[1:]), measured(bare_cpu[1:])
    ratio = f"{written(mine.median / least.median)}"
    yield Line("processor time per delivered envelope", f"{mine} µs", f"{least} µs", ratio, "", None)


def _calls(sandbox: Sandbox) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{sandbox.base_url}/_sandbox/calls?limit=100000") as answer:  # noqa: S310 - ours
        made: list[dict[str, Any]] = json.load(answer)
    return made
