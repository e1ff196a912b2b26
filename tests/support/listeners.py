"""Services for listeners that are opened without a daemon."""

from collections.abc import Sequence

from intercomd_daemon.app.security import ListenerSecurity
from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck, Reloaded
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.rpc.authentication import Authenticator, Guard
from intercomd_daemon.rpc.callers import ANYONE, Callers
from intercomd_daemon.rpc.tls import ServerTls
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Usage

NOW = 1_750_000_000.0


class Silent:
    """Receives decisions and does nothing with them."""

    def on_decisions(self, results: object, refusals: object, times: object) -> None:
        """Does nothing."""


class Starting:
    """A daemon that waits for its spool."""

    def state(self) -> DaemonState:
        return DaemonState.STARTING

    def statuses(self) -> Sequence[ConnectionStatus]:
        return []

    def checks(self) -> Sequence[HealthCheck]:
        return []

    def fleet(self) -> FleetStatus | None:
        return None

    def usage(self) -> Usage:
        return Usage({}, 0, 1 << 20, "")

    def archive(self) -> Archive:
        raise RetryLater("not open yet", 1.0)

    def lane_state(self, connection: str, lane: str, key: int) -> None:
        raise RetryLater(f"{connection} has no lanes yet, neither {lane} nor that of {key}", 1.0)

    async def give_up(self, connection: str, envelope_id: str) -> None:
        raise RetryLater(f"{connection} cannot give up {envelope_id} yet", 1.0)

    async def probe_now(self, connection: str) -> None:
        raise RetryLater(f"{connection} cannot be probed yet", 1.0)

    async def pause(self, connection: str, *, paused: bool) -> None:
        raise RetryLater(f"{connection} cannot be {'paused' if paused else 'resumed'} yet", 1.0)

    async def reload(self) -> Reloaded:
        raise RetryLater("the daemon is starting", 1.0)

    async def drain(self, *, wait: bool) -> None:
        raise RetryLater(f"the daemon is starting, with or without waiting ({wait})", 1.0)


def ingest_service(guard: Guard | None = None) -> IngestService:
    spool = MemorySpool()
    acceptor = Acceptor({}, spool, TimestampAllocator(), Silent(), lambda: 1.0, decide)
    return IngestService(acceptor, lambda *_: (), spool.usage, IngestSettings(), lambda: 1.0, guard=guard)


def operations_service(guard: Guard | None = None) -> OperationsService:
    return OperationsService(
        Starting(), Starting(), lambda _: lambda: None, version="1", start_time=NOW, clock=lambda: NOW, guard=guard
    )


def security_of(tls: ServerTls | None) -> ListenerSecurity:
    """Returns the security of a listener without callers."""
    authenticator = Authenticator(Callers({}, {}))
    return ListenerSecurity(tls, authenticator, Guard(ANYONE, authenticator), lambda *_: None)
