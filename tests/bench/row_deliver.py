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
from children import COMMAND, Daemon, Sandbox, Script, older_command
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
BARE_RATE, OLDER_TIME = 0.65, 0.6


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


class _Deliverer:
    """A daemon that delivers events of `USERS` users, and their sender."""

    def __init__(self, stack: ExitStack, folder: Path, base_url: str, numbers: Iterator[int], command: Path) -> None:
        folder.mkdir()
        self._daemon = stack.enter_context(Daemon(folder, base_url, command=command))
        self._sender = stack.enter_context(Script("sender.py", self._daemon.ingest))
        self._operations = OperationsServiceStub(stack.enter_context(grpc.insecure_channel(self._daemon.operations)))
        self._numbers = numbers
        self.microseconds: list[float] = []
        """Processor time for each envelope, of each run: the read, the call, the commit of its result, the log line."""

    def rate(self) -> float:
        """Delivers what it has accepted before, and returns the calls per second."""
        self._operations.PauseConnection(PauseConnectionRequest(connection="default"))
        self._sender.ask(do="prepare_events", first=next(self._numbers), count=CALLS // 100, size=100, users=USERS)
        self._sender.ask(do="call", callers=1)
        before, used, begin = self._daemon.outcomes, self._daemon.cpu_seconds, time.perf_counter()
        self._operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
        self._daemon.delivered(before + CALLS)
        seconds = time.perf_counter() - begin
        self.microseconds.append((self._daemon.cpu_seconds - used) / CALLS * 1e6)
        return CALLS / seconds


def deliver(folder: Path) -> Iterator[Line]:
    """Calls per second without a budget, 64 at once, and the processor time of an envelope without its acceptance."""
    numbers = count(step=CALLS)
    bare_cpu: list[float] = []
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        bare = stack.enter_context(Script("bare_caller.py", sandbox.base_url))
        bare.ask(do="contacts", users=USERS)

        def limit() -> float:
            bare.ask(do="prepare_events", first=next(numbers), count=CALLS, users=USERS)
            answer = bare.ask(do="call", at_once=LANES)
            bare_cpu.append(answer["cpu_seconds"] / CALLS * 1e6)
            if answer["statuses"] != [202]:
                raise RuntimeError(f"the bare loop was answered {answer['statuses']}")
            return CALLS / float(answer["seconds"])

        ours = _Deliverer(stack, folder / "ours", sandbox.base_url, numbers, COMMAND)
        command = older_command()
        older = _Deliverer(stack, folder / "older", sandbox.base_url, numbers, command) if command else None
        rate, most, *_ = alternate(ROUNDS, ours.rate, limit, *([older.rate] if older else []))
    yield line("deliver without a rate limit, 64 lanes", "calls/s", rate, most, BARE_RATE)
    mine, least = measured(ours.microseconds[1:]), measured(bare_cpu[1:])
    what = "processor time per delivered envelope"
    yield Line(what, f"{mine} µs", f"{least} µs", written(mine.median / least.median), "", None)
    if older:
        before = measured(older.microseconds[1:])
        share = mine.median / before.median
        limit_text = f"{before} µs in the older release"
        yield Line(what, f"{mine} µs", limit_text, written(share), f"<= {OLDER_TIME:g}", share <= OLDER_TIME)


def _calls(sandbox: Sandbox) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{sandbox.base_url}/_sandbox/calls?limit=100000") as answer:  # noqa: S310 - ours
        made: list[dict[str, Any]] = json.load(answer)
    return made
