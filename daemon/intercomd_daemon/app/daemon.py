"""The daemon: builds the parts, and starts and stops them in the order that `Daemon` describes."""

import asyncio
import os
import time
from collections.abc import Callable

from intercomd_daemon import __version__
from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.listeners import OperationsListeners, open_ingest, open_operations
from intercomd_daemon.app.operators import Operators
from intercomd_daemon.app.reload import Parts, Reload
from intercomd_daemon.app.role import check_role
from intercomd_daemon.app.security import Security
from intercomd_daemon.app.settings_digest import join_fleet
from intercomd_daemon.app.status import Status
from intercomd_daemon.app.stop import Stop, StopSignal
from intercomd_daemon.app.systemd import EXTEND_SECONDS, Systemd
from intercomd_daemon.app.trace_export import open_traces_or_warn
from intercomd_daemon.config import LoadedSettings, Settings
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.rpc.forwarding_loop import refuse_loops
from intercomd_daemon.rpc.tracing import with_trace_context
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.engines import SpoolEvents, engine_of
from intercomd_daemon.telemetry.logs import Logs
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.report import Report

TRACES_SECONDS = 2.0
"""Time for the last spans; a collector that is away must not delay the stop."""


class Daemon:
    """One daemon. Call `run` once.

    Start:
    1. The operations listeners, so that probes are answered while the daemon waits for the spool. If one of their
       addresses is in use, they open after the spool: usually the same daemon holds both.
    2. The spool. Only one daemon can hold it; a second one waits for the lock up to `spool.lock_wait`.
    3. The workers, which deliver what the spool already holds.
    4. The ingest listener, last: an envelope is accepted only when every part that handles it is running.

    Stop, in reverse:
    1. Health becomes NOT_SERVING. Calls are still accepted for `stopping.linger`, until load balancers have noticed.
    2. New calls are refused with UNAVAILABLE. Waiting envelopes are still delivered for `stopping.deliver`; then the
       workers finish their calls in flight, at most `stopping.drain`.
    3. The ingest listener closes. It stays open until here so that clients get an answer that says "not accepted,
       retry" instead of a connection error.
    4. The operations listeners, after the last outcome, so that watchers get all of them.
    5. The spool, with its last commit.
    """

    def __init__(self, settings: Settings, logs: Logs, load: Callable[[], LoadedSettings]) -> None:
        """`load` reads the settings again for a reload, or raises SettingsInvalid."""
        self._settings = settings
        self._load = load
        self._logs = logs
        self._logger = logs.logger
        self._signal = StopSignal()
        self._systemd = Systemd(os.environ, os.getpid())
        self._connections = Connections(settings, logs.hide)
        self.status = Status(self._connections, settings.spool.bytes_max)
        self.operators = Operators(self._connections, self.status.archive)
        self._metrics = self._new_metrics()
        self._traces = open_traces_or_warn(settings.traces, os.environ, logs.logger)
        self._security = Security(settings, logs.logger, self._metrics.count_request)
        log_key = self._connections.destination.log_key()
        self._report = Report(logs.logger, self._metrics, log_key, self._traces)
        self._operations: OperationsListeners | None = None
        self.serving = asyncio.Event()
        """Set once the daemon accepts envelopes."""

    def _new_metrics(self) -> Metrics:
        settings, status = self._settings, self.status
        metrics = Metrics(
            __version__,
            settings.connections,
            status.usage,
            status.statuses,
            status.now,
            status.fleet,
            agent=settings.upstream.on,
        )
        metrics.set_callers(settings.callers)
        metrics.watch_log(self._logs.lost)
        return metrics

    def stop(self) -> None:
        """Stops the daemon in order; a second call skips all waits. No accepted envelope is lost in either case."""
        self._signal.request()

    async def run(self) -> None:
        """Serves until `stop`.

        Raises:
            IntercomdError: a file that the settings name or an address cannot be used, or the spool cannot be opened.
            ExceptionGroup: a worker failed or lost its workspace, or the spool failed.
        """
        self._security.load()
        watch = asyncio.create_task(self._security.watch())
        spool: Spool | None = None
        try:
            await self._open_operations_if_free()
            spool = await self._open_spool()
            if spool is not None:
                if self._operations is None:
                    await self._open_operations()
                await self._serve(spool)
        finally:
            watch.cancel()
            await self._close(spool)

    async def _open_operations_if_free(self) -> None:
        """Opens the operations listeners, unless an address is in use.

        In that case the daemon that holds the spool probably holds the address as well. `run` tries again once it has
        the spool.
        """
        try:
            await self._open_operations()
        except ListenerUnavailable as error:
            if not error.taken:
                raise
            self._logger.warning("operations_unavailable", error=str(error))

    async def _open_operations(self) -> None:
        service = OperationsService(
            self.status,
            self.operators,
            self._report.subscribe,
            version=__version__,
            start_time=time.time(),
            clock=self.status.now,
            guard=self._security.operations.guard,
        )
        self._operations = await open_operations(
            self.status,
            service,
            self._settings.operations,
            self._settings.health,
            self._metrics.registry,
            self._security.operations,
            self._security.http_guard,
        )
        self.status.add_health(self._operations.health)
        self._logger.info("operations", http=self._operations.http_address, grpc=self._operations.grpc_address)

    async def _open_spool(self) -> Spool | None:
        """Opens the spool, waiting for its lock; returns None if the daemon is stopped meanwhile."""
        opening = asyncio.ensure_future(self._open_engine())
        stopping = asyncio.create_task(self._signal.wait())
        while not (opening.done() or stopping.done()):
            self._systemd.extend("opening the spool")
            await asyncio.wait({opening, stopping}, timeout=EXTEND_SECONDS / 2, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return None
        spool = opening.result()
        self.status.set_spool(spool)
        spool.on_discard(self._report.on_outcomes)
        join_fleet(spool.fleet, self._settings, self._report.wake)
        return spool

    async def _open_engine(self) -> Spool:
        settings = self._settings.spool
        events = SpoolEvents(
            on_wait=lambda holder: self._logger.warning("spool_locked", by=holder),
            on_commit=self._report.on_commit,
            on_damage=self._report.on_damage,
            on_refusing=self._report.on_refusing,
        )
        return await engine_of(settings.url).open(
            settings, tuple(self._settings.connections), events, self._settings.fleet
        )

    async def _serve(self, spool: Spool) -> None:
        """Serves until `stop`, or until a worker fails or loses its workspace, or the spool fails."""
        connections, settings = self._connections, self._settings
        await check_role(spool, agent=settings.upstream.on)
        await connections.start(spool, self._report, shared=engine_of(settings.spool.url).shared)
        acceptor, service = self._new_ingest(spool, TimestampAllocator(await spool.seconds()))
        stop = Stop(
            settings.stopping,
            self._signal,
            service,
            connections,
            self.status,
            self._report,
            self._systemd,
            self._logger,
        )
        ends = [
            asyncio.create_task(wait) for wait in (self._signal.wait(), spool.wait_closed(), connections.wait_fault())
        ]
        watchdog = asyncio.create_task(self._notify_alive())
        try:
            channelz = settings.operations.channelz
            listener = await open_ingest(service, settings.ingest, self._security.ingest, channelz=channelz)
            self.status.add_health(listener.health)
            self._announce(spool, acceptor, service, stop, ", ".join(listener.addresses))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await stop.run(listener)
        finally:
            await stop.stop_workers()
            await connections.close()
            watchdog.cancel()
            for task in ends:
                task.cancel()
            closed = await asyncio.gather(*ends, return_exceptions=True)
        faults = [end for end in (*closed, *connections.faults()) if isinstance(end, Exception)]
        if faults:
            raise ExceptionGroup("a part of the daemon ended by itself", faults)

    def _new_ingest(self, spool: Spool, seconds: TimestampAllocator) -> tuple[Acceptor, IngestService]:
        connections, settings, destination = self._connections, self._settings, self._connections.destination
        acceptor = Acceptor(settings.connections, spool, seconds, self._report, spool.now, destination.decide)
        interceptors = () if self._traces is None else (with_trace_context,)
        if settings.upstream.on:
            interceptors = (*interceptors, refuse_loops(spool.usage().spool_id))
        service = IngestService(
            acceptor,
            connections.preview,
            spool.usage,
            settings.ingest,
            spool.now,
            interceptors,
            self._security.ingest.guard,
            destination.upstream,
        )
        return acceptor, service

    def _announce(self, spool: Spool, acceptor: Acceptor, service: IngestService, stop: Stop, addresses: str) -> None:
        """Announces that the daemon accepts envelopes; from now on operators can drain and reload it."""
        parts = Parts(
            security=self._security,
            spool=spool,
            connections=self._connections,
            acceptor=acceptor,
            service=service,
            stop=stop,
            logs=self._logs,
            metrics=self._metrics,
            report=self._report,
        )
        serving = f"serving {addresses}"
        self.operators.serve(stop, Reload(self._settings, self._load, parts, self._signal, self._systemd, serving))
        self.status.set_serving(serving=True)
        connections = ", ".join(self._settings.connections)
        self._logger.info("serving", version=__version__, ingest=addresses, connections=connections)
        self._systemd.ready(serving)
        self.serving.set()

    async def _notify_alive(self) -> None:
        """Notifies systemd's watchdog while every part makes progress."""
        while self._systemd.watchdog_seconds:
            if self.status.alive():
                self._systemd.alive()
            await asyncio.sleep(self._systemd.watchdog_seconds)

    async def _close(self, spool: Spool | None) -> None:
        """Performs steps 4 and 5 of a stop."""
        if self._operations is not None:
            await self._operations.close()
        # aiohttp's caches may keep this object alive until the interpreter exits, when grpc can no longer free its
        # servers. So drop the reference now.
        self._operations = None
        if spool is not None:
            self.status.set_spool(None)
            await spool.close()
        if self._traces is not None:
            await self._signal.wait_at_most(self._traces.close(), TRACES_SECONDS)
        self._logger.info("stopped")
