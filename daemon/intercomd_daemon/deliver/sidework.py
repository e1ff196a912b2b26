"""The calls that are about no user: who we are, which custom attributes there are, and making one.

Each is made once, however many lanes wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver import encode
from intercomd_daemon.deliver.access import Grant, next_probe_seconds, read_access
from intercomd_daemon.deliver.backoff import delay_seconds
from intercomd_daemon.deliver.catalogue import AttributeList, Catalogue
from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.exchange import Answer, Call, Request
from intercomd_daemon.deliver.gate import Gate, Observer
from intercomd_daemon.deliver.judge import DOUBTFUL, Kind, Verdict, judge
from intercomd_daemon.deliver.pace import WAIT_MAX_SECONDS, Pace

# Neither done nor refused: the same call leaves again, when it may.
_LATER = frozenset({Kind.PASSING, Kind.SUSPENDED})


class Sidework:
    """`GET /me` and the data attributes of one connection."""

    def __init__(
        self,
        settings: ConnectionSettings,
        catalogue: Catalogue,
        gate: Gate,
        pace: Pace,
        make: Callable[[Request], Awaitable[Answer]],
        recovered: Callable[[], None],
        observer: Observer,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._gate = gate
        self._pace = pace
        self._make = make
        self._recovered = recovered
        self._observer = observer
        self._clock = clock
        self._turn = asyncio.Lock()
        self._failures = 0
        self._retry_at = 0.0

    async def verify(self, then: Callable[[], None]) -> None:
        """Asks `GET /me` whenever access is in doubt, until it is granted; runs until it is cancelled."""
        wait, failures, least = 0.0, 0, 0.0
        while True:
            await self._gate.asked.wait()
            if self._gate.well:
                # "The interval starts over only after a delivery that went well."
                wait, self._gate.well = 0.0, False
            if self._gate.suspended:
                wait = next_probe_seconds(wait)
                await self._until_probe(wait)
            elif failures:
                await self._until_probe(max(least, delay_seconds(failures, self._clock.jitter())))
            suspended = self._gate.suspended
            answer = await self._paced(encode.ME)
            # "honour Retry-After, capped at 60 s, on 5xx for the probe"
            least = min(answer.retry_after_seconds or 0.0, WAIT_MAX_SECONDS) if answer.status >= 500 else 0.0
            access = read_access(answer, self._settings)
            if access.grant is Grant.GRANTED and self._gate.suspended and not suspended:
                continue  # Suspended by another call meanwhile: only a later answer ends that.
            failures = failures + 1 if access.grant is Grant.UNKNOWN else 0
            self._gate.accessed(access)
            then()

    async def check(self, then: Callable[[], None]) -> None:
        """Asks `GET /me` whenever the outage detector needs it; runs until it is cancelled."""
        while True:
            await self._gate.check_asked.wait()
            self._gate.check_asked.clear()
            answer = await self._paced(encode.ME)
            access = read_access(answer, self._settings)
            if access.grant is Grant.SUSPENDED:
                self._gate.suspend(access.reason, answer.status)
            least = min(answer.retry_after_seconds or 0.0, WAIT_MAX_SECONDS)
            if self._gate.checked(answered=access.grant is not Grant.UNKNOWN, least_seconds=least):
                self._recovered()
            then()

    async def _until_probe(self, seconds: float) -> None:
        self._gate.next_probe = self._clock.wall() + seconds
        await asyncio.sleep(seconds)

    async def read_attributes(self) -> float:
        """Fetches the list of custom attributes; returns how long to wait before asking again (0: it is known)."""
        async with self._turn:
            wait = self._retry_at - self._clock.monotonic()
            if wait > 0 or not self._catalogue.stale(self._clock.wall()):
                return max(0.0, wait)
            return await self._read_list()

    async def create_attribute(self, name: str, data_type: str) -> float:
        """Creates a custom attribute, or remembers the refusal; returns how long to wait before asking again."""
        async with self._turn:
            now = self._clock.wall()
            wait = self._retry_at - self._clock.monotonic()
            if wait > 0 or not self._catalogue.absent(name, now):
                return max(0.0, wait)
            if self._settings.dry_run:
                self._catalogue.created(name, data_type, now)
                return 0.0
            answer = await self._paced(encode.create_attribute(name, data_type))
            verdict = judge(Call.CREATE_ATTRIBUTE, answer)
            if verdict.kind in _LATER:
                return self._failed(Call.CREATE_ATTRIBUTE, verdict, answer)
            self._went_well()
            details = {"attribute": name, "data_type": data_type, "status": answer.status}
            if verdict.kind is Kind.DONE:
                self._catalogue.created(name, data_type, now)
                self._observer.on_notice(self._settings.name, "attribute_created", **details)
                return 0.0
            if answer.status == 400 and not self._catalogue.doubted(name):
                # "Every refusal is 400": perhaps it exists, made by others meanwhile, or by us, with the answer lost.
                wait = await self._read_list()
                if wait or self._gate.suspended:
                    return wait
            if self._catalogue.absent(name, now):
                why = f"Intercom refused to create the attribute (status {answer.status}); create it there"
                self._catalogue.refused(name, why, now)
                self._observer.on_notice(self._settings.name, "attribute_refused", **details)
            return 0.0

    async def _read_list(self) -> float:
        answer = await self._paced(encode.ATTRIBUTES)
        verdict = judge(Call.LIST_ATTRIBUTES, answer)
        if verdict.kind in _LATER:
            return self._failed(Call.LIST_ATTRIBUTES, verdict, answer)
        self._went_well()
        try:
            listed = msgspec.json.decode(answer.body, type=AttributeList)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            listed = None
        if verdict.kind is Kind.DONE and listed is not None:
            self._catalogue.read(listed.data, self._clock.wall())
        else:
            self._catalogue.unreadable(self._clock.wall())
            self._observer.on_notice(self._settings.name, "attributes_unreadable", status=answer.status)
        return 0.0

    def _failed(self, call: Call, verdict: Verdict, answer: Answer) -> float:
        if verdict.kind is Kind.SUSPENDED:
            self._gate.suspend(verdict.reason, answer.status)
            return 0.0
        self._failures += 1
        now = self._clock.monotonic()
        if verdict.reason in DOUBTFUL:
            self._gate.doubted(call, "", verdict.reason, answer.status)
        self._gate.failed("", verdict.reason, now, retry_after_seconds=answer.retry_after_seconds)
        wait = max(0.001, delay_seconds(self._failures, self._clock.jitter()))
        self._retry_at = now + wait
        return wait

    def _went_well(self) -> None:
        self._failures = 0
        self._recovered()

    async def _paced(self, request: Request) -> Answer:
        """Every call passes the budget."""
        while True:
            now = self._clock.monotonic()
            at = self._pace.next_at(now)
            if at <= now:
                break
            await asyncio.sleep(at - now)
        self._pace.take(now)
        return await self._make(request)
