"""Checks what must hold of the calls of several daemons; raises an AssertionError if anything does not."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from fleet_harness.intercom_proxy import Call
from intercomd_daemon.sandbox import Sandbox
from kill_harness.laws import Laws, name_of


class Struck(NamedTuple):
    """A blow, and how often each lane's last call may have been repeated until the next one."""

    name: str
    at: float
    repeats: int


def check_repeats(sandbox: Sandbox, blows: Sequence[Struck], laws: Laws) -> int:
    """Each event came again, with the same created_at, at most as often as blows allow; returns the repeats.

    The rate limit may delay a lane's next call after a take-over until the next blow has begun, but not longer.
    """
    arrived: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for event in (*sandbox.events, *sandbox.repeats):
        arrived[name_of(event), event.name, event.created_at].append(event.received_at)
    begins = [blow.at for blow in blows]
    repeated: Counter[tuple[str, int]] = Counter()
    for (name, _, _), times in arrived.items():
        for _, again in pairwise(sorted(times)):
            repeated[name, bisect_right(begins, again) - 1] += 1
    for (name, place), count in repeated.items():
        assert place >= 0, f"a repeat before the first blow, of {name}"
        late = max(0, blows[place - 1].repeats - repeated.get((name, place - 1), 0)) if place else 0
        assert count <= blows[place].repeats + late, f"{count} repeats of {name} after {blows[place].name}"
    laws["a take-over repeated no more than the last call of a lane"] += sum(blow.repeats > 0 for blow in blows)
    return repeated.total()


def check_overlap(calls: Sequence[Call], blows: Sequence[Struck], laws: Laws) -> int:
    """Calls of two daemons were never under way at once, but for one of each lane at a blow; returns how many were."""
    overlapping: Counter[tuple[str, int]] = Counter()
    begins = [blow.at for blow in blows]
    current: Call | None = None
    for call in sorted(calls, key=lambda each: each.begun):
        if current is not None and call.begun < current.ended and call.daemon != current.daemon:
            late = current if current.ended < call.ended else call
            overlapping[late.user or late.path, bisect_right(begins, call.begun) - 1] += 1
        if current is None or call.ended > current.ended:
            current = call
    for (user, place), count in overlapping.items():
        assert count <= 1, f"{count} calls of {user} overlapped those of another daemon after {blows[place].name}"
    laws["calls of two daemons did not overlap"] += len(calls)
    return overlapping.total()


def check_budget(sandbox: Sandbox, laws: Laws) -> None:
    """No call was refused by the rate limit."""
    refused = [call for call in sandbox.calls if call.status == 429]
    assert not refused, f"{len(refused)} calls were refused, the first {refused[0].path} at {refused[0].time}"
    laws["a call was within the rate limit"] += len(sandbox.calls)
