"""Whether calls may leave at all: access, an operator's pause, and outages, as one state that is reported.

Every change of it is told once. When within the budget a call may leave, pace knows.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.access import Access, Grant, remedy_of
from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.doubt import Doubt
from intercomd_daemon.deliver.exchange import Answer, Call
from intercomd_daemon.deliver.judge import DOUBTFUL, FORBIDDEN, Kind, Verdict
from intercomd_daemon.deliver.outage import Allowed, OutageDetector
from intercomd_daemon.deliver.pace import WAIT_MAX_SECONDS
from intercomd_daemon.deliver.status import ConnectionState
from intercomd_daemon.outcome import Outcome


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


class Gate:
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
        self._doubt = Doubt()

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

    def judged(self, call: Call, lane: str, verdict: Verdict, answer: Answer, before: int) -> Verdict:
        """Takes the verdict on a user's call, which had failed so often before, and gives the one that holds.

        It is another one for the third 403 in a row that is about this call alone.
        """
        if verdict.reason == FORBIDDEN and self._doubt.forbidden(call.scope, lane):
            verdict = Verdict(Kind.REFUSED, FORBIDDEN)
        if verdict.kind is Kind.SUSPENDED:
            self.outage.abandoned(lane)
            self.suspend(verdict.reason, answer.status)
        elif verdict.kind is not Kind.PASSING:
            self.well = True
            self._doubt.answered(call.scope, lane, done=verdict.kind is Kind.DONE)
        elif verdict.reason in DOUBTFUL and not self.outage.down:
            self.doubted(call, lane, verdict.reason, answer.status)
        else:
            self.failed(lane, verdict.reason, self._clock.monotonic(), before, answer.retry_after_seconds)
        return verdict

    def doubted(self, call: Call, lane: str, reason: str, status: int) -> None:
        """An answer may be about the connection: asks `GET /me`, and suspends if several users got such answers."""
        if self._doubt.seen(call.scope, lane):
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
            self._doubt.granted()
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
