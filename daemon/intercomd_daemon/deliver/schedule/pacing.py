"""When the next call may leave: within Intercom's rate limit, and after failures. Pure; times are monotonic seconds.

"`X-RateLimit-Limit` calls are allowed in this window, `-Remaining` are left, `-Reset` is the Unix second at which the
window ends. The headers may be missing" (I33). Intercom does not document the window's length, nor that the
limit is per window. So the length is learned from the resets, the end of the window is measured against the response's
own `Date`, and a 429 halves the limit that is relied on.
"""

from bisect import bisect_right
from math import ceil, inf

from intercomd_daemon.deliver.intercom.messages import RateHeaders, Response
from intercomd_daemon.deliver.intercom.server_clock import ServerClock
from intercomd_daemon.spool.rows import PacingState

# The window in recorded responses (I32); assumed until the resets show another length.
WINDOW_SECONDS = 10.0
# No wait for a reset is longer, whatever the header says.
WAIT_MAX_SECONDS = 60.0
# The share of the limit that is planned. The rest is for single calls of other apps and for inexact clocks.
PLANNED = 0.98
# Calls that may leave at once after idleness.
BURST = 16
# A higher limit is not Intercom's, whose nominal one is 10,000 calls a minute. A sandbox without a limit reports this.
LIMIT_PLAUSIBLE = 1_000_000
# A 429 halves the limit that is relied on. Each window without a 429 restores a twentieth.
HALVED = 0.5
RECOVERY = 0.05
# `Date` and the reset are whole seconds: a window seems to last up to 2 s longer than it does.
ROUNDED_SECONDS = 2.0
# "`-Reset` is 2 s later than the moment at which the count starts again" (I34).
LATE_SECONDS = 2.0
# Calls of a previous owner that may still arrive after an unclean take-over: one for each lane.
TAKEOVER_CALLS = 64
# Until the first response after a take-over, `GET /me` is called alone; what else waits looks again this often.
VERIFY_SECONDS = 0.1
# A failed call is repeated after up to 1 s, then 2 s, 4 s, …: Intercom's 5xx usually clear within seconds.
RETRY_SECONDS_FIRST = 1.0
RETRY_SECONDS_MAX = 300.0


def retry_delay(failures: int, jitter: float) -> float:
    """Returns the wait after this many failures in a row, in seconds; `jitter` is drawn evenly from 0 to 1."""
    return jitter * min(RETRY_SECONDS_MAX, RETRY_SECONDS_FIRST * 2.0 ** min(failures - 1, 32))


