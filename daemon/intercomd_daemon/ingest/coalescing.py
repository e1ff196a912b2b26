"""Request coalescing: small requests that arrive together are decided together, each at a third of its cost alone.

Clients that were answered together usually call again together. The first request waits for the others, at most 40 ms,
and less if the event loop is idle and nothing arrives. A client that is alone never waits.
"""

import asyncio

COALESCE_MIN = 4
"""Answers since the last batch started; after fewer, a request does not wait."""
COALESCE_BYTES_MAX = 32 << 10
"""Bytes of waiting requests that start a batch at once."""
COALESCE_SECONDS = 0.04
"""The longest wait, and how long after an answer the next call is expected: 64 clients call again in less if each costs
half a millisecond, and fewer of them sooner."""
QUIET_SECONDS = 0.001
"""Without an arrival for so long, the missing clients are assumed to do something else."""
LATE_SECONDS = 0.000_25
"""A timer that fires so late shows that the event loop was busy: requests may have arrived that it has not read yet."""


def next_check_at(now: float, scheduled_at: float, first_at: float, last_at: float) -> float:
    """When to check again whether the batch should start; `now` or earlier: it starts.

    Args:
        now: seconds of the event loop's clock.
        scheduled_at: when this check was due.
        first_at: when the first request arrived.
        last_at: when the last request arrived.
    """
    # A late timer says that the loop was busy, not that nothing arrives: the quiet time starts again.
    quiet_since = now if now > scheduled_at + LATE_SECONDS else last_at
    return min(quiet_since + QUIET_SECONDS, first_at + COALESCE_SECONDS)


class RequestCoalescer:
    """The requests that wait to be decided in one batch."""

    def __init__(self) -> None:
        """No request waits."""
        self._waiting: list[asyncio.Future[None]] = []
        self._bytes = 0
        self._first_at = self._last_at = 0.0
        self._answers = 0
        """Since the last batch started: as many requests are expected in the next one."""
        self._last_answer_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def join(self, size_bytes: int) -> None:
        """Waits until the batch of this request starts; `size_bytes` is the size of the request."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        # No batch is forming and none is expected: the request goes on alone, without a wait.
        if not self._waiting and not self._expects_others(now, size_bytes):
            self._answers = 0
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        self._bytes += size_bytes
        self._last_at = now
        if len(self._waiting) >= self._answers or self._bytes >= COALESCE_BYTES_MAX:
            # All clients that were answered are back, or the batch is large enough to be efficient.
            self._start_batch()
        elif len(self._waiting) == 1:
            # The first request opens the batch; the timer starts it if the others do not arrive.
            self._first_at = now
            self._schedule_check(now + QUIET_SECONDS)
        await turn

    def _expects_others(self, now: float, size_bytes: int) -> bool:
        return (
            self._answers >= COALESCE_MIN
            and now <= self._last_answer_at + COALESCE_SECONDS
            and size_bytes < COALESCE_BYTES_MAX
        )

    def on_answer(self) -> None:
        """Counts an answer: its client is expected to call again."""
        self._answers += 1
        self._last_answer_at = asyncio.get_running_loop().time()

    def _schedule_check(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._check, when)

    def _check(self, scheduled_at: float) -> None:
        now = asyncio.get_running_loop().time()
        again_at = next_check_at(now, scheduled_at, self._first_at, self._last_at)
        if again_at > now:
            self._schedule_check(again_at)
        else:
            self._start_batch()

    def _start_batch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for turn in self._waiting:
            if not turn.done():  # A caller that was cancelled has a done turn.
                turn.set_result(None)
        self._waiting = []
        self._bytes = self._answers = 0
