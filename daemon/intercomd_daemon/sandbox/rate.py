"""The budget of calls of the workspace: a limit in each window of fixed length."""

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from intercomd_daemon.sandbox.recorded import ALL, RESET_LATE_SECONDS, Recorded

UNLIMITED = 1_000_000
"""The limit in the headers of an unlimited workspace."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The budget at a call: the values of the three headers, and whether the call exceeded it."""

    limit: int
    remaining: int
    reset: int
    limited: bool


class RateWindows:
    """Counts calls in windows of fixed length. Refused calls do not count."""

    def __init__(
        self,
        *,
        limit: int,
        window_seconds: float,
        aligned: bool,
        other_apps_calls: int,
        recorded: AbstractSet[Recorded] = ALL,
    ) -> None:
        self._unlimited = limit == 0
        self._limit = limit or UNLIMITED
        self._window_seconds = window_seconds
        self._other_apps_calls = other_apps_calls
        self._remaining_before = Recorded.REMAINING_BEFORE in recorded
        self._reset_late_seconds = RESET_LATE_SECONDS if Recorded.RESET_LATE in recorded else 0
        self._origin: float | None = 0.0 if aligned else None
        self._window: int | None = None
        self._used = 0

    def take(self, now: float) -> Rate:
        """Counts a call at `now` (Unix seconds) if the budget allows it."""
        end = self._enter(now)
        before = self._used
        limited = before >= self._limit and not self._unlimited
        if not limited:
            self._used += 1
        return self._rate(end, before if self._remaining_before else self._used, limited=limited)

    def spend(self, calls: int, now: float) -> None:
        """Uses up calls of the current window, as other apps of the workspace do."""
        self._enter(now)
        self._used += calls

    def exceeded(self, now: float) -> Rate:
        """Returns the budget of a refused call: nothing left until the window ends."""
        end = self._enter(now)
        return self._rate(end, self._limit, limited=True)

    @property
    def message(self) -> str:
        """The message of a refusal: "Exceeded rate limit of 167 in 10_seconds"."""
        return f"Exceeded rate limit of {self._limit} in {self._window_seconds:g}_seconds"

    def _enter(self, now: float) -> float:
        if self._origin is None:
            self._origin = now
        window = math.floor((now - self._origin) / self._window_seconds)
        if window != self._window:
            self._window = window
            self._used = self._other_apps_calls
        return self._origin + (window + 1) * self._window_seconds

    def _rate(self, end: float, used: int, *, limited: bool) -> Rate:
        reset = math.ceil(end) + self._reset_late_seconds
        return Rate(self._limit, max(0, self._limit - used), reset, limited)
