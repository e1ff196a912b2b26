"""Decides whether the quota has room for an append.

Each of the n connections of the settings is guaranteed bytes_max / 2n; all share the rest.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from intercomd_daemon.spool.rows import Incoming

BYTES_MIN = 1 << 20
"""The smallest useful bytes_max: a single envelope may have 1 MiB after its expansion."""
ROW_OVERHEAD_BYTES = 200
"""What a row costs besides its record: lane, id, key, its entry in the duplicate window, its share of unused space."""
RETRY_SECONDS = 5.0
"""The longest wait that the contract allows: deliveries make room no faster than Intercom's rate limit."""


class Quota(NamedTuple):
    """The bytes that may wait, and the connections that share half of them equally."""

    bytes_max: int
    connections: tuple[str, ...]

    def refusal(self, used: Mapping[str, int], new: Mapping[str, int]) -> str:
        """Returns why `new` bytes by connection do not fit beside the `used` ones; empty if they do."""
        total = sum(used.values()) + sum(new.values())
        if 2 * total <= self.bytes_max:  # At most the other half is guaranteed to connections.
            return ""
        guaranteed = self.bytes_max // (2 * max(1, len(self.connections)))
        kept = {name: max(0, guaranteed - used.get(name, 0) - new.get(name, 0)) for name in self.connections}
        # The guaranteed share of one connection of the request is not available to another one of it.
        reserved = sum(kept.values()) - min((kept.get(name, 0) for name in new), default=0)
        if total + reserved <= self.bytes_max:
            return ""
        names = ", ".join(sorted(new))
        return (
            f"the spool's quota leaves no room for {sum(new.values())} bytes of {names}:"
            f" {total - sum(new.values())} of {self.bytes_max} bytes wait, {reserved} are kept for other connections;"
            " retry later, or raise spool.bytes_max"
        )


def row_bytes(data: bytes) -> int:
    """Returns the bytes that a row with this record counts."""
    return len(data) + ROW_OVERHEAD_BYTES


def weigh(rows: Sequence[Incoming]) -> dict[str, int]:
    """Returns the bytes that the rows count, by connection."""
    new: dict[str, int] = {}
    for row in rows:
        new[row.connection] = new.get(row.connection, 0) + len(row.data) + ROW_OVERHEAD_BYTES
    return new


SETTLING_BYTES = 2 << 20
"""Kept free in addition to `free_bytes_min`: what settling writes on a disk that has no room for envelopes."""
DEAD_LETTER_BYTES = 768
"""Kept free for each waiting row: what a dead letter without Intercom's response takes more than the row did.

It keeps the envelope, and the outcome is written twice: with the dead letter and into the journal. Measured: 530 bytes
with one event, 770 with three. Of larger outcomes settling leaves the details out where the disk has no room for them.
"""
RESERVED_EFFECTS = 4
"""Effects of an outcome for which `DEAD_LETTER_BYTES` are enough: the update of the contact and three events."""
_APPEND_FACTOR = 3
"""An appended byte is written twice, into the write-ahead log and then into the file; the third is for indexes."""
_PAGE_BYTES = 4_096
_ROW_PAGES = 2
"""Pages of indexes that a row changes, at most, and that the write-ahead log then holds as a whole."""


LOG_BYTES_MIN = 512 << 10
"""On the smallest volumes the write-ahead log is copied back this early."""
LOG_BYTES_MAX = 4_000 * _PAGE_BYTES
"""16 MiB on volumes of 256 MiB and more, so that a page written by many commits is copied once."""
_VOLUME_SHARE = 16


class DiskSpace(NamedTuple):
    """The disk as admission last read it."""

    free_bytes: int
    volume_bytes: int
    file_bytes: int
    """Of the spool's file."""
    log_bytes: int
    """Of its write-ahead log: a checkpoint may need as much again, to make the file longer."""


def log_bytes(volume_bytes: int) -> int:
    """Returns the size of the write-ahead log at which it is copied back into the file."""
    return min(LOG_BYTES_MAX, max(LOG_BYTES_MIN, volume_bytes // _VOLUME_SHARE))


def reserved(new_bytes: int, rows: int, space: DiskSpace) -> int:
    """Returns the bytes that must be free for an append of `new_bytes` by `weigh`, in addition to `free_bytes_min`.

    Args:
        new_bytes: of the rows to append.
        rows: that wait, with the new ones.
        space: The log may still grow to its full size, and its checkpoint may make the file longer by all that it
            holds.
    """
    log = max(space.log_bytes, log_bytes(space.volume_bytes))
    return SETTLING_BYTES + rows * DEAD_LETTER_BYTES + log + append_cost(new_bytes, space)


def append_cost(new_bytes: int, space: DiskSpace) -> int:
    """Returns the bytes of the disk that appending `new_bytes` by `weigh` may take until the next checkpoint is over.

    The log holds a changed page as a whole, but never more pages of indexes than the file has.
    """
    rows = new_bytes // ROW_OVERHEAD_BYTES
    return _APPEND_FACTOR * new_bytes + min(rows * _ROW_PAGES * _PAGE_BYTES, space.file_bytes)


def free_refusal(free_bytes: int, free_bytes_min: int, reserved_bytes: int = 0) -> str:
    """Returns why the disk's free space forbids an append; empty if it does not.

    `reserved_bytes` are kept free in addition to `free_bytes_min`.
    """
    if free_bytes >= free_bytes_min + reserved_bytes:
        return ""
    reserved = f", and settling and checkpoints need {reserved_bytes} more" if reserved_bytes else ""
    kept = f"the disk has {free_bytes} bytes left, and spool.free_bytes_min keeps {free_bytes_min} of them{reserved}"
    return f"{kept}; retry later, or free space on the disk"
