"""Stops and drains a daemon that serves: refuses new calls, and waits for open calls and deliveries, within bounds."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.listeners import GrpcListener
from intercomd_daemon.app.status import Status
from intercomd_daemon.app.systemd import Systemd
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.stopping import StoppingSettings
from intercomd_daemon.telemetry.logs import Logger
from intercomd_daemon.telemetry.report import Report

CLOSE_SECONDS = 1.0
"""Time for the last responses to be sent; an idle connection would otherwise keep the listener open."""


class StopSignal:
    """A request to stop. A second one skips all waits."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._repeated = asyncio.Event()

    def request(self) -> None:
        """Requests the stop, or that it waits for nothing any more."""
        if self._requested.is_set():
            self._repeated.set()
        self._requested.set()

    def refuse_if_requested(self) -> None:
        """Raises RetryLater if the daemon stops."""
        if self._requested.is_set():
            raise RetryLater("the daemon is stopping: retry after its restart", 1.0)

    async def wait(self) -> None:
        """Waits for the request."""
        await self._requested.wait()

    async def wait_at_most(self, work: Coroutine[Any, Any, Any] | asyncio.Future[Any], seconds: float) -> None:
        """Waits until `work` is done or a second request arrives, at most `seconds`; then cancels it."""
        task = asyncio.ensure_future(work)
        repeated = asyncio.create_task(self._repeated.wait())
        await asyncio.wait({task, repeated}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for unfinished in (task, repeated):
            unfinished.cancel()
        await asyncio.gather(task, repeated, return_exceptions=True)


class Stop:
    """Steps 1 to 3 of a stop, which `Daemon` describes. A drain is step 1, after which new calls are refused."""

    def __init__(
        self,
        settings: StoppingSettings,
        signal: StopSignal,
        service: IngestService,
        connections: Connections,
        status: Status,
        report: Report,
        systemd: Systemd,
        logger: Logger,
    ) -> None:
        """The connections have been started."""
        self._settings = settings
        self._signal = signal
        self._service = service
        self._connections = connections
        self._status = status
        self._report = report
        self._systemd = systemd
        self._logger = logger
        self._refusing: asyncio.Task[None] | None = None
        """Lingers and then refuses new calls, once a stop or a drain has begun."""
        self._drain_ends_at = 0.0
        """When a stop no longer waits for calls; 0.0: no worker has been stopped."""

    def reconfigure(self, settings: StoppingSettings) -> None:
        """Uses these times from the next step on."""
        self._settings = settings

    async def drain(self, *, wait: bool) -> None:
        """Refuses new calls from now on, until a restart; what is accepted is still delivered.

        With `wait` it returns once load balancers had time to notice and no call is open.

        Raises:
            RetryLater: the daemon is stopping.
        """
        self._signal.refuse_if_requested()
        refusing = asyncio.create_task(self._refuse_calls())
        if wait:
            await refusing
            await self._service.wait_idle()

    async def run(self, listener: GrpcListener) -> None:
        """Performs the steps; `listener` is that of the service."""
        settings = self._settings
        self._systemd.stopping(settings.linger_seconds + settings.deliver_seconds + 2 * settings.drain_seconds)
        await self._refuse_calls()
        await self._signal.wait_at_most(self._wait_delivered(), settings.deliver_seconds)
        deadline = await self.stop_workers()
        await self._signal.wait_at_most(self._service.wait_idle(), max(0.0, deadline - time.monotonic()))
        await self._signal.wait_at_most(listener.close(CLOSE_SECONDS), 2 * CLOSE_SECONDS)

    async def stop_workers(self) -> float:
        """Stops the workers and waits for their calls, until `stopping.drain` after the first call of this method.

        Returns the end of that time, by `time.monotonic`.
        """
        self._drain_ends_at = self._drain_ends_at or time.monotonic() + self._settings.drain_seconds
        self._connections.stop()
        await self._signal.wait_at_most(
            self._connections.wait_stopped(), max(0.0, self._drain_ends_at - time.monotonic())
        )
        return self._drain_ends_at

    async def _refuse_calls(self) -> None:
        """Lets load balancers notice, then refuses new calls; once, however often it is called."""
        if self._refusing is None:
            self._refusing = asyncio.create_task(self._linger_and_refuse())
        await asyncio.shield(self._refusing)

    async def _linger_and_refuse(self) -> None:
        self._status.set_serving(serving=False)
        self._logger.info("draining")
        await self._signal.wait_at_most(asyncio.Event().wait(), self._settings.linger_seconds)
        self._service.drain()

    async def _wait_delivered(self) -> None:
        """Waits until no envelope waits in the spool, those of paused, suspended and inactive connections included."""
        committed = asyncio.Event()
        unsubscribe = self._report.subscribe(committed.set)
        try:
            while any(usage.normal or usage.bulk for usage in self._status.usage().connections.values()):
                committed.clear()
                await committed.wait()
        finally:
            unsubscribe()
