"""Delivers a backlog and counts how much of each rate window was used, and how often it was exceeded."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple, Self

from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from senders.client import envelope

USERS = 60
BATCH = 500


class Pace(NamedTuple):
    """The calls of each window in turn, the last one cut off by the end of the backlog."""

    limit: int
    windows: list[int]
    refused: int
    """Calls answered 429."""

    @classmethod
    def of(cls, sandbox: Sandbox) -> Self:
        """Counts the calls of a sandbox."""
        seconds = sandbox.settings.rate_window_seconds
        counts = Counter(int(call.time // seconds) for call in sandbox.calls if call.status != 429)
        windows = [counts[window] for window in range(min(counts), max(counts) + 1)]
        return cls(sandbox.settings.rate_limit, windows, sum(call.status == 429 for call in sandbox.calls))

    @property
    def full(self) -> list[int]:
        """The windows that began and ended within the backlog; in the first two the window's length is learned."""
        return self.windows[2:-1]

    @property
    def share(self) -> float:
        """Of the budget of the full windows."""
        return sum(self.full) / (len(self.full) * self.limit)


async def paced(folder: Path, settings: SandboxSettings, calls: int) -> Pace:
    """Delivers events of users whose contacts are there, each of which is one call."""
    async with Sandbox(settings) as sandbox:
        for user in range(USERS):
            sandbox.workspace.add_contact(f"u{user}")
        daemon = await Daemon(folder, sandbox.base_url).start()
        sent = [envelope(f"u{n % USERS}", "Opened", at=n, envelope_id=str(n)) for n in range(calls)]
        for first in range(0, calls, BATCH):
            await daemon.publish(*sent[first : first + BATCH])
        longest_seconds = 2 * settings.rate_window_seconds * (calls / settings.rate_limit + 2) + 60
        await sandbox.wait_for(lambda sandbox: sandbox.workspace.events.taken == calls, longest_seconds)
        await daemon.ended([each.envelope_id for each in sent])
        await daemon.close()
        return Pace.of(sandbox)
