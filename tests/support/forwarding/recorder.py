"""What a worker of an agent reports, and rows for it to forward."""

import asyncio
from collections.abc import Callable, Sequence

from ingest.server import envelope
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import Incoming


class Recorder:
    """Records what the worker reports."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.states: list[tuple[str, str]] = []
        self.calls: list[str] = []
        self.notices: list[str] = []
        self._changed = asyncio.Event()

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes
        self._changed.set()

    def on_forward(self, _connection: str, code: str, _envelopes: int, _seconds: float) -> None:
        self.calls.append(code)
        self._changed.set()

    def on_state(self, _connection: str, state: ConnectionState, reason: str) -> None:
        self.states.append((state.name, reason))
        self._changed.set()

    def on_notice(self, _connection: str, event: str, **_details: object) -> None:
        self.notices.append(event)
        self._changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def ended(self, count: int) -> list[str]:
        await self.until(lambda: len(self.outcomes) >= count)
        return [outcome.envelope_id for outcome in self.outcomes]


def row(name: str, priority: Priority = Priority.NORMAL) -> Incoming:
    source = envelope(name).SerializeToString()
    accepted = AcceptedEnvelope(name, "u-1", "", 5.0, (), (), "", source)
    return Incoming("default", priority, lane_of("u-1", ""), name, record.pack(accepted))


def rows(*names: str, priority: Priority = Priority.NORMAL) -> list[Incoming]:
    return [row(name, priority) for name in names]
