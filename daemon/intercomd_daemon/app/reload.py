"""Reloads the settings of a daemon that serves: reads them again, applies them to every part, and reports."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from intercomd_daemon.app.changes import compare, contradictions, warn_of_removed
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.security import Security
from intercomd_daemon.app.settings_digest import join_fleet
from intercomd_daemon.app.stop import Stop, StopSignal
from intercomd_daemon.app.systemd import Systemd
from intercomd_daemon.config import LoadedSettings, Settings
from intercomd_daemon.errors import IntercomdError, SettingsInvalid
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.service import IngestService
from intercomd_daemon.operations.daemon_control import Reloaded
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.telemetry.logs import Logs
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.report import Report


@dataclass(frozen=True, slots=True)
class Parts:
    """The running parts that take other settings."""

    security: Security
    spool: Spool
    connections: Connections
    acceptor: Acceptor
    service: IngestService
    stop: Stop
    logs: Logs
    metrics: Metrics
    report: Report

    async def apply(self, settings: Settings, before: Settings) -> list[str]:
        """Applies settings: to the workers first, as only they can fail, and to what accepts last; returns warnings.

        Raises:
            IntercomdError: a file is unusable, or a worker cannot be created; nothing has changed.
        """
        use_callers = self.security.reconfigure(settings)
        await self.spool.set_connections(tuple(settings.connections))
        try:
            warnings = await self.connections.reconfigure(settings.connections)
        except IntercomdError:
            await self.spool.set_connections(tuple(before.connections))
            raise
        use_callers()
        self.stop.reconfigure(settings.stopping)
        join_fleet(self.spool.fleet, settings, self.report.wake)
        self.metrics.set_connections(settings.connections)
        self.metrics.set_callers(settings.callers)
        self.logs.configure(settings.log)
        self.acceptor.reconfigure(settings.connections)
        self.service.reconfigure(settings.ingest)
        return warnings + warn_of_removed(before.connections, settings.connections, self.spool.usage())


class Reload:
    """The settings in use, and how others take their place. Reloads run one after another."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], LoadedSettings],
        parts: Parts,
        signal: StopSignal,
        systemd: Systemd,
        status: str,
    ) -> None:
        """`load` reads the settings, or raises SettingsInvalid; `status` is what systemd shows of a serving daemon."""
        self._settings = settings
        self._load = load
        self._parts = parts
        self._signal = signal
        self._systemd = systemd
        self._status = status
        self._reloading = asyncio.Lock()

    async def run(self) -> Reloaded:
        """Reads the settings again and applies what can be applied while calls are served.

        Raises:
            SettingsInvalid: with every problem; nothing has changed.
            RetryLater: the daemon is stopping.
        """
        logger, metrics = self._parts.logs.logger, self._parts.metrics
        async with self._reloading:
            self._signal.refuse_if_requested()
            self._systemd.reloading()
            status = self._status
            try:
                loaded = self._load()
                changes = compare(self._settings, loaded.settings)
                if problems := contradictions(self._settings, changes.settings):
                    raise SettingsInvalid(problems)
                warnings = (*loaded.warnings, *await self._parts.apply(changes.settings, self._settings))
            except IntercomdError as error:
                status += "; the last reload failed, see the log"
                problems = error.problems if isinstance(error, SettingsInvalid) else [str(error)]
                metrics.count_reload(time.time(), success=False)
                logger.error("reload_failed", error="; ".join(problems))  # noqa: TRY400 - it names the fix
                raise SettingsInvalid(problems) from error
            finally:
                self._systemd.ready(status)
            self._settings = changes.settings
            metrics.count_reload(time.time(), success=True)
            logger.info("reloaded", changed=", ".join(changes.changed), needs_restart=", ".join(changes.restart))
            for warning in warnings:
                logger.warning("setting", warning=warning)
            return Reloaded(changes.changed, changes.restart, warnings)
