"""Ids for envelopes: UUIDv7, so that they rise with time and the daemon's window of ids grows at its end."""

import os
import threading
import time

COUNTER_BITS = 42
TAIL_BITS = 32


class EnvelopeIds:
    """Makes ids that rise, from whichever thread and whatever the clock does.

    RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around
    the variant, seeded at random with its highest bit zero, then 32 random bits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def next(self, now_milliseconds: int) -> str:
        """The next id, later than all before it, as text of 36 characters."""
        with self._lock:
            self._advance(now_milliseconds)
            millisecond, counter = self._millisecond, self._counter
        high = millisecond << 16 | 0x7000 | counter >> 30
        low = 1 << 63 | (counter & 0x3FFFFFFF) << TAIL_BITS | random_bits(TAIL_BITS)
        text = f"{high << 64 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _advance(self, now_milliseconds: int) -> None:
        """A new millisecond seeds the counter; the same one, or a clock that went back, counts on."""
        self._counter += 1
        if now_milliseconds > self._millisecond or self._counter >> COUNTER_BITS:
            self._millisecond = max(now_milliseconds, self._millisecond + 1)
            self._counter = random_bits(COUNTER_BITS - 1)


def random_bits(count: int) -> int:
    """`count` random bits of the operating system, which two processes never share, forked or not."""
    return int.from_bytes(os.urandom((count + 7) // 8)) >> (-count % 8)


# One for the whole process: ids of several publishers in it rise together.
_ids = EnvelopeIds()


def new_envelope_id() -> str:
    """A new UUIDv7, such as "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d"; each is greater than all before it in this process.

    Publishers give one to every envelope that has none. Make it yourself where an envelope may be handed over twice,
    and store it with what it stands for, so that the repeat is recognised.
    """
    return _ids.next(time.time_ns() // 1_000_000)
