"""The state of a connection of an agent: whether envelopes may leave, why not, and when to try again. Pure."""

from math import inf

from intercomd_daemon.connection_status import PAUSED_REASON, ConnectionState
from intercomd_daemon.forward.replies import Advice, Next, Reply, pause_seconds

DOWN_FAILURES = 2
"""Failures in a row after which the connection counts as down: a single broken call is not an outage."""
DETAIL_CHARACTERS_MAX = 300
"""Characters kept of the gateway's message."""


class ForwardState:
    """Follows the replies of the gateway to the calls of one connection. Times are monotonic seconds."""

    def __init__(self, *, paused: bool) -> None:
        self.verified = False
        """Whether a probe has shown that the gateway takes envelopes of this connection."""
        self.failures = 0
        """Failures in a row."""
        self.retry_at = 0.0
        """When the next call may leave, unless the connection is paused or its spool changed."""
        self.last_error = ""
        self.changed_to = ""
        """The id of another spool that answered, until an operator confirms it; else empty."""
        self._suspended = ""
        self._paused = paused

    def next_at(self) -> float:
        """Returns when the next call may leave; infinite while paused, or until another spool is confirmed."""
        return inf if self._paused or self.changed_to else self.retry_at

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes."""
        self._paused = paused

    def probe_now(self) -> str:
        """Makes the next call due; returns the id of the changed spool that an operator confirms by that, or ""."""
        confirmed, self.changed_to = self.changed_to, ""
        self.retry_at = 0.0
        return confirmed

    def on_reply(self, advice: Advice, reply: Reply, now: float, jitter: float) -> None:
        """Updates the state after a reply; `jitter` is random, 0.0 to 1.0."""
        if advice.next in {Next.SETTLE, Next.DIVIDE}:
            self.failures, self.retry_at, self._suspended = 0, 0.0, ""
            return
        self.failures += 1
        code = "" if reply.code == "OK" else reply.code
        detail = reply.message or advice.problem or advice.reason
        self.last_error = ": ".join(filter(None, (code, detail)))[:DETAIL_CHARACTERS_MAX]
        suspends = advice.next in {Next.SUSPEND, Next.AWAIT_CONFIRMATION}
        self._suspended = advice.reason if suspends else ""
        self.retry_at = now + pause_seconds(reply, self.failures, jitter)
        if self._suspended:
            self.verified = False
        if advice.next is Next.AWAIT_CONFIRMATION:
            self.changed_to = reply.spool_id

    def current(self) -> tuple[ConnectionState, str]:
        """Returns the state, and its reason with the remedy or the last error."""
        if self._paused:
            return ConnectionState.PAUSED, PAUSED_REASON
        if self._suspended:
            return ConnectionState.SUSPENDED, self._suspended
        if self.failures >= DOWN_FAILURES:
            return ConnectionState.DOWN, f"the gateway does not take envelopes ({self.last_error})"
        if not self.verified:
            detail = f": {self.last_error}" if self.failures else ""
            return ConnectionState.VERIFYING, f"the gateway has not answered yet{detail}"
        return ConnectionState.DELIVERING, ""
