"""Tells an outage of Intercom from the trouble of single users, and says which calls may leave during one. Pure.

Several lanes that fail in a row, with no success in between, are a suspected outage: the connection is down. `GET /me`
then decides between two cases.

1. `GET /me` fails too. Intercom is away: calls stop, and one probe at a time leaves, with backoff.
2. `GET /me` is answered. The trouble may be that of the lanes that failed. They wait for the probes, but lanes that
   have not failed leave at once, and the first success ends the suspicion.

Failures are those that need not be the user's fault: no answer, a timeout, 5xx, 429.
"""

from enum import Enum, auto
from math import inf

from intercomd_daemon.deliver.schedule.backoff import delay_seconds

# 5 failures in a row over 3 or more lanes are a suspected outage. In case 2, 5 more call for another `GET /me`.
FAILURES_MIN = 5
LANES_MIN = 3
# After 3 failures while the connection was up, a lane's trouble is its own and says nothing about the others.
STUCK_FAILURES = 3
# One call each 30 s costs nothing, and a recovery is noticed soon.
PROBE_SECONDS_MAX = 30.0
# In case 2, so many lanes may fail for the first time without a pause. Where only `GET /me` works, each costs a call.
TRIALS_MAX = 128
# After those, lanes that have not failed are tried one by one, at this interval.
TRIAL_SECONDS = 2.0


class Allowed(Enum):
    """Which call may leave now."""

    ANY = auto()
    UNTRIED = auto()
    """A call of a lane that has not failed."""
    PROBE = auto()
    """One call of any lane, preferably of one that has not failed."""
    CHECK = auto()
    """`GET /me`."""
    NOTHING = auto()


class OutageDetector:
    """The recent failures of one connection."""

    def __init__(self) -> None:
        self.down = False
        self._failures = 0
        self._lanes: set[str] = set()
        self._reset()

    def _reset(self) -> None:
        """Forgets the failures."""
        self.down = False
        self._failures = 0
        """In a row: with no success in between. While the connection is down: since the last `GET /me`."""
        self._lanes.clear()
        self._probes = 0
        """Probes that failed."""
        self._probe_at = 0.0
        self._probing: str | None = None
        """The lane whose call is the probe under way."""
        self._checking = False
        """Whether `GET /me` is under way."""
        self._reachable: bool | None = None
        """Whether the last `GET /me` was answered; None: ask it now."""
        self._away = False
        """Whether a `GET /me` failed since the connection went down."""
        self._trials_failed = 0
        self._trial_at = 0.0

    def allowed(self, now: float, *, untried: bool) -> Allowed:
        """Which call may leave now. `untried`: a lane that has not failed is ready."""
        if not self.down:
            return Allowed.ANY
        if now < self.next_at(untried=untried):
            return Allowed.NOTHING
        if self._reachable is None:
            return Allowed.CHECK
        if self._reachable and untried and now >= self._trial_at:
            return Allowed.UNTRIED
        # A lane that has failed says little when it fails again, so GET /me takes turns with those: either may be
        # broken for good by itself.
        if self._reachable or untried or self._probes % 2:
            return Allowed.PROBE
        return Allowed.CHECK

    def next_at(self, *, untried: bool) -> float:
        """When the next call may leave, by the clock of `now`; infinite if a result must come first."""
        if self._checking:
            return inf
        if not self.down or self._reachable is None:
            return 0.0
        probe_at = self._probe_at if self._probing is None else inf
        return min(self._trial_at, probe_at) if self._reachable and untried else probe_at

    @property
    def of_single_users(self) -> bool:
        """Whether the connection is down although Intercom answers."""
        return self.down and self._reachable is True

    def leave(self, allowed: Allowed, lane: str, now: float) -> None:
        """A call leaves, as it was allowed."""
        if allowed is Allowed.CHECK:
            self._checking = True
        elif allowed is Allowed.PROBE:
            self._probing = lane
        elif allowed is Allowed.UNTRIED and self._trials_failed >= TRIALS_MAX:
            self._trial_at = now + TRIAL_SECONDS

    def failed(self, lane: str, now: float, jitter: float, before: int = 0, least_seconds: float = 0.0) -> bool:
        """Counts a failed call; True if the connection went down with it.

        `lane` is empty for a call that concerns no user. `before`: how often this very call had failed already.
        `least_seconds`: no probe leaves earlier, because the answer asked for that (`Retry-After`).
        """
        if self.down:
            self._failed_while_down(lane, now, jitter, before, least_seconds)
            return False
        if before >= STUCK_FAILURES:
            return False
        self._failures += 1
        self._trials_failed += not before
        if lane and len(self._lanes) < LANES_MIN:
            self._lanes.add(lane)
        if self._failures < FAILURES_MIN or (lane and len(self._lanes) < LANES_MIN):
            return False
        self.down = True
        self._failures = 0
        self._back_off(now, jitter, least_seconds)
        return True

    def _failed_while_down(self, lane: str, now: float, jitter: float, before: int, least_seconds: float) -> None:
        if not before:
            self._failures += 1
            self._trials_failed += 1
        if self._failures >= FAILURES_MIN and self._reachable:
            self._reachable = None
        if lane == self._probing or (not lane and now >= self._probe_at):
            self._probing = None
            self._probes += 1
            self._back_off(now, jitter, least_seconds)

    def checked(self, *, answered: bool, now: float, jitter: float, least_seconds: float = 0.0) -> bool:
        """`GET /me` was answered, or failed; True if Intercom is back: it failed before and is answered now."""
        if not self._checking:
            return False  # A call has succeeded meanwhile.
        self._checking = False
        if answered and self._away:
            return True
        self._failures = 0
        self._reachable = answered
        if not answered:
            self._away = True
            self._probes += 1
            self._back_off(now, jitter, least_seconds)
        return False

    def abandoned(self, lane: str) -> None:
        """The probe of this lane ended without a result."""
        if self._probing == lane:
            self._probing = None

    def succeeded(self) -> bool:
        """Counts an answer that shows that Intercom works, refusals included; True if the connection was down."""
        was_down = self.down
        self._reset()
        return was_down

    def _back_off(self, now: float, jitter: float, least_seconds: float) -> None:
        wait = min(PROBE_SECONDS_MAX, delay_seconds(self._probes + 1, jitter))
        self._probe_at = now + max(wait, least_seconds)
