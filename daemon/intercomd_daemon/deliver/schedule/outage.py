"""Distinguishes an outage of Intercom from failures of single users, and decides which calls may leave. Pure.

Several lanes that fail in a row, with no success in between, are a suspected outage: the connection is down. `GET /me`
then decides between two cases.

1. `GET /me` fails too: Intercom is away. Calls stop, and one probe at a time leaves, with increasing pauses.
2. `GET /me` succeeds: perhaps only these lanes fail. They wait for the probes, but lanes that have not failed go on,
   and the first success ends the suspicion.

Failures are those that need not be the user's fault: no response, a timeout, 5xx, 429.
"""

from enum import Enum, auto
from math import inf

from intercomd_daemon.deliver.schedule.pacing import retry_delay

# 5 failures in a row over 3 or more lanes are a suspected outage. In case 2, 5 more need another `GET /me`.
FAILURES_MIN = 5
LANES_MIN = 3
# A call that failed 3 times while the connection was up fails by itself, and does not show an outage.
STUCK_FAILURES = 3
# One call each 30 s costs little, and notices a recovery soon.
PROBE_SECONDS_MAX = 30.0
# In case 2, this many lanes may fail for the first time without a pause. If only `GET /me` works, each costs a call.
TRIALS_MAX = 128
# Beyond that, lanes that have not failed are tried one by one, at this interval.
TRIAL_SECONDS = 0.5


class Allowed(Enum):
    """Which call may leave now."""

    ANY = auto()
    UNTRIED = auto()
    """A call of a lane that has not failed."""
    PROBE = auto()
    """One call of any lane, preferably of one that has not failed."""
    CHECK = auto()
    """`GET /me`, nothing else."""
    NOTHING = auto()


class OutageDetector:
    """The recent failures of one connection."""

    def __init__(self) -> None:
        self.down = False
        self._failures = 0
        self._lanes: set[str] = set()
        self._reset()

    def _reset(self) -> None:
        """Forgets all failures: the connection is up."""
        self.down = False
        self._failures = 0
        """Failures in a row, without a success. While the connection is down: since the last `GET /me`."""
        self._lanes.clear()
        self._probes = 0
        """Probes that failed."""
        self._probe_at = 0.0
        self._probing: str | None = None
        """The lane whose call is the probe in flight."""
        self._checking = False
        """Whether `GET /me` is in flight."""
        self._reachable: bool | None = None
        """Whether the last `GET /me` succeeded; None: it must be called first."""
        self._away = False
        """Whether a `GET /me` failed since the connection went down."""
        self._trials_failed = 0
        self._trial_at = 0.0

    def allowed(self, now: float, *, untried: bool) -> Allowed:
        """Returns which call may leave now. `untried`: a lane that has not failed is ready."""
        if not self.down:
            return Allowed.ANY
        if now < self.next_at(untried=untried):
            return Allowed.NOTHING
        if self._reachable is None:
            return Allowed.CHECK
        if self._reachable and untried and now >= self._trial_at:
            return Allowed.UNTRIED
        # Another failure of a lane that has failed proves little, so such lanes and `GET /me` probe in turns: either of
        # them may fail permanently for a reason of its own.
        if self._reachable or untried or self._probes % 2:
            return Allowed.PROBE
        return Allowed.CHECK

    def next_at(self, *, untried: bool) -> float:
        """Returns when the next call may leave, 0.0 if at once; infinite if a response must come first."""
        if self._checking:
            return inf
        if not self.down or self._reachable is None:
            return 0.0
        probe_at = self._probe_at if self._probing is None else inf
        return min(self._trial_at, probe_at) if self._reachable and untried else probe_at

    @property
    def check_due(self) -> bool:
        """Whether `GET /me` must be called before anything else."""
        return self.down and self._reachable is None and not self._checking

    @property
    def of_single_users(self) -> bool:
        """Whether the connection is down although `GET /me` succeeded (case 2)."""
        return self.down and self._reachable is True

    def start_call(self, allowed: Allowed, lane: str, now: float) -> None:
        """Notes that a call leaves, as it was allowed."""
        if allowed is Allowed.CHECK:
            self._checking = True
        elif allowed is Allowed.PROBE:
            self._probing = lane
        elif allowed is Allowed.UNTRIED and self._trials_failed >= TRIALS_MAX:
            self._trial_at = now + TRIAL_SECONDS

    def on_failure(self, lane: str, now: float, jitter: float, failures: int = 0, least_seconds: float = 0.0) -> bool:
        """Counts a failed call; returns whether the connection went down with it.

        `lane` is empty for a call that concerns no user. `failures`: how often this call failed before.
        `least_seconds`: the response asked to wait this long (`Retry-After`), so no probe leaves earlier.
        """
        if self.down:
            self._on_failure_while_down(lane, now, jitter, failures, least_seconds)
            return False
        if failures >= STUCK_FAILURES:
            return False
        self._failures += 1
        self._trials_failed += not failures
        if lane and len(self._lanes) < LANES_MIN:
            self._lanes.add(lane)
        if self._failures < FAILURES_MIN or (lane and len(self._lanes) < LANES_MIN):
            return False
        self.down = True
        self._failures = 0
        self._back_off(now, jitter, least_seconds)
        return True

    def _on_failure_while_down(self, lane: str, now: float, jitter: float, failures: int, least_seconds: float) -> None:
        if not failures:
            self._failures += 1
            self._trials_failed += 1
        if self._failures >= FAILURES_MIN and self._reachable:
            self._reachable = None
        if lane == self._probing or (not lane and now >= self._probe_at):
            self._probing = None
            self._probes += 1
            self._back_off(now, jitter, least_seconds)

    def on_check(self, *, reachable: bool, now: float, jitter: float, least_seconds: float = 0.0) -> bool:
        """Takes the result of `GET /me`; returns whether Intercom is back: it failed before, and succeeds now."""
        if not self._checking:
            return False  # A call has succeeded in the meantime.
        self._checking = False
        if reachable and self._away:
            return True
        self._failures = 0
        self._reachable = reachable
        if not reachable:
            self._away = True
            self._probes += 1
            self._back_off(now, jitter, least_seconds)
        return False

    def probe_now(self) -> None:
        """Makes the next probe due; one that is in flight ends first."""
        self._probe_at = self._trial_at = 0.0

    def abandon_probe(self, lane: str) -> None:
        """Notes that a call of this lane ended without a result; if it was the probe, another one may leave."""
        if self._probing == lane:
            self._probing = None

    def on_success(self) -> bool:
        """Notes that Intercom works, which a refusal shows too; returns whether the connection was down."""
        was_down = self.down
        if was_down or self._failures:
            self._reset()
        return was_down

    def _back_off(self, now: float, jitter: float, least_seconds: float) -> None:
        wait = min(PROBE_SECONDS_MAX, retry_delay(self._probes + 1, jitter))
        self._probe_at = now + max(wait, least_seconds)
