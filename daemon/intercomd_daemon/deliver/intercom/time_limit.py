"""Ends calls that take too long, with one timer for all of them: to set and cancel a timer for each takes more time."""

import asyncio
from math import inf
from typing import Generic, Protocol, TypeVar


class Call(Protocol):
    """What can take too long."""

    def fail(self, error: Exception) -> None:
        """Ends the call with an error."""


AnyCall = TypeVar("AnyCall", bound=Call)


class TimeLimit(Generic[AnyCall]):
    """Fails each call with TimeoutError at its own time, unless it has stopped before."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends: dict[AnyCall, float] = {}
        """When the time of each call is up."""
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = inf
        """When the timer fires: when the time of the first call is up, or before."""

    @property
    def calls(self) -> list[AnyCall]:
        """The calls that have started, and neither stopped nor failed here."""
        return list(self._ends)

    def start(self, call: AnyCall, end: float) -> None:
        """Fails this call at `end`, by the clock of the event loop."""
        self._ends[call] = end
        if end < self._fires_at:
            self._set_timer(end)

    def stop(self, call: AnyCall) -> None:
        """Forgets a call that has ended; it may have failed here."""
        self._ends.pop(call, None)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = at
        self._timer = self._loop.call_at(at, self._fail_expired) if at < inf else None

    def _fail_expired(self) -> None:
        """Fails the calls whose time is up, and sets the timer for the next one.

        A timer stays set when its call stops, so it also fires for calls that have ended: once in CALL_SECONDS.
        """
        now = self._fires_at
        for call in [call for call, end in self._ends.items() if end <= now]:
            del self._ends[call]
            call.fail(TimeoutError())
        self._set_timer(min(self._ends.values(), default=inf))
