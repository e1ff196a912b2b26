"""An operations listener over a spool in memory, asked over a real channel."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import msgspec
import pytest

from intercomd.v1 import envelope_pb2, operations_pb2_grpc
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.deliver.give_up import complete_row
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement, Usage
from intercomd_daemon.spool.trail import TrailFilter

NOW = 1_700_000_100.0


class Bell:
    """Tells those who subscribed that something has ended."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def ring(self) -> None:
        for callback in self.callbacks:
            callback()


@dataclass
class ScriptedDaemon:
    """A daemon around a spool, or before it has one, whose connections only remember their state."""

    opened: list[MemorySpool]
    connections: dict[str, ConnectionStatus] = field(default_factory=dict)
    lanes: dict[str, LaneState] = field(default_factory=dict)
    probed: list[str] = field(default_factory=list)
    shared: FleetStatus | None = None

    def state(self) -> DaemonState:
        return DaemonState.SERVING if self.opened else DaemonState.STARTING

    def statuses(self) -> Sequence[ConnectionStatus]:
        return list(self.connections.values())

    def checks(self) -> Sequence[HealthCheck]:
        return []

    def fleet(self) -> FleetStatus | None:
        return self.shared

    def usage(self) -> Usage:
        return self.opened[0].usage() if self.opened else Usage({}, 0, 1 << 20, "")

    def archive(self) -> Archive:
        if not self.opened:
            raise RetryLater("the daemon waits for its spool", 1.0)
        return self.opened[0]

    def lane_state(self, _connection: str, lane: str, _key: int) -> LaneState | None:
        return self.lanes.get(lane)

    async def give_up(self, connection: str, envelope_id: str) -> Outcome | None:
        spool = self.opened[0]
        keys = await spool.find_waiting(TrailFilter(connection=connection, envelope_id=envelope_id), 0, 1)
        for found in await spool.waiting_rows(keys):
            return await spool.complete(connection, complete_row(found, ConnectionSettings(name=connection), NOW))
        return None

    async def probe_now(self, connection: str) -> None:
        self.probed.append(connection)

    async def pause(self, connection: str, *, paused: bool) -> None:
        await self._set_state(connection, ConnectionState.PAUSED if paused else ConnectionState.DELIVERING)

    async def _set_state(self, connection: str, state: ConnectionState) -> None:
        await self.archive().set_paused(connection, state is ConnectionState.PAUSED)
        self.connections[connection] = msgspec.structs.replace(self.connections[connection], state=state)


def _status(name: str) -> ConnectionStatus:
    return ConnectionStatus(
        name=name,
        state=ConnectionState.DELIVERING,
        reason="",
        since=NOW - 50,
        app_id="abc12345",
        workspace_name="Shop",
        region="us",
        calls=3,
        budget_limit=167,
        budget_plan=164,
        budget_remaining=160,
        window_seconds=10.0,
        window_ends=NOW + 5,
    )


@pytest.fixture
def spool() -> MemorySpool:
    """An open spool; its journal holds the newest 200 outcomes."""
    return MemorySpool(("default", "eu"), outcomes_max=200, wall=lambda: NOW)


@pytest.fixture
def opened(spool: MemorySpool) -> list[MemorySpool]:
    """The spool as the daemon has it; a test that clears the list has a daemon that is starting."""
    return [spool]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def scripted(opened: list[MemorySpool]) -> ScriptedDaemon:
    return ScriptedDaemon(opened, {name: _status(name) for name in ("eu", "default")})


@pytest.fixture
def service(opened: list[MemorySpool], scripted: ScriptedDaemon, bell: Bell) -> OperationsService:
    for each in opened:
        each.on_discard(lambda _: bell.ring())
    return OperationsService(
        scripted, scripted, bell.subscribe, version="0.2.0", start_time=NOW - 60, clock=lambda: NOW
    )


@pytest.fixture
async def channel(service: OperationsService) -> AsyncIterator[grpc.aio.Channel]:
    """To a server with nothing but the service."""
    server = grpc.aio.server()
    service.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> operations_pb2_grpc.OperationsServiceStub:
    return operations_pb2_grpc.OperationsServiceStub(channel)


@pytest.fixture
def wait(spool: MemorySpool) -> Callable[..., Awaitable[int]]:
    """Appends an envelope with one event, which waits; returns its key."""

    async def append(envelope_id: str, *, connection: str = "default", **fields: object) -> int:
        accepted = _accepted(envelope_id, **fields)
        data = record.pack(accepted)
        row = Incoming(connection, Priority.NORMAL, lane_of(accepted.customer_id, accepted.email), envelope_id, data)
        (key,) = await spool.append([row])
        return key

    return append


@pytest.fixture
def end(spool: MemorySpool, bell: Bell, wait: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[Outcome]]:
    """Appends an envelope with one event and has it end; a refused one leaves a dead letter."""

    async def settle(
        envelope_id: str,
        kind: OutcomeType = OutcomeType.DELIVERED,
        *,
        connection: str = "default",
        reason: str = "",
        answer_body: str = "",
        **fields: object,
    ) -> Outcome:
        key = await wait(envelope_id, connection=connection, **fields)
        accepted = _accepted(envelope_id, **fields)
        outcome = _outcome(accepted, connection, kind, reason)
        dead_letter = accepted if kind is OutcomeType.DEAD_LETTERED else None
        (ended,) = await spool.settle(
            [Settlement(connection, completions=[Completion(key, outcome, dead_letter, answer_body)])]
        )
        bell.ring()
        return ended

    return settle


def _accepted(
    envelope_id: str,
    *,
    customer_id: str = "c-1",
    email: str = "",
    accept_time: float = NOW - 40,
    source: bytes | None = None,
) -> AcceptedEnvelope:
    sent = envelope_pb2.Envelope(envelope_id=envelope_id).SerializeToString() if source is None else source
    event = TrackEvent("Signed up", int(NOW) - 41, b"")
    return AcceptedEnvelope(
        envelope_id, customer_id, email, accept_time, operations_of(customer_id, email, {}, (event,)), (), "", sent
    )


def _outcome(accepted: AcceptedEnvelope, connection: str, kind: OutcomeType, reason: str) -> Outcome:
    (event,) = accepted.events
    effect = Effect(EffectKind.EVENT, event.name, event.created_at, kind, reason, 202, "req-1", 1)
    return Outcome(
        envelope_id=accepted.envelope_id,
        connection=connection,
        customer_id=accepted.customer_id,
        email=accepted.email,
        type=kind,
        reason=reason,
        accept_time=accepted.accept_time,
        end_time=NOW,
        effects=(effect,),
        adjustments=(),
        replay=0,
    )
