"""The memory of a daemon that has delivered a million envelopes, printed over the run."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from children import DELIVERIES, NOWHERE, Daemon, Script
from rounds import Line

ENVELOPES = 1_000_000
USERS = 100_000
STEP = 10_000
"""Envelopes that wait at most: they are published when those before them are delivered."""
REPORTS = 20
WARM = 100_000
"""Envelopes after which windows and caches are full. A run of fewer than twice that cannot show any growth."""
MEBIBYTES_MAX = 100.0
GROWTH_MAX = 2.0
"""MiB from the middle of the run to its end: a leak of 5 bytes for each envelope would exceed it."""


def delivered(folder: Path) -> Iterator[Line]:
    """Resident memory while events of many users are accepted and delivered, without a rate limit."""
    envelopes = int(os.environ.get(DELIVERIES, ENVELOPES))
    memory: list[float] = []
    with ExitStack() as stack:
        with Daemon(folder, NOWHERE):
            pass  # It leaves bytecode: without it a daemon needs 5 MiB more.
        server = stack.enter_context(Script("accepting_server.py"))
        assert server.process.stdout
        daemon = stack.enter_context(Daemon(folder, f"http://127.0.0.1:{int(server.process.stdout.readline())}"))
        sender = stack.enter_context(Script("sender.py", daemon.ingest))
        daemon.delivering()
        resting = daemon.resident_mebibytes
        for first in range(0, envelopes, STEP):
            sender.ask(do="prepare_events", first=first, count=STEP // 100, size=100, users=USERS)
            sender.ask(do="call", callers=4)
            daemon.delivered(first + STEP)
            daemon.ended.clear()
            memory.append(daemon.resident_mebibytes)
            if len(memory) % max(1, envelopes // STEP // REPORTS) == 0:
                _say(f"  {first + STEP:,} delivered: {memory[-1]:.1f} MiB")
    middle, last = memory[len(memory) // 2], memory[-1]
    holds = max(memory) <= MEBIBYTES_MAX and last - middle <= GROWTH_MAX
    yield Line(
        f"memory after {envelopes:,} delivered",
        f"{last:.1f} MiB, at most {max(memory):.1f}",
        f"{resting:.1f} MiB at rest, {middle:.1f} after half",
        f"{last - middle:+.1f} MiB",
        f"<= {MEBIBYTES_MAX:g} MiB, <= +{GROWTH_MAX:g}",
        holds if envelopes >= 2 * WARM else None,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - how far it is
