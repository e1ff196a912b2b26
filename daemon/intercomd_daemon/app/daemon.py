"""The daemon: builds the parts, starts them and stops them in order, and gives the reasons of the order.

Start: operations first, so that probes are answered while the spool is waited for; then the spool, the workers, and
last the door: nobody is let in before everything behind it stands. Stop: the other way round. A listener of operations
whose address is taken waits for the spool too: usually the daemon that holds one holds the other.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from intercomd_daemon import __version__
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.listeners import (
    GrpcListener,
    ListenerUnavailable,
    OperationsListeners,
    open_ingest,
    open_operations,
)
from intercomd_daemon.config import Settings
from intercomd_daemon.deliver.status import ConnectionStatus
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.operations.daemon import Check, State
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.spool.base import Archive, Spool, Usage
from intercomd_daemon.spool.engines import SpoolEvents, engine_of
from intercomd_daemon.telemetry.logs import Logs
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.report import Report

# "Stopping: linger 2 s, drain 20 s." The first is for meshes to see NOT_SERVING, the second for what is open.
LINGER_SECONDS = 2.0
DRAIN_SECONDS = 20.0
# For the last answers to leave; a connection that says nothing would otherwise hold the door open.
CLOSE_SECONDS = 1.0


class Daemon:
    """One daemon; `run` it once."""

    def __init__(self, settings: Settings, logs: Logs) -> None:
        self._settings = settings
        self._logger = logs.logger
        self._connections = Connections(settings, logs.hide)
        self._metrics = Metrics(__version__, settings.connections, self.usage, self.statuses, time.time)
        self._metrics.watch_log(logs.lost)
        self._report = Report(logs.logger, self._metrics, self._connections.log_key(), logs.together)
        self._state = State.STARTING
        self._spool: Spool | None = None
        self._operations: OperationsListeners | None = None
        self._ingest: GrpcListener | None = None
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self.serving = asyncio.Event()
        """Set once envelopes are taken."""

    def stop(self) -> None:
        """Ends the daemon in order; called again, at once. Either way nothing that was accepted is lost."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def run(self) -> None:
        """Serves until `stop`.

        Raises:
            IntercomdError: an address or the spool cannot be had.
            ExceptionGroup: a fault of ours, after which nothing should go on.
        """
        try:
            await self._open_health()
            spool = await self._open_spool()
            if spool is not None:
                if self._operations is None:
                    await self._open_operations()
                await self._serve(spool)
        finally:
            await self._close()

    async def _serve(self, spool: Spool) -> None:
        """Serves until `stop`, or until a part ends by itself, which none of them should."""
        workers = await self._connections.start(spool, self._report)
        service = self._ingest_service(spool, TimestampAllocator(await spool.seconds()))
        ingest = self._settings.ingest
        stopping, engine = asyncio.create_task(self._stopping.wait()), asyncio.create_task(spool.ended())
        try:
            self._ingest = await open_ingest(service, ingest.listen, ingest.request_bytes_max, ingest.unix_access)
            self._switch(serving=True)
            await asyncio.wait({stopping, engine, *workers}, return_when=asyncio.FIRST_COMPLETED)
            await self._drain(service, self._ingest, workers)
        finally:
            self._connections.stop()
            await self._in_time(asyncio.gather(*workers, return_exceptions=True), DRAIN_SECONDS)
            for task in (stopping, engine, *workers):
                task.cancel()
            ends = await asyncio.gather(engine, *workers, return_exceptions=True)
        faults = [end for end in ends if isinstance(end, Exception)]
        if faults:
            raise ExceptionGroup("a part of the daemon ended by itself", faults)

    def _ingest_service(self, spool: Spool, seconds: TimestampAllocator) -> IngestService:
        acceptor = Acceptor(self._settings.connections, spool, seconds, self._report, time.time)
        return IngestService(acceptor, self._connections.preview, spool.usage, self._settings.ingest, time.time)

    async def _drain(self, service: IngestService, door: GrpcListener, workers: Sequence[asyncio.Task[None]]) -> None:
        """NOT_SERVING first, so that the mesh looks elsewhere; then new calls are refused, and what is open ends.

        The door closes last: until then whoever comes is told to come again, and knows that nothing was taken.
        """
        self._switch(serving=False)
        await self._in_time(asyncio.Event().wait(), LINGER_SECONDS)
        deadline = time.monotonic() + DRAIN_SECONDS
        service.drain()
        self._connections.stop()
        await self._in_time(asyncio.gather(*workers, return_exceptions=True), DRAIN_SECONDS)
        await self._in_time(service.wait_idle(), max(0.0, deadline - time.monotonic()))
        await self._in_time(door.close(CLOSE_SECONDS), 2 * CLOSE_SECONDS)

    async def _in_time(self, work: Coroutine[Any, Any, Any] | asyncio.Future[Any], seconds: float) -> None:
        """Waits for something, at most so long, and not at all once there is a hurry."""
        task = asyncio.ensure_future(work)
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({task, hurry}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for unfinished in (task, hurry):
            unfinished.cancel()
        await asyncio.gather(task, hurry, return_exceptions=True)

    def _switch(self, *, serving: bool) -> None:
        self._state = State.SERVING if serving else State.DRAINING
        for listener in (self._ingest, self._operations):
            if listener is not None:
                listener.health.switch(serving=serving)
        if not serving:
            self._logger.info("draining")
            return
        addresses = ", ".join(self._ingest.addresses) if self._ingest else ""
        self._logger.info(
            "serving", version=__version__, ingest=addresses, connections=", ".join(self._settings.connections)
        )
        self.serving.set()

    async def _open_health(self) -> None:
        """Answers probes before the spool is open, unless an address is taken: perhaps by the daemon that holds it.

        That one keeps its addresses, and this one has them once it has the spool.
        """
        try:
            await self._open_operations()
        except ListenerUnavailable as error:
            if not error.taken:
                raise
            self._logger.warning("operations_unavailable", error=str(error))

    async def _open_operations(self) -> None:
        service = OperationsService(
            self, self._report.subscribe, version=__version__, start_time=time.time(), clock=time.time
        )
        self._operations = await open_operations(
            self, service, self._settings.operations, self._settings.health, self._metrics.registry
        )
        self._logger.info("operations", http=self._operations.http_address, grpc=self._operations.grpc_address)

    async def _open_spool(self) -> Spool | None:
        """The spool, waited for; None if the daemon was stopped meanwhile."""
        opening = asyncio.ensure_future(self._opened_spool())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return None
        self._spool = opening.result()
        self._spool.on_discard(self._report.on_outcomes)
        return self._spool

    async def _opened_spool(self) -> Spool:
        settings = self._settings.spool
        events = SpoolEvents(
            on_wait=lambda holder: self._logger.warning("spool_locked", by=holder),
            on_commit=self._report.on_commit,
            on_damage=self._report.on_damage,
            on_refusing=self._report.on_refusing,
        )
        return await engine_of(settings.url).open(settings, tuple(self._settings.connections), events)

    async def _close(self) -> None:
        """Operators and watchers, after the last outcome; and last the spool, with its last commit."""
        if self._operations is not None:
            await self._operations.close()
        if self._spool is not None:
            spool, self._spool = self._spool, None
            await spool.close()
        self._logger.info("stopped")

    def state(self) -> State:
        """Whether it takes envelopes."""
        return self._state

    def statuses(self) -> list[ConnectionStatus]:
        """The configured connections."""
        return self._connections.statuses()

    def checks(self) -> list[Check]:
        """Whether each part moves; that this is answered says that the event loop does."""
        parts = {"spool": self._spool is not None or self._state is not State.SERVING} | self._connections.moving()
        return [Check(name, moves) for name, moves in parts.items()]

    def usage(self) -> Usage:
        """The spool's counters."""
        return self._spool.usage() if self._spool is not None else Usage({}, 0, self._settings.spool.bytes_max, "")

    def archive(self) -> Archive:
        """The open spool.

        Raises:
            RetryLater: it is not open yet, or no longer.
        """
        if self._spool is None:
            raise RetryLater("the spool is not open; the daemon is starting or stopping", 1.0)
        return self._spool

    async def pause(self, connection: str) -> None:
        """Stops calling Intercom for a connection, remembered over restarts."""
        await self.archive().set_paused(connection, paused=True)
        self._connections.pause(connection, paused=True)

    async def resume(self, connection: str) -> None:
        """Lets a connection go on."""
        await self.archive().set_paused(connection, paused=False)
        self._connections.pause(connection, paused=False)
