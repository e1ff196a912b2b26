"""Callers that come together are examined together: right after another one, each costs a third of what it costs alone.

When many have been answered at once, they will call again. Whoever comes first of them waits until as many are there,
or until nobody comes any more although the event loop has nothing else to do. A caller that is alone never waits.
"""

import asyncio

CROWD_MIN = 4
"""Answered since anybody last went on; fewer are not waited for."""
CROWD_BYTES_MAX = 32 << 10
"""Requests of so many bytes are a crowd by themselves."""
CROWD_SECONDS = 0.04
"""Who has not called again so long after an answer is not waited for, and nobody waits longer: 64 callers are here
in less where each costs half a millisecond, and fewer of them sooner."""
QUIET_SECONDS = 0.001
"""Nobody came for so long: those who are missing do something else."""
LATE_SECONDS = 0.000_25
"""A timer that rings so late says that the event loop had work: somebody may have come whom it has not got to yet."""


def look_again_at(now: float, rang_for: float, first_at: float, last_at: float) -> float:
    """When to look whether a crowd has waited long enough; now or earlier: it has.

    Args:
        now: seconds of the event loop's clock.
        rang_for: when this look was due.
        first_at: when the first one came.
        last_at: when the last one came.
    """
    quiet_since = now if now > rang_for + LATE_SECONDS else last_at
    return min(quiet_since + QUIET_SECONDS, first_at + CROWD_SECONDS)


class Crowd:
    """Those who came and wait for others."""

    def __init__(self) -> None:
        """Nobody."""
        self._waiting: list[asyncio.Future[None]] = []
        self._bytes = 0
        self._first_at = self._last_at = 0.0
        self._answered = 0
        """Since anybody last went on."""
        self._answered_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def join(self, size_bytes: int) -> None:
        """Waits for those who may be expected; the request has so many bytes."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting and not self._expects(now, size_bytes):
            self._answered = 0
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        self._bytes += size_bytes
        self._last_at = now
        if len(self._waiting) >= self._answered or self._bytes >= CROWD_BYTES_MAX:
            self._go()
        elif len(self._waiting) == 1:
            self._first_at = now
            self._look_at(now + QUIET_SECONDS)
        await turn

    def _expects(self, now: float, size_bytes: int) -> bool:
        return self._answered >= CROWD_MIN and now <= self._answered_at + CROWD_SECONDS and size_bytes < CROWD_BYTES_MAX

    def answered(self) -> None:
        """One who came has been answered."""
        self._answered += 1
        self._answered_at = asyncio.get_running_loop().time()

    def _look_at(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._look, when)

    def _look(self, rang_for: float) -> None:
        now = asyncio.get_running_loop().time()
        again_at = look_again_at(now, rang_for, self._first_at, self._last_at)
        if again_at > now:
            self._look_at(again_at)
        else:
            self._go()

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for turn in self._waiting:
            if not turn.done():  # Its caller was cancelled.
                turn.set_result(None)
        self._waiting = []
        self._bytes = self._answered = 0
