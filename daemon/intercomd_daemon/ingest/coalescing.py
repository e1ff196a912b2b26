"""Request coalescing: small requests that arrive together share one turn of the event loop and one commit.

Each then costs a third of its cost alone. Clients that got their responses together usually call again together. So the
number of responses since the last batch is the number of requests to expect in the next one. The first request waits
for the others, at most 40 ms, and less if the event loop is idle and nothing arrives. A single client never waits.
"""

import asyncio

COALESCE_MIN = 4
"""Expected requests below which a request does not wait: sharing would save less than the wait costs."""
COALESCE_BYTES_MAX = 128 << 10
"""Bytes of waiting requests that start a batch at once: to decide one of this size takes about 15 ms, and larger ones
gain nothing."""
COALESCE_SECONDS = 0.04
"""The longest wait, and how long after a response the client's next call is expected. 64 clients that cost half a
millisecond each call again within 32 ms."""
QUIET_SECONDS = 0.001
"""After this time without an arrival, the batch no longer waits for the missing clients."""
LATE_SECONDS = 0.000_25
"""A timer that fires later than this shows that the event loop was busy: it may not have read requests that arrived."""


def next_check_at(now: float, scheduled_at: float, first_at: float, last_at: float) -> float:
    """Returns when to check again whether the batch should start; `now` or earlier means that it starts.

    Args:
        now: seconds of the event loop's clock.
        scheduled_at: when this check was due.
        first_at: when the first request arrived.
        last_at: when the last request arrived.
    """
    # A late timer shows that the loop was busy, not that nothing arrived. So the quiet time starts again.
    quiet_since = now if now > scheduled_at + LATE_SECONDS else last_at
    return min(quiet_since + QUIET_SECONDS, first_at + COALESCE_SECONDS)


class RequestCoalescer:
    """Lets requests wait for the start of their batch."""

    def __init__(self) -> None:
        """Starts without a waiting request."""
        self._waiting: list[asyncio.Future[None]] = []
        self._bytes = 0
        self._first_at = self._last_at = 0.0
        self._expected = 0
        """Responses since the last batch started: as many requests are expected in the next one."""
        self._last_response_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, size_bytes: int) -> asyncio.Future[None] | None:
        """Returns what to wait for until the batch of this request starts; None: the request goes on at once.

        `size_bytes` is the size of the request.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Case 1: no batch is open and none is expected. The request goes on alone, without a wait.
        if not self._waiting and not self._expects_others(now, size_bytes):
            self._expected = 0
            return None
        turn = loop.create_future()
        self._waiting.append(turn)
        self._bytes += size_bytes
        self._last_at = now
        if len(self._waiting) >= self._expected or self._bytes >= COALESCE_BYTES_MAX:
            # Case 2: every expected request is here, or the batch is large enough. It starts without a wait.
            self._start_batch()
        elif len(self._waiting) == 1:
            # Case 3: the first request opens the batch. The timer starts it if the others do not arrive.
            self._first_at = now
            self._schedule_check(now + QUIET_SECONDS)
        # Case 4: the batch is open. Its start, by the last request or by the timer, wakes this one.
        return turn

    def _expects_others(self, now: float, size_bytes: int) -> bool:
        return (
            self._expected >= COALESCE_MIN
            and now <= self._last_response_at + COALESCE_SECONDS
            and size_bytes < COALESCE_BYTES_MAX
        )

    def on_response(self) -> None:
        """Counts a response, or an error: its client is expected to call again."""
        self._expected += 1
        self._last_response_at = asyncio.get_running_loop().time()

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
            if not turn.done():  # The future of a cancelled call is done already.
                turn.set_result(None)
        self._waiting = []
        self._bytes = self._expected = 0
