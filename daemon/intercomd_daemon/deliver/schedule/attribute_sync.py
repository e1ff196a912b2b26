"""Fetches the list of custom attributes and creates missing ones, once for all lanes that wait for them."""

import asyncio

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import DOUBTFUL, Classification, Kind, classify, describe_failure
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog, AttributeList
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor, Observer
from intercomd_daemon.deliver.schedule.paced_client import PacedClient
from intercomd_daemon.deliver.schedule.pacing import retry_delay
from intercomd_daemon.errors import quoted
from intercomd_daemon.spool.base import States

# The call neither succeeded nor was refused: it is repeated later.
_LATER = frozenset({Kind.TRANSIENT, Kind.SUSPENDED})


class AttributeSync:
    """Keeps the attribute catalog of one connection up to date."""

    def __init__(
        self,
        settings: ConnectionSettings,
        states: States,
        catalog: AttributeCatalog,
        monitor: ConnectionMonitor,
        client: PacedClient,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._states = states
        self._state_name = f"attributes_created {settings.name}"
        self._restored = False
        self._catalog = catalog
        self._monitor = monitor
        self._client = client
        self._observer = observer
        self._clock = clock
        self._lock = asyncio.Lock()
        self.last_failure = (0, "")
        """Status and text of the last failed call, for the lanes that wait for another attempt."""
        self._failures = 0
        self._retry_at = 0.0

    async def read_attributes(self) -> float:
        """Fetches the list of custom attributes; returns the seconds to wait before another attempt, 0.0 on success."""
        async with self._lock:
            wait = self._retry_at - self._clock.monotonic()
            if wait > 0 or not self._catalog.stale(self._clock.wall()):
                return max(0.0, wait)
            return await self._read_list()

    async def create_attribute(self, name: str, data_type: str) -> float:
        """Creates a custom attribute, or remembers the refusal; returns the seconds to wait before another attempt."""
        async with self._lock:
            now = self._clock.wall()
            wait = self._retry_at - self._clock.monotonic()
            if wait > 0 or not self._catalog.absent(name, now):
                return max(0.0, wait)
            if self._settings.dry_run:
                self._client.skip(Call.CREATE_ATTRIBUTE)
                self._catalog.created(name, data_type, now)
                return 0.0
            response = await self._client.call_within_budget(requests.create_attribute(name, data_type))
            classification = classify(Call.CREATE_ATTRIBUTE, response)
            if classification.kind in _LATER:
                return self._on_failure(Call.CREATE_ATTRIBUTE, classification, response)
            self._on_success()
            details = {"attribute": name, "data_type": data_type, "status": response.status}
            if classification.kind is Kind.DONE:
                self._catalog.created(name, data_type, now)
                await self._save_creations()
                self._observer.on_notice(self._settings.name, "attribute_created", **details)
                return 0.0
            if response.status == 400 and not self._catalog.doubted(name):
                # Every refusal is a 400 (I21). Perhaps it exists: created by others, or by us with the response lost.
                wait = await self._read_list()
                if wait or self._monitor.suspended:
                    return wait
            if self._catalog.absent(name, now):
                cause = f"Intercom refused to create attribute {quoted(name)} (status {response.status})"
                self._catalog.refused(name, cause, "create it there", now)
                self._observer.on_notice(self._settings.name, "attribute_refused", **details)
            return 0.0

    async def _restore_creations(self) -> None:
        """Counts what was created within the last day before this process delivered for the connection."""
        self._restored = True
        try:
            created = msgspec.json.decode(await self._states.load_state(self._state_name) or b"[]", type=list[float])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        self._catalog.restore(created, self._clock.wall())

    async def _save_creations(self) -> None:
        await self._states.save_state(self._state_name, msgspec.json.encode(self._catalog.creation_times))

    async def _read_list(self) -> float:
        if not self._restored:
            await self._restore_creations()
        response = await self._client.call_within_budget(requests.ATTRIBUTES)
        classification = classify(Call.LIST_ATTRIBUTES, response)
        if classification.kind in _LATER:
            return self._on_failure(Call.LIST_ATTRIBUTES, classification, response)
        self._on_success()
        try:
            listed = msgspec.json.decode(response.body, type=AttributeList)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            listed = None
        if classification.kind is Kind.DONE and listed is not None:
            self._catalog.read(listed.data, self._clock.wall())
        else:
            self._catalog.unreadable(self._clock.wall())
            self._observer.on_notice(self._settings.name, "attributes_unreadable", status=response.status)
        return 0.0

    def _on_failure(self, call: Call, classification: Classification, response: Response) -> float:
        if classification.kind is Kind.SUSPENDED:
            self._monitor.suspend(classification.reason, response.status)
            return 0.0
        self._failures += 1
        self._client.note_failure(call, classification, response)
        self.last_failure = (response.status, describe_failure(call, classification, response))
        if classification.reason in DOUBTFUL:
            self._monitor.on_doubtful_response(call, "", classification.reason, response.status)
        self._monitor.on_failure("", classification.reason, response)
        wait = max(0.001, retry_delay(self._failures, self._clock.jitter()))
        self._retry_at = self._clock.monotonic() + wait
        return wait

    def _on_success(self) -> None:
        self._failures = 0
        self._monitor.on_success()
