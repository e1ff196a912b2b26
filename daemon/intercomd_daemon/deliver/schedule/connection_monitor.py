"""The state of a connection, from its access, an operator's pause and outages. Each change is reported once."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import PAUSED_REASON, ConnectionState
from intercomd_daemon.deliver.intercom.access import Access, Grant
from intercomd_daemon.deliver.intercom.classification import DOUBTFUL, FORBIDDEN, Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.schedule.access_state import AccessState, Suspended
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.outage import Allowed, OutageDetector
from intercomd_daemon.deliver.schedule.pacing import WAIT_MAX_SECONDS
from intercomd_daemon.outcome import Outcome

_NOT_VERIFIED = "GET /me has not been answered yet"


class Observer(Protocol):
    """Receives what happens to a connection: for log lines, metrics and watchers."""

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Takes committed outcomes."""
        ...

    def on_call(
        self, connection: str, call: Call, status: int, seconds: float, traceparents: Sequence[str], body: bytes
    ) -> None:
        """Takes a call with the status of its response, 0 if none came, its duration, and the body of the request."""
        ...

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        """Takes a change of the state or its reason."""
        ...

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        """Takes something else that an operator should see."""
        ...


class ConnectionMonitor:
    """Follows the state of one connection.

    It combines three states, each with one owner: the access (`AccessState`), the outage detector and the pause. All
    responses pass through here. It also says when `GET /me` is needed, for access or for the outage detector.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        observer: Observer,
        clock: Clock,
        on_recovery: Callable[[], None],
        *,
        paused: bool,
    ) -> None:
        """`on_recovery` is called when an outage ends."""
        self.outage = OutageDetector()
        self.state = ConnectionState.VERIFYING
        self.reason = _NOT_VERIFIED
        self.open = False
        """Whether calls may leave: access is granted, and no operator has paused the connection."""
        self.since = clock.wall()
        self.workspace_name = ""
        self.region = ""
        self.next_probe = 0.0
        """When `GET /me` is called next, Unix seconds; 0.0 if it is not needed."""
        self._name = settings.name
        self._observer = observer
        self._clock = clock
        self._on_recovery = on_recovery
        self._paused = paused
        self._access = AccessState()
        self._probe_needed = asyncio.Event()
        self._set_probe_needed()
        self._check_needed = asyncio.Event()
        self._probe_now = asyncio.Event()
        self._last_failure = ""
        """The reason of the last failed call that the connection's state may mention."""

    @property
    def suspended(self) -> bool:
        """Whether Intercom refused our access."""
        return self._access.suspended

    @property
    def troubled(self) -> bool:
        """Whether `GET /me` is not granted, or not answered; a pause makes no difference."""
        return not self._access.granted or (self.outage.down and not self.outage.of_single_users)

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes the connection."""
        self._paused = paused
        self._report()

    # Responses to users' calls, and to calls of the attribute sync.

    def on_response(
        self, call: Call, lane: str, classification: Classification, response: Response, failures: int
    ) -> Classification:
        """Takes the response to a lane's call that failed `failures` times before; returns the final classification.

        It differs from the given one for a 403 that turns out to be about this call alone.
        """
        if classification.reason == FORBIDDEN and self._access.on_forbidden(call.scope, lane):
            classification = Classification(Kind.REFUSED, FORBIDDEN)
        if classification.kind is Kind.SUSPENDED:
            self.outage.abandon_probe(lane)
            self.suspend(classification.reason, response.status)
        elif classification.kind is not Kind.TRANSIENT:
            self.on_success()
            self._access.on_response(call.scope, lane, done=classification.kind is Kind.DONE)
        elif classification.reason in DOUBTFUL and not self.outage.down:
            self.on_doubtful_response(call, lane, classification.reason, response.status)
        else:
            self.on_failure(lane, classification.reason, response, failures)
        return classification

    def on_success(self) -> None:
        """Takes a response that shows that Intercom works; refusals do too."""
        if self.outage.on_success():
            self._report()
            self._on_recovery()

    def on_failure(self, lane: str, reason: str, response: Response, failures: int = 0) -> None:
        """Takes a failure that need not be its user's fault, of a call that failed `failures` times before.

        `lane` is empty for a call that concerns no user.
        """
        self._last_failure = reason
        now, jitter = self._clock.monotonic(), self._clock.jitter()
        if self.outage.on_failure(lane, now, jitter, failures, _retry_after_seconds(response)):
            self._report()

    def on_doubtful_response(self, call: Call, lane: str, reason: str, status: int) -> None:
        """Takes a response that may be about the connection: `GET /me` is needed, and suspends it for several users."""
        if self._access.on_doubtful_response(call.scope, lane):
            self.suspend(reason, status)
        self._set_probe_needed()

    def suspend(self, reason: str, status: int) -> None:
        """Suspends the connection: a response with this status refused our access."""
        self._access.suspend(reason, status)
        self._set_probe_needed()
        self._report()

    # `GET /me` to verify access.

    async def wait_probe_needed(self) -> None:
        """Returns while access is not granted, or in doubt."""
        await self._probe_needed.wait()

    def schedule_probe(self) -> float:
        """Returns how long to wait before `GET /me` is called, in seconds."""
        delay = self._access.next_probe_delay(self._clock.jitter())
        self._probe_now.clear()
        if delay:
            self.next_probe = self._clock.wall() + delay
        return delay

    async def wait_probe_due(self, delay: float) -> bool:
        """Waits for a delay in seconds, or until an operator wants the probe now; returns whether one does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._probe_now.wait()
        return self._probe_now.is_set()

    def probe_now(self) -> None:
        """Makes the next probe due, if the connection waits for one."""
        if self.next_probe:
            self.next_probe = self._clock.wall()
        self._probe_now.set()
        self.outage.probe_now()

    def on_access(self, access: Access, response: Response, *, while_suspended: bool) -> bool:
        """Takes a response of `GET /me` that was called `while_suspended` or not; returns whether it counts."""
        retry_after_seconds = (response.retry_after_seconds or 0.0) if response.status >= 500 else 0.0
        if not self._access.on_access_response(access, retry_after_seconds, while_suspended=while_suspended):
            return False
        if access.grant is Grant.UNKNOWN:
            self._last_failure = access.message
        elif access.grant is Grant.GRANTED:
            if access.reason:
                self._observer.on_notice(self._name, "access_unverified", warning=access.message)
            self.workspace_name, self.region = access.workspace_name, access.region
            self.next_probe = 0.0
        self._set_probe_needed()
        self._report()
        return True

    def _set_probe_needed(self) -> None:
        if self._access.probe_needed:
            self._probe_needed.set()
        else:
            self._probe_needed.clear()

    # `GET /me` for the outage detector: whether Intercom can be reached.

    def request_check(self, now: float) -> None:
        """Asks for a `GET /me`, as the outage detector allows."""
        self.outage.start_call(Allowed.CHECK, "", now)
        self._check_needed.set()

    async def wait_check_needed(self) -> None:
        """Returns when a check is requested, once for each request."""
        await self._check_needed.wait()
        self._check_needed.clear()

    def on_check(self, access: Access, response: Response) -> None:
        """Takes the response of the `GET /me` that was requested."""
        if access.grant is Grant.SUSPENDED:
            self.suspend(access.reason, response.status)
        recovered = self.outage.on_check(
            reachable=access.grant is not Grant.UNKNOWN,
            now=self._clock.monotonic(),
            jitter=self._clock.jitter(),
            least_seconds=_retry_after_seconds(response),
        )
        self._report()
        if recovered:
            self.on_success()

    def _report(self) -> None:
        """Reports the state if it changed."""
        self.open = self._access.granted and not self._paused
        state, reason = self._current()
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        self.since = self._clock.wall()
        self._observer.on_state(self._name, state, reason)

    def _current(self) -> tuple[ConnectionState, str]:
        """Returns the state and its reason. An operator's pause hides a suspension, which hides an outage."""
        access = self._access.state
        if self._paused:
            return ConnectionState.PAUSED, PAUSED_REASON
        if isinstance(access, Suspended):
            return ConnectionState.SUSPENDED, access.reason
        if not self._access.granted:
            failure = f"access is not verified: {self._last_failure}" if self._last_failure else _NOT_VERIFIED
            return ConnectionState.VERIFYING, failure
        if self.outage.down and self.outage.of_single_users:
            users_fail = f"calls of several users fail ({self._last_failure})"
            return ConnectionState.DOWN, f"{users_fail}, though GET /me succeeds; other users' calls go on"
        if self.outage.down:
            away = f"calls to Intercom fail ({self._last_failure})"
            return ConnectionState.DOWN, f"{away}; one call at a time probes it"
        return ConnectionState.DELIVERING, ""


def _retry_after_seconds(response: Response) -> float:
    """Returns the wait that a response asks for, at most 60 s; 0.0 if none."""
    return min(response.retry_after_seconds or 0.0, WAIT_MAX_SECONDS)
