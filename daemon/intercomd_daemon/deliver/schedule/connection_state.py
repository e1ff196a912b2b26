"""Whether calls may leave at all: access, an operator's pause, and outages, as one state that is reported.

Each change is reported once.
"""

import asyncio
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access import Access, Grant, remedy_of
from intercomd_daemon.deliver.intercom.classification import DOUBTFUL, FORBIDDEN, Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.schedule.access_doubt import AccessDoubt
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.outage import Allowed, OutageDetector
from intercomd_daemon.deliver.schedule.pacing import WAIT_MAX_SECONDS
from intercomd_daemon.outcome import Outcome


class ConnectionState(IntEnum):
    """What a connection does at present."""

    VERIFYING = 1
    """Before the first answer of `GET /me`: nothing leaves."""
    DELIVERING = 2
    DOWN = 3
    """Intercom does not answer well for any user: one call probes."""
    SUSPENDED = 4
    """The access token, the App ID or the region is wrong: `GET /me` probes."""
    PAUSED = 5
    """An operator stopped it."""
    INACTIVE = 6
    """Switched off in the settings: its envelopes are skipped, what waits stays."""


class ConnectionStatus(msgspec.Struct, frozen=True):
    """A picture of one connection; times are Unix seconds, 0.0 where there is none."""

    name: str
    state: ConnectionState
    reason: str
    """Why it does not deliver, with the remedy; empty if it does."""
    since: float
    """When it came to stand like this."""
    app_id: str
    workspace_name: str
    region: str
    dry_run: bool
    calls: int
    """Made since the start."""
    budget_limit: int
    """Calls that Intercom allows in a window, as last heard."""
    budget_plan: int
    """Calls that we mean to make of those."""
    budget_remaining: int
    """Calls that we may still make in this window."""
    window_seconds: float
    window_ends: float
    lanes_open: int
    rows_read_ahead: int
    next_probe: float
    last_error: str
    """The last failure that concerned the connection as a whole, in words, without any user's data."""
    custom_attributes: int = 0
    """Of contacts in the workspace, archived ones left out; 0 before the list is read."""


class Observer(Protocol):
    """Who is told what happened; log lines, metrics and watchers follow from it."""

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """These outcomes are committed."""
        ...

    def on_call(self, connection: str, call: Call, status: int, seconds: float) -> None:
        """A call was answered (status 0: it was not)."""
        ...

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        """The connection stands differently now."""
        ...

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        """Something that an operator should see."""
        ...


