"""Services for listeners that are opened without a daemon."""

from collections.abc import Sequence

from intercomd_daemon.deliver.schedule.connection_state import ConnectionStatus
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.operations.daemon_control import Check, State
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.spool.base import Archive, Usage
from intercomd_daemon.spool.memory import MemorySpool

NOW = 1_750_000_000.0


class Silent:
    """Receives decisions and does nothing with them."""

    def on_decisions(self, results: object, times: object) -> None:
        """Does nothing."""


class Starting:
    """A daemon that waits for its spool."""

    def state(self) -> State:
        return State.STARTING

    def statuses(self) -> Sequence[ConnectionStatus]:
        return []

    def checks(self) -> Sequence[Check]:
        return []

    def usage(self) -> Usage:
        return Usage({}, 0, 1 << 20, "")

    def archive(self) -> Archive:
        raise RetryLater("not open yet", 1.0)

    async def pause(self, connection: str) -> None:
        raise RetryLater(f"{connection} cannot be paused yet", 1.0)

    async def resume(self, connection: str) -> None:
        raise RetryLater(f"{connection} cannot be resumed yet", 1.0)


def ingest_service() -> IngestService:
    spool = MemorySpool()
    acceptor = Acceptor({}, spool, TimestampAllocator(), Silent(), lambda: 1.0)
    return IngestService(acceptor, lambda *_: (), spool.usage, IngestSettings(), lambda: 1.0)


def operations_service() -> OperationsService:
    return OperationsService(Starting(), lambda _: lambda: None, version="1", start_time=NOW, clock=lambda: NOW)
