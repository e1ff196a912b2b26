"""The batch of a connection that is being forwarded, and the rows read for the next one. Pure.

A batch is a range of rows with one sequence. The spool stores both with the range's first row before the batch is sent,
so that a restarted agent repeats the same batch with the same sequence. If the gateway refuses a batch as a whole, the
agent sends it in parts, and settles each part before it sends the next one.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from intercomd_daemon.envelope import AcceptedEnvelope, Priority

ENVELOPES_MAX = 500
"""Envelopes in a batch: as many as a gateway accepts in a request by default."""
BYTES_MAX = 3 << 20
"""Bytes of the envelopes in a batch. A gateway accepts requests of 4 MiB by default."""
GROWTH_BATCHES = 16
"""Successful parts after which the limit of a part doubles."""


class BatchEntry(NamedTuple):
    """A waiting envelope."""

    key: int
    envelope: AcceptedEnvelope


class Batch:
    """The range of rows that is being forwarded."""

    def __init__(self, sequence: int, priority: Priority, entries: Sequence[BatchEntry], last_key: int) -> None:
        """`entries` are the rows of the range that still wait; `last_key` is the last key of the range."""
        self.sequence = sequence
        self.priority = priority
        self.last_key = last_key
        self.entries = deque(entries)

    def __contains__(self, key: int) -> bool:
        return any(entry.key == key for entry in self.entries)

    def part(self, envelopes_max: int) -> list[BatchEntry]:
        """Returns the part to send next: the first envelopes, at most `envelopes_max`."""
        return [self.entries[place] for place in range(min(envelopes_max, len(self.entries)))]

    def settle(self, count: int) -> None:
        """Removes the first envelopes, which have their results."""
        for _ in range(count):
            self.entries.popleft()


class PartLimit:
    """How many envelopes are sent in one request: half as many after a refusal, and slowly more again."""

    def __init__(self) -> None:
        self.envelopes = ENVELOPES_MAX
        self._successes = 0

    def on_refusal(self, envelopes: int) -> None:
        """Halves the limit after a part with this number of envelopes was refused."""
        self.envelopes = max(1, envelopes // 2)
        self._successes = 0

    def on_success(self) -> None:
        """Counts a part that has its results; every 16th in a row doubles the limit."""
        self._successes += 1
        if self._successes >= GROWTH_BATCHES:
            self.envelopes = min(ENVELOPES_MAX, self.envelopes * 2)
            self._successes = 0


class NextBatch:
    """The envelopes read from one log for its next batch."""

    def __init__(self) -> None:
        self.after = 0
        """The key of the last row that was read."""
        self.ended = False
        """Whether the last read found the end of the log."""
        self._entries: deque[BatchEntry] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def should_read(self) -> bool:
        """Whether the batch has room for more rows, and the log may have some."""
        return not self.ended and len(self._entries) < ENVELOPES_MAX and self._bytes < BYTES_MAX

    @property
    def rows_left(self) -> int:
        """How many more rows the batch has room for."""
        return ENVELOPES_MAX - len(self._entries)

    @property
    def bytes_left(self) -> int:
        """How many more bytes the batch has room for, at least 1."""
        return max(1, BYTES_MAX - self._bytes)

    def add(self, entries: Sequence[BatchEntry], after: int, *, ended: bool) -> None:
        """Adds rows that were read up to the key `after`; `ended`: these were the last rows of the log."""
        self._entries.extend(entries)
        self._bytes += sum(len(entry.envelope.source) for entry in entries)
        self.after, self.ended = after, ended

    def take(self) -> list[BatchEntry]:
        """Removes and returns the envelopes of a batch: at most 500 and 3 MiB, but at least one."""
        return self._take(lambda _: True)

    def take_range(self, last_key: int) -> list[BatchEntry]:
        """Removes and returns the envelopes up to a key: those of a batch that an earlier run stored."""
        return self._take(lambda entry: entry.key <= last_key)

    def discard(self, key: int) -> None:
        """Removes an envelope that an operator gave up."""
        for entry in [each for each in self._entries if each.key == key]:
            self._entries.remove(entry)
            self._bytes -= len(entry.envelope.source)

    def _take(self, wanted: Callable[[BatchEntry], bool]) -> list[BatchEntry]:
        taken: list[BatchEntry] = []
        size = 0
        while self._entries and len(taken) < ENVELOPES_MAX and wanted(self._entries[0]):
            size += len(self._entries[0].envelope.source)
            if taken and size > BYTES_MAX:
                break
            taken.append(self._entries.popleft())
        self._bytes -= sum(len(entry.envelope.source) for entry in taken)
        return taken
