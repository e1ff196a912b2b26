"""Asks `GET /me`: whether the access token is valid for this workspace, and whether Intercom is reachable."""

import asyncio
from collections.abc import Callable

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access import Grant, next_probe_seconds, read_access
from intercomd_daemon.deliver.schedule.backoff import delay_seconds
from intercomd_daemon.deliver.schedule.caller import Caller
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_state import ConnectionMonitor
from intercomd_daemon.deliver.schedule.pacing import WAIT_MAX_SECONDS


class AccessProbe:
    """`GET /me` for one connection."""

    def __init__(
        self,
        settings: ConnectionSettings,
        monitor: ConnectionMonitor,
        caller: Caller,
        recovered: Callable[[], None],
        clock: Clock,
    ) -> None:
        """`recovered` is called when Intercom is back after an outage."""
        self._settings = settings
        self._monitor = monitor
        self._caller = caller
        self._recovered = recovered
        self._clock = clock

    async def verify(self, then: Callable[[], None]) -> None:
        """Asks `GET /me` whenever access is in doubt, until it is granted; runs until it is cancelled."""
        wait, failures, least = 0.0, 0, 0.0
        while True:
            await self._monitor.asked.wait()
            if self._monitor.well:
                # "The interval starts over only after a delivery that went well."
                wait, self._monitor.well = 0.0, False
            if self._monitor.suspended:
                wait = next_probe_seconds(wait)
                await self._until_probe(wait)
            elif failures:
                await self._until_probe(max(least, delay_seconds(failures, self._clock.jitter())))
            suspended = self._monitor.suspended
            response = await self._caller.make_within_budget(requests.ME)
            # "honour Retry-After, capped at 60 s, on 5xx for the probe"
            least = min(response.retry_after_seconds or 0.0, WAIT_MAX_SECONDS) if response.status >= 500 else 0.0
            access = read_access(response, self._settings)
            if access.grant is Grant.GRANTED and self._monitor.suspended and not suspended:
                continue  # Suspended by another call meanwhile: only a later response ends that.
            failures = failures + 1 if access.grant is Grant.UNKNOWN else 0
            self._monitor.accessed(access)
            then()

    async def check(self, then: Callable[[], None]) -> None:
        """Asks `GET /me` whenever the outage detector needs it; runs until it is cancelled."""
        while True:
            await self._monitor.check_asked.wait()
            self._monitor.check_asked.clear()
            response = await self._caller.make_within_budget(requests.ME)
            access = read_access(response, self._settings)
            if access.grant is Grant.SUSPENDED:
                self._monitor.suspend(access.reason, response.status)
            least = min(response.retry_after_seconds or 0.0, WAIT_MAX_SECONDS)
            if self._monitor.checked(answered=access.grant is not Grant.UNKNOWN, least_seconds=least):
                self._recovered()
            then()

    async def _until_probe(self, seconds: float) -> None:
        self._monitor.next_probe = self._clock.wall() + seconds
        await asyncio.sleep(seconds)
