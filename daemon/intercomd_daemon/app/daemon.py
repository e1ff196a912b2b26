"""The daemon: builds the parts, and starts and stops them in the order that `Daemon` describes."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

from intercomd_daemon import __version__
from intercomd_daemon.app.bind import ListenerUnavailable
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.form import check_form
from intercomd_daemon.app.listeners import (
    GrpcListener,
    OperationsListeners,
    open_ingest,
    open_operations,
)
from intercomd_daemon.app.operators import Operators
from intercomd_daemon.app.reload import Changes, compare
from intercomd_daemon.app.security import Security
from intercomd_daemon.app.settings_digest import join_fleet
from intercomd_daemon.app.systemd import EXTEND_SECONDS, Systemd
from intercomd_daemon.app.trace_export import open_traces_or_warn
from intercomd_daemon.config import LoadedSettings, Settings
from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.errors import IntercomdError, RetryLater, SettingsInvalid
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck, Reloaded
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.rpc.tracing import with_trace_context
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.engines import SpoolEvents, engine_of
from intercomd_daemon.spool.rows import Usage
from intercomd_daemon.telemetry.logs import Logs
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.report import Report

TRACES_SECONDS = 2.0
"""Time for the last spans; a collector that is away must not delay the stop."""
STALLED_SECONDS = 60.0
"""A commit that takes longer hangs: the slowest disks sync in seconds, and one that fails reports an error."""
CLOSE_SECONDS = 1.0
"""Time for the last responses to be sent; an idle connection would otherwise keep the listener open."""


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

    def __init__(self, settings: Settings, logs: Logs, load: Callable[[], LoadedSettings] | None = None) -> None:
        """`load` reads the settings again for a reload, and raises SettingsInvalid; None: there is no reload."""
        self._spool: Spool | None = None
        self._settings = settings
        self._load = load
        self._logger = logs.logger
        self._configure_log = logs.configure
        self._systemd = Systemd(os.environ, os.getpid())
        self._reloading = asyncio.Lock()
        self._connections = Connections(settings, logs.hide)
        self._metrics = Metrics(__version__, settings.connections, self.usage, self.statuses, self._now, self.fleet)
        self._metrics.watch_log(logs.lost)
        self._traces = open_traces_or_warn(settings.traces, os.environ, logs.logger)
        self._security = Security(settings, logs.logger, self._metrics.count_request)
        self._report = Report(logs.logger, self._metrics, self._connections.log_key(), logs.batch, self._traces)
        self._state = DaemonState.STARTING
        self._operations: OperationsListeners | None = None
        self._ingest: GrpcListener | None = None
        self._acceptor: Acceptor | None = None
        self._service: IngestService | None = None
        self._refusing: asyncio.Task[None] | None = None
        self._drained_at = 0.0  # When a stop waits no longer for calls; 0.0: no worker was stopped yet.
        """The first steps of a stop or a drain, once one has begun."""
        self._stopping = asyncio.Event()
        self._stop_now = asyncio.Event()
        self.serving = asyncio.Event()
        """Set once the daemon accepts envelopes."""

    def stop(self) -> None:
        """Stops the daemon in order; a second call skips all waits. No accepted envelope is lost in either case."""
        if self._stopping.is_set():
            self._stop_now.set()
        self._stopping.set()

    async def run(self) -> None:
        """Serves until `stop`.

        Raises:
            IntercomdError: a file that the settings name or an address cannot be used, or the spool cannot be opened.
            ExceptionGroup: a worker failed or lost its workspace, or the spool failed.
        """
        self._security.load()
        watch = asyncio.create_task(self._security.watch())
        try:
            await self._open_operations_if_free()
            spool = await self._open_spool()
            if spool is not None:
                if self._operations is None:
                    await self._open_operations()
                await self._serve(spool)
        finally:
            watch.cancel()
            await self._close()

    async def _serve(self, spool: Spool) -> None:
        """Serves until `stop`, or until a worker fails or loses its workspace, or the spool fails."""
        connections = self._connections
        await check_form(spool, agent=self._settings.upstream.on)
        await connections.start(spool, self._report, shared=engine_of(self._settings.spool.url).shared)
        service = self._ingest_service(spool, TimestampAllocator(await spool.seconds()))
        ingest = self._settings.ingest
        ends = [
            asyncio.create_task(wait) for wait in (self._stopping.wait(), spool.wait_closed(), connections.wait_fault())
        ]
        watchdog = asyncio.create_task(self._notify_alive())
        try:
            channelz = self._settings.operations.channelz
            self._ingest = await open_ingest(service, ingest, self._security.ingest, channelz=channelz)
            self._ingest.health.alive = self._alive
            self._switch(serving=True)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await self._stop(service, self._ingest)
        finally:
            await self._stop_workers()
            await connections.close()
            watchdog.cancel()
            for task in ends:
                task.cancel()
            closed = await asyncio.gather(*ends, return_exceptions=True)
        faults = [end for end in (*closed, *connections.faults()) if isinstance(end, Exception)]
        if faults:
            raise ExceptionGroup("a part of the daemon ended by itself", faults)

    def _ingest_service(self, spool: Spool, seconds: TimestampAllocator) -> IngestService:
        agent = self._connections.agent
        decides, gateway = (decide, None) if agent is None else (agent.decide, agent.gateway)
        acceptor = Acceptor(self._settings.connections, spool, seconds, self._report, spool.now, decides)
        interceptors = () if self._traces is None else (with_trace_context,)
        service = IngestService(
            acceptor,
            self._connections.preview,
            spool.usage,
            self._settings.ingest,
            spool.now,
            interceptors,
            self._security.ingest.guard,
            gateway,
        )
        self._acceptor, self._service = acceptor, service
        return service

    async def _stop(self, service: IngestService, listener: GrpcListener) -> None:
        """Performs steps 1 to 3 of a stop, as the class describes."""
        stopping = self._settings.stopping
        self._systemd.stopping(stopping.linger_seconds + stopping.deliver_seconds + 2 * stopping.drain_seconds)
        await self._refuse_calls(service)
        await self._in_time(self._wait_delivered(), stopping.deliver_seconds)
        deadline = await self._stop_workers()
        await self._in_time(service.wait_idle(), max(0.0, deadline - time.monotonic()))
        await self._in_time(listener.close(CLOSE_SECONDS), 2 * CLOSE_SECONDS)

    async def _stop_workers(self) -> float:
        """Waits for the workers' calls until `stopping.drain` after the first time; returns when that ends."""
        self._drained_at = self._drained_at or time.monotonic() + self._settings.stopping.drain_seconds
        self._connections.stop()
        await self._in_time(self._connections.wait_stopped(), max(0.0, self._drained_at - time.monotonic()))
        return self._drained_at

    async def _refuse_calls(self, service: IngestService) -> None:
        """Lets load balancers notice, then refuses new calls; once, however often it is called."""
        if self._refusing is None:
            self._refusing = asyncio.create_task(self._linger_and_refuse(service))
        await asyncio.shield(self._refusing)

    async def _linger_and_refuse(self, service: IngestService) -> None:
        self._switch(serving=False)
        await self._in_time(asyncio.Event().wait(), self._settings.stopping.linger_seconds)
        service.drain()

    async def _wait_delivered(self) -> None:
        """Waits until no envelope waits in the spool, those of paused, suspended and inactive connections included."""
        committed = asyncio.Event()
        unsubscribe = self._report.subscribe(committed.set)
        try:
            while any(usage.normal or usage.bulk for usage in self.usage().connections.values()):
                committed.clear()
                await committed.wait()
        finally:
            unsubscribe()

    async def drain(self, *, wait: bool) -> None:
        """Refuses new calls from now on, until a restart; what is accepted is still delivered.

        With `wait` it returns once load balancers had time to notice and no call is open.

        Raises:
            RetryLater: the daemon is starting or stopping.
        """
        if self._service is None or self._stopping.is_set():
            raise RetryLater("the daemon is starting or stopping", 1.0)
        refusing = asyncio.create_task(self._refuse_calls(self._service))
        if wait:
            await refusing
            await self._service.wait_idle()

    async def reload(self) -> Reloaded:
        """Reads the settings again and applies what can be applied while calls are served, as SIGHUP does.

        Raises:
            SettingsInvalid: with every problem; nothing has changed.
            RetryLater: the daemon is starting or stopping.
        """
        async with self._reloading:
            if self._load is None or self._acceptor is None or self._stopping.is_set():
                raise RetryLater("the daemon is starting or stopping", 1.0)
            self._systemd.reloading()
            status = self._serving_status()
            try:
                loaded = self._load()
                changes = compare(self._settings, loaded.settings)
                await self._apply(changes)
            except IntercomdError as error:
                status += "; the last reload failed, see the log"
                problems = error.problems if isinstance(error, SettingsInvalid) else [str(error)]
                self._metrics.count_reload(time.time(), success=False)
                self._logger.error("reload_failed", error="; ".join(problems))  # noqa: TRY400 - it names the fix
                raise SettingsInvalid(problems) from error
            finally:
                self._systemd.ready(status)
            self._metrics.count_reload(time.time(), success=True)
            self._logger.info("reloaded", changed=", ".join(changes.changed), needs_restart=", ".join(changes.restart))
            for warning in loaded.warnings:
                self._logger.warning("setting", warning=warning)
            return Reloaded(changes.changed, changes.restart, loaded.warnings)

    async def _apply(self, changes: Changes) -> None:
        """Applies a configuration: the workers first, as only they can fail, and accepting last."""
        settings, before = changes.settings, self._settings
        spool = self.archive()
        use_callers = self._security.reconfigure(settings)
        await spool.set_connections(tuple(settings.connections))
        try:
            await self._connections.reconfigure(settings.connections)
        except IntercomdError:
            await spool.set_connections(tuple(before.connections))
            raise
        use_callers()
        self._settings = settings
        join_fleet(spool.fleet, settings, self._report.wake)
        self._metrics.set_connections(settings.connections)
        self._configure_log(settings.log)
        if self._acceptor is not None and self._service is not None:
            self._acceptor.reconfigure(settings.connections)
            self._service.reconfigure(settings.ingest)

    async def _in_time(self, work: Coroutine[Any, Any, Any] | asyncio.Future[Any], seconds: float) -> None:
        """Waits until `work` is done, at most `seconds`, and no longer than until a second `stop`."""
        task = asyncio.ensure_future(work)
        stop_now = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait({task, stop_now}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for unfinished in (task, stop_now):
            unfinished.cancel()
        await asyncio.gather(task, stop_now, return_exceptions=True)

    def _switch(self, *, serving: bool) -> None:
        self._state = DaemonState.SERVING if serving else DaemonState.DRAINING
        for listener in (self._ingest, self._operations):
            if listener is not None:
                listener.health.switch(serving=serving)
        if not serving:
            self._logger.info("draining")
            return
        self._logger.info(
            "serving", version=__version__, ingest=self._addresses(), connections=", ".join(self._settings.connections)
        )
        self._systemd.ready(self._serving_status())
        self.serving.set()

    def _addresses(self) -> str:
        return ", ".join(self._ingest.addresses) if self._ingest else ""

    def _serving_status(self) -> str:
        """Returns the status that `systemctl status` shows."""
        return f"serving {self._addresses()}"

    async def _notify_alive(self) -> None:
        """Notifies systemd's watchdog while every part makes progress."""
        while self._systemd.watchdog_seconds:
            if self._alive():
                self._systemd.alive()
            await asyncio.sleep(self._systemd.watchdog_seconds)

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
            self,
            self._report.subscribe,
            version=__version__,
            start_time=time.time(),
            clock=self._now,
            guard=self._security.operations.guard,
        )
        self._operations = await open_operations(
            self,
            service,
            self._settings.operations,
            self._settings.health,
            self._metrics.exposition,
            self._security.operations,
            self._security.http_guard,
        )
        self._operations.health.alive = self._alive
        self._logger.info("operations", http=self._operations.http_address, grpc=self._operations.grpc_address)

    def _now(self) -> float:
        """Returns Unix seconds, by the spool's time once it is open."""
        return self._spool.now() if self._spool is not None else time.time()

    async def _open_spool(self) -> Spool | None:
        """Opens the spool, waiting for its lock; returns None if the daemon is stopped meanwhile."""
        opening = asyncio.ensure_future(self._open_engine())
        stopping = asyncio.create_task(self._stopping.wait())
        while not (opening.done() or stopping.done()):
            self._systemd.extend("opening the spool")
            await asyncio.wait({opening, stopping}, timeout=EXTEND_SECONDS / 2, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return None
        self._spool = opening.result()
        self._spool.on_discard(self._report.on_outcomes)
        join_fleet(self._spool.fleet, self._settings, self._report.wake)
        return self._spool

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

    async def _close(self) -> None:
        """Performs steps 4 and 5 of a stop."""
        if self._operations is not None:
            await self._operations.close()
        # aiohttp's caches keep this object alive until the interpreter exits, when grpc can no longer free its servers.
        # So drop the references now.
        self._operations = self._ingest = None
        if self._spool is not None:
            spool, self._spool = self._spool, None
            await spool.close()
        if self._traces is not None:
            await self._in_time(self._traces.close(), TRACES_SECONDS)
        self._logger.info("stopped")

    def state(self) -> DaemonState:
        """Returns whether the daemon accepts envelopes."""
        return self._state

    def statuses(self) -> list[ConnectionStatus]:
        """Returns the status of each configured connection."""
        return self._connections.statuses()

    def checks(self) -> list[HealthCheck]:
        """Returns whether each part makes progress; the answer itself shows that the event loop does."""
        workers = [HealthCheck(name, alive) for name, alive in self._connections.workers_alive().items()]
        return [self._check_spool(), *workers]

    def _check_spool(self) -> HealthCheck:
        if self._spool is None:
            return HealthCheck("spool", self._state is not DaemonState.SERVING)
        seconds = self._spool.busy_seconds()
        stalled = f"a commit has been under way for {seconds:.0f} s" if seconds > STALLED_SECONDS else ""
        return HealthCheck("spool", not stalled, stalled)

    def _alive(self) -> bool:
        return all(check.moves for check in self.checks())

    def usage(self) -> Usage:
        """Returns the spool's usage; before the spool is open, an empty one."""
        return self._spool.usage() if self._spool is not None else Usage({}, 0, self._settings.spool.bytes_max, "")

    def fleet(self) -> FleetStatus | None:
        """Returns the daemons that share the spool; None: it is not shared, or not open."""
        return self._spool.fleet.status() if self._spool and self._spool.fleet else None

    def archive(self) -> Spool:
        """Returns the open spool.

        Raises:
            RetryLater: the spool is not open yet, or already closed.
        """
        if self._spool is None:
            raise RetryLater("the spool is not open: the daemon is starting or stopping", 1.0)
        return self._spool

    def lane_state(self, connection: str, lane: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned."""
        return self._connections.lane_state(connection, lane, key)

    async def give_up(self, connection: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope of a configured connection as a dead letter."""
        return await Operators(self._connections, self.archive()).give_up(connection, envelope_id)

    async def probe_now(self, connection: str) -> None:
        """Probes a suspended or down connection now."""
        await Operators(self._connections, self.archive()).probe_now(connection)

    async def pause(self, connection: str, *, paused: bool) -> None:
        """Pauses or resumes calls to Intercom for a connection, also across restarts."""
        await Operators(self._connections, self.archive()).pause(connection, paused=paused)
