"""Calls `GET /me`: to verify that the access token is valid for this workspace, and whether Intercom is reachable."""

from collections.abc import Callable, Iterator

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access import read_access
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor
from intercomd_daemon.deliver.schedule.paced_client import PacedClient

TOKEN_SECONDS = 1.0
"""How often the token file is checked for another token while the connection waits for its next probe."""


class AccessProbe:
    """Calls `GET /me` for one connection, whenever its monitor needs that."""

    def __init__(self, settings: ConnectionSettings, monitor: ConnectionMonitor, client: PacedClient) -> None:
        self._settings = settings
        self._monitor = monitor
        self._client = client

    async def verify(self, on_change: Callable[[], None]) -> None:
        """Calls `GET /me` while access is not granted or in doubt; runs until it is cancelled."""
        while True:
            await self._monitor.wait_probe_needed()
            delay = self._monitor.schedule_probe()
            if delay:
                await self._wait_probe_due(delay)
            while_suspended = self._monitor.suspended
            response = await self._client.call_within_budget(requests.ME)
            access = read_access(response, self._settings)
            if self._monitor.on_access(access, response, while_suspended=while_suspended):
                on_change()

    async def _wait_probe_due(self, delay: float) -> None:
        """Returns after a delay in seconds, when an operator wants the probe, or soon after the token changed."""
        for seconds in _slices(delay):
            if await self._monitor.wait_probe_due(seconds) or self._client.token_changed():
                return

    async def check(self, on_change: Callable[[], None]) -> None:
        """Calls `GET /me` whenever the outage detector needs it; runs until it is cancelled.

        `on_change` is called after each response.
        """
        while True:
            await self._monitor.wait_check_needed()
            response = await self._client.call_within_budget(requests.ME)
            self._monitor.on_check(read_access(response, self._settings), response)
            on_change()


def _slices(seconds: float) -> Iterator[float]:
    """Divides a wait into parts of at most TOKEN_SECONDS."""
    while seconds > 0.0:
        yield min(seconds, TOKEN_SECONDS)
        seconds -= TOKEN_SECONDS