class ConnectionMonitor:
    """The state of one connection."""

    def __init__(self, settings: ConnectionSettings, observer: Observer, clock: Clock, *, paused: bool) -> None:
        self.outage = OutageDetector()
        self.state = ConnectionState.VERIFYING
        self.reason = "GET /me has not been answered yet"
        self.since = clock.wall()
        self.workspace_name = ""
        self.region = ""
        self.next_probe = 0.0
        """When `GET /me` is asked next, Unix seconds; 0.0 if it need not be."""
        self.asked = asyncio.Event()
        """Set while `GET /me` must be asked before calls may leave."""
        self.asked.set()
        self.check_asked = asyncio.Event()
        """Set while the outage detector needs `GET /me`."""
        self.well = False
        """Whether a delivery went well since the last suspension."""
        self._name = settings.name
        self._observer = observer
        self._clock = clock
        self._paused = paused
        self._suspended = ""
        self._failing = ""
        self._verified = False
        self._access_doubt = AccessDoubt()

    @property
    def open(self) -> bool:
        """Whether calls may leave."""
        return self._verified and not self._paused

    @property
    def suspended(self) -> bool:
        """Whether our access was refused."""
        return bool(self._suspended)

    def pause(self, *, paused: bool) -> None:
        """An operator stops the connection, or lets it go on."""
        self._paused = paused
        self._tell()

    def suspend(self, reason: str, status: int = 0) -> None:
        """A call was answered, with this status, that our access is wrong."""
        self._verified = False
        self._suspended = f"{reason}: {remedy_of(reason, status)}"
        self.asked.set()
        self._tell()

    def classified(
        self, call: Call, lane: str, classification: Classification, response: Response, before: int
    ) -> Classification:
        """Takes the classified response to a user's call that had failed `before` times; returns the one that holds.

        It is another one for the third 403 in a row that is about this call alone.
        """
        if classification.reason == FORBIDDEN and self._access_doubt.forbidden(call.scope, lane):
            classification = Classification(Kind.REFUSED, FORBIDDEN)
        if classification.kind is Kind.SUSPENDED:
            self.outage.abandoned(lane)
            self.suspend(classification.reason, response.status)
        elif classification.kind is not Kind.TRANSIENT:
            self.well = True
            self._access_doubt.answered(call.scope, lane, done=classification.kind is Kind.DONE)
        elif classification.reason in DOUBTFUL and not self.outage.down:
            self.doubted(call, lane, classification.reason, response.status)
        else:
            self.failed(lane, classification.reason, self._clock.monotonic(), before, response.retry_after_seconds)
        return classification

    def doubted(self, call: Call, lane: str, reason: str, status: int) -> None:
        """An answer may be about the connection: asks `GET /me`, and suspends if several users got such answers."""
        if self._access_doubt.seen(call.scope, lane):
            self.suspend(reason, status)
        self.asked.set()

    def accessed(self, access: Access) -> None:
        """`GET /me` was answered."""
        if access.grant is Grant.UNKNOWN:
            self._failing = access.message
        elif access.grant is Grant.SUSPENDED:
            self._verified = False
            self._suspended = f"{access.reason}: {access.message}"
        else:
            if access.reason:
                self._observer.on_notice(self._name, "access_unverified", warning=access.message)
            self.workspace_name, self.region = access.workspace_name, access.region
            self._access_doubt.granted()
            self._verified = True
            self._suspended = ""
            self.next_probe = 0.0
            self.asked.clear()
        self._tell()

    def failed(
        self, lane: str, reason: str, now: float, before: int = 0, retry_after_seconds: float | None = None
    ) -> None:
        """A call failed for a reason that need not be its user's, and has failed so often before."""
        self._failing = reason
        # "honour Retry-After, capped at 60 s, on 5xx for the probe"
        least = min(retry_after_seconds or 0.0, WAIT_MAX_SECONDS)
        if self.outage.failed(lane, now, self._clock.jitter(), before, least):
            self._tell()

    def ask_check(self, now: float) -> None:
        """The outage detector needs `GET /me`."""
        self.outage.leave(Allowed.CHECK, "", now)
        self.check_asked.set()

    def checked(self, *, answered: bool, least_seconds: float = 0.0) -> bool:
        """`GET /me`, which the outage detector needed, was answered or failed; True if Intercom is back."""
        now, jitter = self._clock.monotonic(), self._clock.jitter()
        back = self.outage.checked(answered=answered, now=now, jitter=jitter, least_seconds=least_seconds)
        self._tell()
        return back

    def succeeded(self) -> bool:
        """A call was answered by an Intercom that is well; True if it was down until now."""
        recovered = self.outage.succeeded()
        if recovered:
            self._tell()
        return recovered

    def _now(self) -> tuple[ConnectionState, str]:
        if self._paused:
            return ConnectionState.PAUSED, "an operator paused it: resume it to go on"
        if self._suspended:
            return ConnectionState.SUSPENDED, self._suspended
        if not self._verified:
            return (
                ConnectionState.VERIFYING,
                f"GET /me has not been answered yet{self._failing and ': ' + self._failing}",
            )
        if self.outage.down:
            if self.outage.of_single_users:
                reason = f"calls of several users fail ({self._failing}), though Intercom answers GET /me; others go on"
            else:
                reason = f"Intercom does not answer well ({self._failing}); one call at a time probes it"
            return ConnectionState.DOWN, reason
        return ConnectionState.DELIVERING, ""

    def _tell(self) -> None:
        state, reason = self._now()
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        self.since = self._clock.wall()
        self._observer.on_state(self._name, state, reason)