class Pace:
    """The budget of one workspace: `take` for each call that leaves, `on_response` for each response.

    A call may leave when all of these allow it (`next_at`):

    1. No 429 stops the calls.
    2. The window has calls left: of our plan, and of what Intercom has not counted yet (`remaining`).
    3. The calls are spread evenly over the window, except for a burst after idleness or a late reset.
    """

    def __init__(self, calls_per_window: int, share: float, now: float) -> None:
        self._share = share
        """The share of the limit that this daemon may use, from the settings."""
        self._limit = calls_per_window
        self._reliable = 1.0
        """The share of the limit that is relied on after 429s."""
        self._set_plan()
        self._clock = ServerClock()
        self._window = WINDOW_SECONDS
        self._reset = 0.0
        """The latest `X-RateLimit-Reset`."""
        self._ends = now + WINDOW_SECONDS
        self._used = 0
        """Our calls in this window."""
        self._catches_up_until = -inf
        """Until then, calls that waited for the end of a used up window leave at once, beside a burst."""
        self._counted = 0
        """Calls that Intercom has counted in this window, including other apps'."""
        self._counted_up_to = -inf
        """When our call left whose response reported `_counted`."""
        self._known = 0
        """Calls that Intercom has counted in this window, and ours since: several may leave at the same moment."""
        self._in_flight: list[float] = []
        """When each call without a response left, in order."""
        self._scheduled = now - (BURST - 1) * self._spacing
        """When the next call is scheduled, if calls are spread evenly."""
        self._stopped_until = -inf
        self._halved_at = -inf
        self._clean_since = now
        self._verifying = False
        """Whether the budget is unknown: another process used it, and no response has come since."""
        self._late_calls = 0
        """Calls of that process that may still arrive in this window."""
        self._share_spent = False
        """Whether that process may have used our share of this window."""

    def take_over(self) -> None:
        """Expects calls of a previous owner, which did not release the workspace; call it before the first call.

        The first response says how many calls Intercom has counted, not which are ours. So until its window ends,
        TAKEOVER_CALLS calls count beside them, and a share of the limit counts as spent.
        """
        self._verifying = True
        self._late_calls = TAKEOVER_CALLS
        self._share_spent = True

    def set_share(self, share: float) -> None:
        """Uses another share of the limit from now on, as a reload wants."""
        self._share = share
        self._set_plan()

    @property
    def limit(self) -> int:
        """Calls that Intercom allows in a window, by its last response."""
        return self._limit

    @property
    def plan(self) -> int:
        """Calls planned for a window: `min(limit - 1, ceil(0.98 x limit)) x share`, at least one."""
        return self._plan

    @property
    def window_seconds(self) -> float:
        """The window's length, as learned."""
        return self._window

    @property
    def window_ends(self) -> float:
        """When this window ends."""
        return self._ends

    @property
    def _spacing(self) -> float:
        return self._window / self._plan

    def _set_plan(self) -> None:
        """Computes the plan; call it after each change of what it depends on."""
        planned = min(self._limit - 1, ceil(PLANNED * self._limit))
        self._plan = max(1, int(planned * self._share * self._reliable))
        # Calls left over from an earlier pause may exceed the plan, but never reach the limit.
        self._ours_max = max(1, int((self._limit - 1) * self._share * self._reliable))

    def state(self, now: float, wall: float) -> PacingState:
        """Returns what another process needs to continue the window; `wall` is `now` in Unix seconds.

        While the budget is unknown, the window counts as used up: a process that takes over meanwhile waits for its
        end, so that not each of several take-overs makes a call in one window.
        """
        self._advance(now)
        used = self._limit if self._verifying else self._used
        if self._share == 1.0:
            used = max(used, self._known)
        return PacingState(self._limit, wall + self._ends - now, used, self._reset)

    def restore(self, state: PacingState, now: float, wall: float) -> None:
        """Continues a window that another process began, before the first call."""
        left = state.window_ends - wall
        if not 1 <= state.limit <= LIMIT_PLAUSIBLE or not 0.0 < left <= WAIT_MAX_SECONDS:
            return
        self._limit = state.limit
        self._set_plan()
        self._reset = state.reset
        self._ends = now + left
        self._used = self._counted = self._known = state.calls_used
        self._scheduled = now - (BURST - 1) * self._spacing

    def remaining(self, now: float) -> int:
        """Returns the calls that may still be made in the window of `now`."""
        if now >= self._ends and not self._verifying:
            return max(0, min(self._ours_max, self._limit - 1 - len(self._in_flight)))
        # Intercom's count, and what it did not include: the calls that left later and have no response yet.
        counted = self._counted + self._calls_sent_after(self._counted_up_to)
        ours = 0 if self._share_spent and self._share < 1.0 else self._ours_max - self._used
        return max(0, min(ours, self._limit - 1 - max(counted, self._known) - self._late_calls))

    def _calls_sent_after(self, sent: float) -> int:
        """Returns the calls without a response that left after this time."""
        return len(self._in_flight) - bisect_right(self._in_flight, sent)

    def next_at(self, now: float) -> float:
        """Returns when the next call may leave: `now`, or a later time."""
        at = max(now, self._stopped_until)
        if self._verifying:
            # The previous owner left one call of the limit, unless it was just verifying as well.
            at = max(at, self._ends) if self._counted >= self._limit else at
            return at + VERIFY_SECONDS if self._in_flight else at
        if self.remaining(at) == 0:
            at = max(at, self._ends)
        return max(at, self._scheduled)

    def take(self, now: float) -> None:
        """Counts a call that leaves now."""
        self._advance(now)
        self._used += 1
        self._known += 1
        self._in_flight.append(now)
        # A schedule that lags behind `now` is what allows a burst: it may lag by BURST calls.
        spacing = self._spacing
        lag = (BURST - 1) * spacing
        if now < self._catches_up_until:
            lag += LATE_SECONDS
        self._scheduled = max(self._scheduled, now - lag) + spacing
        if self._used > self._plan - BURST and self.remaining(now) == 0:
            # Intercom's next window may begin up to LATE_SECONDS before the reset; without catching up, that time would
            # be lost. Where other apps use more than BURST calls, a burst alone makes up for them.
            self._catches_up_until = self._ends + LATE_SECONDS

    def on_response(self, response: Response, sent: float, now: float) -> None:
        """Learns from a response that came at `now` to a call that left at `sent`."""
        if response.date is not None:
            self._clock.seen(response.date, sent, now)
        left = self._clock.until(response.rate.reset, now) if response.rate is not None else None
        self._advance(now)
        landed = bisect_right(self._in_flight, sent)
        if landed:
            del self._in_flight[landed - 1]
        self._verifying = self._verifying and response.status == 0
        if response.rate is not None:
            self._learn(response.rate, left, sent, now)
        if response.status == 429:
            self._stop(response, sent, now)

    def _advance(self, now: float) -> None:
        """Starts the window of `now` if the last one has ended."""
        if now >= self._ends:
            self._ends += (int((now - self._ends) // self._window) + 1) * self._window
            self._used = 0
            self._counted, self._counted_up_to, self._known = 0, -inf, 0
            if not self._verifying:
                self._late_calls, self._share_spent = 0, False
        if now >= self._clean_since + self._window:
            clean = int((now - self._clean_since) // self._window)
            self._clean_since += clean * self._window
            self._reliable = min(1.0, self._reliable + RECOVERY * clean)
            self._set_plan()

    def _learn(self, rate: RateHeaders, left: float | None, sent: float, now: float) -> None:
        """Learns from the headers, with the seconds left until the reset that they name."""
        if not 1 <= rate.limit <= LIMIT_PLAUSIBLE:
            return
        if rate.limit != self._limit:
            self._limit = rate.limit
            self._set_plan()
        if left is None or not 0.0 < left <= WAIT_MAX_SECONDS or rate.reset < self._reset:
            # Useless: no `Date` yet, a reset in the past or the far future, or a response of an earlier window.
            return
        counted = max(0, rate.limit - rate.remaining)
        if rate.reset > self._reset:
            # The first response of a new window. Of our calls, it counts this one and those that left later.
            self._measure(rate.reset - self._reset, left)
            self._reset = rate.reset
            self._used = self._known = 1 + self._calls_sent_after(sent)
            self._counted, self._counted_up_to = counted, sent
        elif counted >= self._counted:
            # Responses may overtake each other: the highest count is the latest.
            self._counted, self._counted_up_to = counted, sent
        self._known = max(self._known, self._counted)
        self._ends = now + left

    def _measure(self, step: float, left: float) -> None:
        """Learns the window's length: the step between resets, unless it spans several windows or is too short."""
        least = left - ROUNDED_SECONDS - LATE_SECONDS
        if least <= step < 1.5 * self._window:
            self._window = step
        self._window = max(self._window, least)

    def _stop(self, response: Response, sent: float, now: float) -> None:
        """Stops the calls after a 429, until the window ends or as long as the response says."""
        wait = self._ends - now if response.rate is not None else self._window
        if response.retry_after_seconds is not None:
            # "`Retry-After` is not documented" (I35). If it comes, it applies, up to WAIT_MAX_SECONDS.
            # 0 and a date in the past would repeat the call in a tight loop.
            wait = max(RETRY_SECONDS_FIRST, response.retry_after_seconds)
        self._stopped_until = max(self._stopped_until, now + min(max(wait, 0.1), WAIT_MAX_SECONDS))
        self._clean_since = self._stopped_until
        if sent >= self._halved_at:
            # 429s of calls that left before the last halving are not further evidence.
            self._reliable = max(HALVED * self._reliable, 1.0 / self._limit)
            self._set_plan()
            self._halved_at = now
