"""When the next call may leave, learned from the answers. Pure: times are arguments, by a clock that never goes back.

"X-RateLimit-Limit calls allowed in this window, -Remaining left, -Reset Unix second at which the window ends. They may
be absent." "The window's length and whether the limit is per window are seen, not promised." Hence: the length is
learned from the resets, the end of the window is measured against the answer's own `Date`, and a 429 halves what is
believed.
"""

from bisect import bisect_right
from math import ceil, inf

from intercomd_daemon.deliver.intercom.messages import RateHeaders, Response
from intercomd_daemon.deliver.intercom.server_clock import ServerClock

# "spread over windows of 10 seconds"
WINDOW_SECONDS = 10.0
# "clamped to 60 s": no wait for a reset is longer, whatever the header says.
WAIT_MAX_SECONDS = 60.0
# The share of the limit that is planned; the rest is for other apps' single calls and for clocks.
PLANNED = 0.98
# After idleness so many calls may leave at once.
BURST = 16
# Of what we believe, after a 429; recovered by a twentieth a clean window.
HALVED = 0.5
RECOVERY = 0.05
# `Date` and the reset are whole seconds: a window seems to last up to so much longer than it does.
ROUNDED_SECONDS = 2.0
# "`X-RateLimit-Reset` lies 2 s after the moment at which the count starts anew", in recorded answers.
LATE_SECONDS = 2.0


class Pace:
    """The budget of one workspace. `take` each call that leaves; tell each answer."""

    def __init__(self, calls_per_window: int, share: float, now: float) -> None:
        self.share = share
        """Of the limit, from the settings."""
        self._limit = calls_per_window
        self._believed = 1.0
        self._clock = ServerClock()
        self._window = WINDOW_SECONDS
        self._reset = 0.0
        self._ends = now + WINDOW_SECONDS
        self._used = 0
        self._catches_up_until = -inf
        """Until then, calls that waited for the end of a used up window leave at once, beside a burst."""
        self._counted = 0
        self._counted_up_to = -inf
        self._flying: list[float] = []
        self._scheduled = now - (BURST - 1) * self._spacing
        self._stopped_until = -inf
        self._halved_at = -inf
        self._clean_since = now

    @property
    def limit(self) -> int:
        """Calls that Intercom allows in a window, as last heard."""
        return self._limit

    @property
    def plan(self) -> int:
        """Calls that we mean to make in a window: `min(limit - 1, ceil(0.98 x limit)) x share`, at least one."""
        planned = min(self._limit - 1, ceil(PLANNED * self._limit))
        return max(1, int(planned * self.share * self._believed))

    @property
    def window_seconds(self) -> float:
        """The window's length, as learned."""
        return self._window

    @property
    def window_ends(self) -> float:
        """When the present window ends, by the caller's clock."""
        return self._ends

    @property
    def _spacing(self) -> float:
        return self._window / self.plan

    def remaining(self, now: float) -> int:
        """Calls that may still be made in the window of `now`, ours and what others left."""
        # A window's count may pass the plan by what an earlier stall has left over, never the limit less one.
        ours = max(1, int((self._limit - 1) * self.share * self._believed))
        if now >= self._ends:
            return max(0, min(ours, self._limit - 1 - len(self._flying)))
        # What Intercom has counted, and what it had not when it said so: the calls sent since and not answered.
        counted = self._counted + len(self._flying) - bisect_right(self._flying, self._counted_up_to)
        return max(0, min(ours - self._used, self._limit - 1 - counted))

    def next_at(self, now: float) -> float:
        """When the next call may leave: `now`, or a later time."""
        at = max(now, self._stopped_until)
        if self.remaining(at) == 0:
            at = max(at, self._ends)
        return max(at, self._scheduled)

    def take(self, now: float) -> None:
        """Counts a call that leaves now."""
        self._roll(now)
        self._used += 1
        self._flying.append(now)
        lag = (BURST - 1) * self._spacing
        if now < self._catches_up_until:
            lag += LATE_SECONDS
        self._scheduled = max(self._scheduled, now - lag) + self._spacing
        if self._used > self.plan - BURST and self.remaining(now) == 0:
            # The next window may begin up to LATE_SECONDS before the reset, and calls of that time would be lost to it.
            # Where other apps use more than BURST calls, a burst alone makes up for them.
            self._catches_up_until = self._ends + LATE_SECONDS

    def answered(self, response: Response, sent: float, now: float) -> None:
        """Learns from an answer that came at `now` to a call that left at `sent`."""
        if response.date is not None:
            self._clock.seen(response.date, sent, now)
        self._roll(now)
        landed = bisect_right(self._flying, sent)
        if landed:
            del self._flying[landed - 1]
        if response.rate is not None:
            self._learn(response.rate, sent, now)
        if response.status == 429:
            self._stop(response, sent, now)

    def _roll(self, now: float) -> None:
        if now >= self._ends:
            self._ends += (int((now - self._ends) // self._window) + 1) * self._window
            self._used = 0
            self._counted, self._counted_up_to = 0, -inf
        clean = max(0, int((now - self._clean_since) // self._window))
        self._clean_since += clean * self._window
        self._believed = min(1.0, self._believed + RECOVERY * clean)

    def _learn(self, rate: RateHeaders, sent: float, now: float) -> None:
        if rate.limit < 1:
            return
        self._limit = rate.limit
        left = self._clock.until(rate.reset, now)
        if left is None or not 0.0 < left <= WAIT_MAX_SECONDS or rate.reset < self._reset:
            # No use for a reset without a clock, in the past, in the far future, or of a window that is over.
            return
        counted = rate.limit - rate.remaining
        if rate.reset > self._reset:
            self._measure(rate.reset - self._reset, left)
            self._reset = rate.reset
            self._used = 1 + len(self._flying) - bisect_right(self._flying, sent)
            self._counted, self._counted_up_to = counted, sent
        elif counted >= self._counted:
            self._counted, self._counted_up_to = counted, sent
        self._ends = now + left

    def _measure(self, step: float, left: float) -> None:
        """The window is as long as the step from reset to reset, unless that spans several, or less than is left."""
        least = left - ROUNDED_SECONDS - LATE_SECONDS
        if least <= step < 1.5 * self._window:
            self._window = step
        self._window = max(self._window, least)

    def _stop(self, response: Response, sent: float, now: float) -> None:
        wait = self._ends - now if response.rate is not None else self._window
        if response.retry_after_seconds is not None:
            # "Retry-After is undocumented; honour it if it comes, capped."
            wait = response.retry_after_seconds
        self._stopped_until = max(self._stopped_until, now + min(max(wait, 0.1), WAIT_MAX_SECONDS))
        self._clean_since = self._stopped_until
        if sent >= self._halved_at:
            # Others that were under way by then say nothing new.
            self._believed = max(HALVED * self._believed, 1.0 / self._limit)
            self._halved_at = now
