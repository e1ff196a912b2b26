"""Whether Intercom grants this connection access, from `GET /me` and from users' calls. Pure.

Some responses are about the whole connection if several users get them, and about one call otherwise: NOT_INTERCOM (a
proxy may answer every call) and FORBIDDEN (a firewall may refuse one payload). They are counted by scope. A scope is
what a token or a firewall allows together: a token without the scope to write events fails at all of them, while
contacts succeed.
"""

from typing import NamedTuple

from intercomd_daemon.deliver.intercom.access import Access, Grant, next_probe_seconds, remedy_of
from intercomd_daemon.deliver.schedule.pacing import WAIT_MAX_SECONDS, retry_delay

# A refusal for the whole connection must be seen on the calls of this many lanes.
LANES_MIN = 3
# A lane's call is given up after this many 403s in a row, if `GET /me` and other users' calls succeed meanwhile.
FORBIDDEN_MIN = 3
# Lanes whose 403s are counted. Above the limit the oldest are forgotten and start over.
FORBIDDEN_LANES_MAX = 1_000


class Unverified(NamedTuple):
    """`GET /me` has not been answered yet."""


class Granted(NamedTuple):
    """Calls may leave."""

    in_doubt: bool = False
    """Whether `GET /me` must confirm the access, because a response raised a doubt."""


class Suspended(NamedTuple):
    """Intercom refuses our access: only `GET /me` is called, until it succeeds."""

    reason: str
    """With the remedy."""


class _Forbidden(NamedTuple):
    """A lane's 403s in a row, and the proofs of access that were counted before the first of them."""

    times: int
    grants: int
    successes: int


class AccessState:
    """The access of one connection: Unverified at the start, then Granted or Suspended.

    `GET /me` leads from any state to Granted or Suspended; a call that Intercom refuses for the whole connection leads
    to Suspended.
    """

    def __init__(self) -> None:
        self.state: Unverified | Granted | Suspended = Unverified()
        self._probe_seconds = 0.0
        """The last wait before a `GET /me` while suspended."""
        self._failures = 0
        """Calls of `GET /me` in a row without a usable response."""
        self._retry_after_seconds = 0.0
        self._grants = 0
        self._successes: dict[str, int] = {}
        """Successful calls of each scope."""
        self._doubtful_lanes: dict[str, set[str]] = {}
        """By scope: the lanes with doubtful responses since the scope's last success."""
        self._forbidden: dict[str, _Forbidden] = {}

    @property
    def granted(self) -> bool:
        """Whether calls may leave."""
        return isinstance(self.state, Granted)

    @property
    def suspended(self) -> bool:
        """Whether Intercom refused our access."""
        return isinstance(self.state, Suspended)

    @property
    def probe_needed(self) -> bool:
        """Whether `GET /me` must be called."""
        return self.state != Granted(in_doubt=False)

    def suspend(self, reason: str, status: int) -> None:
        """Suspends the connection: a response with this status refused our access."""
        self.state = Suspended(f"{reason}: {remedy_of(reason, status)}")

    def next_probe_delay(self, jitter: float) -> float:
        """Returns how long to wait before `GET /me` is called, in seconds."""
        if self.suspended:
            self._probe_seconds = next_probe_seconds(self._probe_seconds)
            return self._probe_seconds
        return max(self._retry_after_seconds, retry_delay(self._failures, jitter)) if self._failures else 0.0

    def on_access_response(self, access: Access, retry_after_seconds: float, *, while_suspended: bool) -> bool:
        """Handles a response to `GET /me`; returns whether the response was used.

        Args:
            access: the classified response.
            retry_after_seconds: 0.0 if the response does not ask for a wait.
            while_suspended: the connection was suspended when the call was made.
        """
        if access.grant is Grant.GRANTED and self.suspended and not while_suspended:
            # Another call was refused in the meantime. Only a response to a later `GET /me` ends that.
            return False
        if access.grant is Grant.UNKNOWN:
            self._failures += 1
            # `Retry-After` applies to this probe too, up to 60 s.
            self._retry_after_seconds = min(retry_after_seconds, WAIT_MAX_SECONDS)
            return True
        self._failures = 0
        if access.grant is Grant.SUSPENDED:
            self.state = Suspended(f"{access.reason}: {access.message}")
        else:
            self.state = Granted()
            self._grants += 1
        return True

    def on_response(self, scope: str, lane: str, *, done: bool) -> None:
        """Counts a response to a lane's call that raises no doubt; `done`: the call succeeded."""
        # The probe interval starts over only after a delivery that went well.
        self._probe_seconds = 0.0
        self._forbidden.pop(lane, None)
        if done:
            self._successes[scope] = self._successes.get(scope, 0) + 1
            self._doubtful_lanes.pop(scope, None)

    def on_doubtful_response(self, scope: str, lane: str) -> bool:
        """Counts a doubtful response to a lane's call; returns whether it is about the connection.

        It is if LANES_MIN lanes got one since a call of the scope last succeeded. In either case `GET /me` is needed.
        """
        if self.granted:
            self.state = Granted(in_doubt=True)
        lanes = self._doubtful_lanes.setdefault(scope, set())
        lanes.add(lane)
        if len(lanes) < LANES_MIN:
            return False
        lanes.clear()
        return True

    def on_forbidden(self, scope: str, lane: str) -> bool:
        """Counts a 403 on the next call of a lane; returns whether it is caused by this call rather than the token.

        It is if it came three times in a row, and since the first both `GET /me` and another user's call of the scope
        have succeeded. Until both are proven the token may lack the scope, and no call may be given up.
        """
        grants, successes = self._grants, self._successes.get(scope, 0)
        previous = self._forbidden.pop(lane, _Forbidden(0, grants, successes))
        forbidden = previous._replace(times=previous.times + 1)
        self._forbidden[lane] = forbidden
        while len(self._forbidden) > FORBIDDEN_LANES_MAX:
            del self._forbidden[next(iter(self._forbidden))]
        return forbidden.times >= FORBIDDEN_MIN and grants > forbidden.grants and successes > forbidden.successes
