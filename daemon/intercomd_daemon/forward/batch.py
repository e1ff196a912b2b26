"""The waiting envelopes of a connection that are read ahead, and the batch that is being forwarded. Pure.

A batch is a range of rows with one sequence. The spool stores both with the range's first row before the batch is sent,
so that a restarted agent repeats the very same batch with the same sequence. A batch that the gateway finds too large
is sent in parts, each settled before the next one is sent.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from intercomd_daemon.envelope import AcceptedEnvelope, Priority

ENVELOPES_MAX = 500
"""As many as a gateway accepts by default."""
BYTES_MAX = 3 << 20
"""Of the envelopes of a batch; a gateway accepts 4 MiB by default."""
GROWTH_BATCHES = 16
"""Batches without a refusal after which a divided batch may grow again."""


class Entry(NamedTuple):
    """A waiting envelope."""

    key: int
    envelope: AcceptedEnvelope


class Batch:
    """The range of rows that is being forwarded."""

    def __init__(self, sequence: int, priority: Priority, entries: Sequence[Entry], last_key: int) -> None:
        """`entries` are those of the range that wait; `last_key` is the range's last key."""
        self.sequence = sequence
        self.priority = priority
        self.last_key = last_key
        self.entries = deque(entries)

    def __contains__(self, key: int) -> bool:
        return any(entry.key == key for entry in self.entries)

    def part(self, envelopes_max: int) -> list[Entry]:
        """Returns the part to send next."""
        return [self.entries[place] for place in range(min(envelopes_max, len(self.entries)))]

    def settle(self, count: int) -> None:
        """Removes the first envelopes, which have their results."""
        for _ in range(count):
            self.entries.popleft()


class PartLimit:
    """How many envelopes are sent at once: fewer after a refusal, slowly more again."""

    def __init__(self) -> None:
        self.envelopes = ENVELOPES_MAX
        self._successes = 0

    def on_refusal(self, envelopes: int) -> None:
        """Takes the refusal of a part of so many envelopes."""
        self.envelopes = max(1, envelopes // 2)
        self._successes = 0

    def on_success(self) -> None:
        """Takes a part that has its results."""
        self._successes += 1
        if self._successes >= GROWTH_BATCHES:
            self.envelopes = min(ENVELOPES_MAX, self.envelopes * 2)
            self._successes = 0


class ReadAhead:
    """The envelopes of one log that were read and are in no batch yet."""

    def __init__(self) -> None:
        self.after = 0
        """The key after which to read on."""
        self.ended = False
        """Whether the last read found the end of the log."""
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def wants_rows(self) -> bool:
        """Whether the next batch would have room for more rows, and there may be some."""
        return not self.ended and len(self._entries) < ENVELOPES_MAX and self._bytes < BYTES_MAX

    @property
    def rows_wanted(self) -> int:
        """How many rows the next batch has room for."""
        return ENVELOPES_MAX - len(self._entries)

    @property
    def bytes_wanted(self) -> int:
        """How many bytes the next batch has room for."""
        return max(1, BYTES_MAX - self._bytes)

    def add(self, entries: Sequence[Entry], after: int, *, ended: bool) -> None:
        """Adds rows that were read; `ended`: there were no further ones."""
        self._entries.extend(entries)
        self._bytes += sum(len(entry.envelope.source) for entry in entries)
        self.after, self.ended = after, ended

    def take(self) -> list[Entry]:
        """Takes the envelopes of the next batch: at most 500 and 3 MiB, but at least one."""
        return self._take(lambda _: True)

    def take_range(self, last_key: int) -> list[Entry]:
        """Takes the envelopes up to a key, of a batch that an earlier run stored."""
        return self._take(lambda entry: entry.key <= last_key)

    def discard(self, key: int) -> None:
        """Removes an envelope that ended by itself."""
        for entry in [each for each in self._entries if each.key == key]:
            self._entries.remove(entry)
            self._bytes -= len(entry.envelope.source)

    def _take(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        taken: list[Entry] = []
        size = 0
        while self._entries and len(taken) < ENVELOPES_MAX and wanted(self._entries[0]):
            size += len(self._entries[0].envelope.source)
            if taken and size > BYTES_MAX:
                break
            taken.append(self._entries.popleft())
        self._bytes -= sum(len(entry.envelope.source) for entry in taken)
        return taken
