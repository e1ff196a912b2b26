"""Decides whether the quota lets an append in; what is counted where, it only knows by the numbers that it is given.

Each of the n connections of the settings is sure of bytes_max / 2n; the rest is shared.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from intercomd_daemon.spool.base import Incoming

BYTES_MIN = 1 << 20
"""The smallest bytes_max that is of any use: a single envelope may have 1 MiB after its expansion."""
ROW_OVERHEAD_BYTES = 200
"""What a row costs beside its record: lane, id, key, its entry in the duplicate window, its share of unused space."""
RETRY_SECONDS = 5.0
"""Room comes at the speed of Intercom's rate limit, so the longest wait that the contract allows."""


class Quota(NamedTuple):
    """The bytes that may wait, and the connections among which half of them is divided."""

    bytes_max: int
    connections: tuple[str, ...]

    def refusal(self, used: Mapping[str, int], new: Mapping[str, int]) -> str:
        """Why `new` bytes by connection do not fit beside the `used` ones, in words; empty if they do."""
        total = sum(used.values()) + sum(new.values())
        if 2 * total <= self.bytes_max:  # No more than the other half is kept for anybody.
            return ""
        sure = self.bytes_max // (2 * max(1, len(self.connections)))
        kept = {name: max(0, sure - used.get(name, 0) - new.get(name, 0)) for name in self.connections}
        # What is kept for one that is named as well is no room for another of the request.
        reserved = sum(kept.values()) - min((kept.get(name, 0) for name in new), default=0)
        if total + reserved <= self.bytes_max:
            return ""
        names = ", ".join(sorted(new))
        return (
            f"the spool's quota leaves no room for {sum(new.values())} bytes of {names}:"
            f" {total - sum(new.values())} of {self.bytes_max} bytes wait, {reserved} are kept for other connections"
        )


def row_bytes(data: bytes) -> int:
    """What a row with this record counts for."""
    return len(data) + ROW_OVERHEAD_BYTES


def weigh(rows: Sequence[Incoming]) -> dict[str, int]:
    """What the rows count for, by connection."""
    new: dict[str, int] = {}
    for row in rows:
        new[row.connection] = new.get(row.connection, 0) + len(row.data) + ROW_OVERHEAD_BYTES
    return new


def free_refusal(free_bytes: int, free_bytes_min: int) -> str:
    """Why the disk's free space forbids an append, in words; empty if it does not."""
    if free_bytes >= free_bytes_min:
        return ""
    return f"the disk has {free_bytes} bytes left, and free_bytes_min keeps {free_bytes_min} of them"
