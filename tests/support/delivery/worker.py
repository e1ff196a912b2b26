"""Runs one connection's deliveries with a real spool and a real sandbox, and records what happens."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, Scalar, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import Incoming

TOKEN = "sandbox-token"
NOON = 1_795_000_000


class Notes:
    """Records what a worker reports; tests wait for it with `until`."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.states: list[ConnectionState] = []
        self.reasoned_states: list[tuple[ConnectionState, str]] = []
        """The states with their reasons."""
        self.events: list[tuple[str, dict[str, object]]] = []
        self.calls: Counter[tuple[str, int]] = Counter()
        self._changed = asyncio.Event()

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes
        self._changed.set()

    def on_call(
        self,
        connection: str,
        call: Call,
        status: int,
        seconds: float,
        traceparents: Sequence[str] = (),  # noqa: ARG002 - the observer's signature
        body: bytes = b"",  # noqa: ARG002 - likewise
    ) -> None:
        assert connection
        assert seconds >= 0
        self.calls[str(call), status] += 1
        self._changed.set()

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        assert connection
        assert bool(reason) is (state is not ConnectionState.DELIVERING)
        self.states.append(state)
        self.reasoned_states.append((state, reason))
        self._changed.set()

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        assert connection
        self.events.append((event, details))
        self._changed.set()

    async def until(self, holds: Callable[["Notes"], bool], seconds: float = 300) -> None:
        """Waits, woken by each note."""
        async with asyncio.timeout(seconds):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    def of_users(self) -> int:
        """Calls about contacts and events."""
        return sum(count for (call, _), count in self.calls.items() if "/contacts" in call or "/events" in call)


def envelope(
    name: str,
    customer_id: str = "u1",
    update: dict[str, Scalar] | None = None,
    *events: TrackEvent,
    email: str = "",
) -> AcceptedEnvelope:
    return AcceptedEnvelope(
        name, customer_id, email, time.time(), operations_of(customer_id, email, update or {}, events), (), "", b""
    )


def event(name: str, second: int = 0, metadata: bytes = b"") -> TrackEvent:
    return TrackEvent(name, NOON + second, metadata)


def row(what: AcceptedEnvelope, priority: Priority = Priority.NORMAL, connection: str = "default") -> Incoming:
    return Incoming(connection, priority, lane_of(what.customer_id, what.email), what.envelope_id, pack(what))


def settings_for(sandbox: Sandbox, **changes: object) -> ConnectionSettings:
    return ConnectionSettings(**{"name": "default", "app_id": "sandbox", "base_url": sandbox.base_url, **changes})


@asynccontextmanager
async def delivering(
    spool: Spool,
    settings: ConnectionSettings,
    token: AccessToken | None = None,
    *,
    paused: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[tuple[Worker, Notes]]:
    """A worker that runs until the block ends, and then stops in order."""
    notes, clock = Notes(), clock or Clock()
    pace = Pace(1_000_000, 1.0, clock.monotonic())
    intercom = IntercomClient(settings, token or AccessToken(TOKEN), CONNECTIONS_MAX)
    outflow = await spool.acquire("workspace")
    worker = Worker(settings, outflow, intercom, pace, notes, paused=paused, clock=clock)
    running = asyncio.create_task(worker.run())
    try:
        yield worker, notes
    finally:
        worker.stop()
        await running
