"""Envelope ids: UUIDv7, which increase with time, so that the daemon's index of ids grows at its end."""

import os
import threading
import time

COUNTER_BITS = 42
TAIL_BITS = 32


class EnvelopeIds:
    """Generates increasing ids, from any thread, even if the clock is set back.

    RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around
    the variant, seeded at random with its highest bit zero, then 32 random bits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def next(self, now_milliseconds: int) -> str:
        """Returns the next id, greater than all previous ones, as text of 36 characters."""
        with self._lock:
            self._advance(now_milliseconds)
            millisecond, counter = self._millisecond, self._counter
        high = millisecond << 16 | 0x7000 | counter >> 30
        low = 1 << 63 | (counter & 0x3FFFFFFF) << TAIL_BITS | random_bits(TAIL_BITS)
        text = f"{high << 64 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _advance(self, now_milliseconds: int) -> None:
        """Seeds the counter in a new millisecond; otherwise, or if the clock went back, increments it."""
        self._counter += 1
        if now_milliseconds > self._millisecond or self._counter >> COUNTER_BITS:
            self._millisecond = max(now_milliseconds, self._millisecond + 1)
            self._counter = random_bits(COUNTER_BITS - 1)


def random_bits(count: int) -> int:
    """Returns `count` random bits from the operating system, which differ between processes, even after a fork."""
    return int.from_bytes(os.urandom((count + 7) // 8)) >> (-count % 8)


# One for the process: the ids of all its publishers form one increasing sequence.
_ids = EnvelopeIds()


def new_envelope_id() -> str:
    """Returns a new UUIDv7, such as "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", greater than all previous ones.

    Publishers assign one to every envelope without an id. Assign it yourself where an envelope may be published twice,
    and store it with its data, so that the daemon recognizes the repeat.
    """
    return _ids.next(time.time_ns() // 1_000_000)
