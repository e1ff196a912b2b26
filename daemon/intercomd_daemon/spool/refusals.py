"""The newest rejected and skipped envelopes, in memory: adding one costs no disk access and no wait.

Each caller and connection has a share: when there are too many, the oldest of the largest share is dropped. So a flood
of one caller's refusals does not displace the few of another.
"""

from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from intercomd_daemon.envelope import Refusal
from intercomd_daemon.spool.trail import TrailFilter

BYTES_MAX = 8 << 20
"""Of all refusals by `size_of`; 10,000 usual ones have 3 MiB."""
_UNKNOWN_CONNECTION = "UNKNOWN_CONNECTION"
_OVERHEAD_BYTES = 100
_FINDING_BYTES = 20


def size_of(refusal: Refusal) -> int:
    """Returns about the bytes of a refusal's record."""
    texts = (refusal.envelope_id, refusal.connection, refusal.customer_id, refusal.email, refusal.event_name)
    findings = sum(
        _FINDING_BYTES + len(each.reason) + len(each.field) + len(each.message) for each in refusal.violations
    )
    return _OVERHEAD_BYTES + len(refusal.caller) + sum(map(len, texts)) + findings


def share_of(refusal: Refusal) -> tuple[str, str]:
    """Returns the caller and the connection whose share holds a refusal.

    Connections that the settings do not have are the sender's text: together they have one share.
    """
    unknown = any(violation.reason == _UNKNOWN_CONNECTION for violation in refusal.violations)
    return refusal.caller, "" if unknown else refusal.connection


class _Share:
    """The refusals of one caller and connection, oldest first."""

    def __init__(self) -> None:
        self.refusals: deque[Refusal] = deque()
        self.bytes = 0


class Refusals:
    """The refusals that are kept."""

    def __init__(self, refusals_max: int, kept_seconds: float) -> None:
        """Empty. `refusals_max` bounds their number, `kept_seconds` their age."""
        self._refusals_max = refusals_max
        self._kept_seconds = kept_seconds
        self._shares: dict[tuple[str, str], _Share] = {}
        self._count = 0
        self._bytes = 0
        self._number = 0
        self.changed = False
        """Whether any were added since `load`."""

    def load(self, refusals: Sequence[Refusal]) -> None:
        """Adds those that an earlier run saved, oldest first, with their numbers."""
        for refusal in refusals:
            self._number = max(self._number, refusal.number)
            self._add(refusal)

    def add(self, refusals: Sequence[Refusal]) -> None:
        """Adds refusals and drops what is beyond the bounds."""
        for refusal in refusals:
            self._number += 1
            self._add(replace(refusal, number=self._number))
        self.changed = True

    def find(self, wanted: TrailFilter, before: int, limit: int, now: float) -> list[Refusal]:
        """Returns the matching ones, newest first, below the number `before` (0: from the newest)."""
        found = [
            refusal
            for refusal in self._kept(now)
            if (not before or refusal.number < before)
            and wanted.matches(refusal.connection, refusal.envelope_id, refusal.customer_id, refusal.email)
        ]
        return sorted(found, key=lambda refusal: -refusal.number)[:limit]

    def all(self, now: float) -> list[Refusal]:
        """Returns all that are not too old, oldest first."""
        return sorted(self._kept(now), key=lambda refusal: refusal.number)

    def expire(self, now: float) -> None:
        """Drops those that are too old."""
        start = now - self._kept_seconds
        for name, share in list(self._shares.items()):
            while share.refusals and share.refusals[0].time < start:
                self._drop(name)

    def _kept(self, now: float) -> list[Refusal]:
        start = now - self._kept_seconds
        return [each for share in self._shares.values() for each in share.refusals if each.time >= start]

    def _add(self, refusal: Refusal) -> None:
        share = self._shares.setdefault(share_of(refusal), _Share())
        share.refusals.append(refusal)
        self._count_one(share, refusal, 1)
        while self._count > self._refusals_max:
            self._drop(max(self._shares.items(), key=lambda item: len(item[1].refusals))[0])
        while self._bytes > BYTES_MAX:
            self._drop(max(self._shares.items(), key=lambda item: item[1].bytes)[0])

    def _drop(self, name: tuple[str, str]) -> None:
        share = self._shares[name]
        self._count_one(share, share.refusals.popleft(), -1)
        if not share.refusals:
            del self._shares[name]

    def _count_one(self, share: _Share, refusal: Refusal, sign: int) -> None:
        size = sign * size_of(refusal)
        self._count += sign
        self._bytes += size
        share.bytes += size
