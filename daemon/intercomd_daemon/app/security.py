"""TLS of the listeners, and the files that it is read from, which are watched while the daemon runs."""

import asyncio
from types import MappingProxyType

from intercomd_daemon.config import Settings
from intercomd_daemon.rpc.tls import ServerTls
from intercomd_daemon.telemetry.logs import Logger

WATCH_SECONDS = 1.0
"""Interval at which files are checked for changes: a renewed certificate is in use within this time."""


class Security:
    """What guards the listeners. Call `load` before they open, then run `watch`."""

    def __init__(self, settings: Settings, logger: Logger) -> None:
        self._logger = logger
        sections = {"ingest.tls": settings.ingest.tls, "operations.tls": settings.operations.tls}
        self._tls = MappingProxyType({name: ServerTls(tls) for name, tls in sections.items() if tls.on})

    @property
    def ingest_tls(self) -> ServerTls | None:
        """TLS of the ingest addresses; None: plain text."""
        return self._tls.get("ingest.tls")

    @property
    def operations_tls(self) -> ServerTls | None:
        """TLS of the operations addresses; None: plain text."""
        return self._tls.get("operations.tls")

    def load(self) -> None:
        """Reads all files.

        Raises:
            FileUnusable: a file is missing or invalid.
        """
        for tls in self._tls.values():
            tls.load()

    async def watch(self) -> None:
        """Reads files again when they change; runs until it is cancelled."""
        while self._tls:
            await asyncio.sleep(WATCH_SECONDS)
            for section, tls in self._tls.items():
                problem = tls.problem
                if tls.refresh():
                    self._logger.info("tls_reloaded", section=section)
                if tls.problem and tls.problem != problem:
                    self._logger.warning("tls_unusable", section=section, error=tls.problem)
