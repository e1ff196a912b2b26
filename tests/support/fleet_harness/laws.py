"""Checks what must hold of the calls of several daemons; raises an AssertionError if anything does not.

The daemons' logs show each take-over, whether a blow made it or a process, the database or the machine stalled for
longer than a lease. So a slow machine allows no call that a fast one forbids.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import NamedTuple

from daemons.process import Line
from fleet_harness.intercom_proxy import Call
from intercomd_daemon.fleet.lease import MARGIN_SECONDS
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.sandbox.events import Event
from kill_harness.laws import Laws, name_of
from kill_harness.plan import SECOND


class TakeOver(NamedTuple):
    """A daemon acquired the workspace, in Unix seconds; it makes no call about a user before."""

    at: float
    daemon: str
    released: bool
    """Whether the owner before ended its calls and gave the workspace up."""


class Struck(NamedTuple):
    """A blow, and how many take-overs it may make until the next one."""

    name: str
    at: float
    take_overs: int


_EVENTS = {"workspace_acquired", "workspace_lost", "workspace_moved", "draining"}
_RELEASED_SECONDS_MAX = 2 * MARGIN_SECONDS
"""A daemon that loses the lease while it drains does not log it. Another daemon claims it this much later at least."""


def take_overs_of(logs: Mapping[str, Iterable[Line]], clocks: Mapping[str, float]) -> list[TakeOver]:
    """Returns the take-overs that the daemons' logs show, in order; `clocks` are the seconds that theirs are ahead."""
    lines = [
        (datetime.fromisoformat(line["timestamp"]).timestamp() - clocks.get(daemon, 0.0), daemon, line)
        for daemon, log in logs.items()
        for line in log
        if line["event"] in _EVENTS
    ]
    found: list[TakeOver] = []
    ended, released_at = True, -inf
    for at, daemon, line in sorted(lines, key=lambda each: each[0]):
        # Each connection of the workspace logs it.
        if line["event"] == "workspace_acquired" and line["connection"] == SECOND:
            found.append(TakeOver(at, daemon, released=at - released_at < _RELEASED_SECONDS_MAX))
            ended, released_at = False, -inf
        elif not ended and daemon == found[-1].daemon:
            ended = line["event"] != "workspace_acquired"
            released_at = at if line["event"] in {"workspace_moved", "draining"} else -inf
    return found


def check_repeats(events: Iterable[Event], take_overs: Sequence[TakeOver], laws: Laws) -> int:
    """Each event came again, with the same created_at, only after a take-over; returns the repeats.

    An owner that is gone may have made one call of each lane that it could not commit. A later owner makes it again,
    once the rate limit and envelopes of normal priority let it. An owner that gives the workspace up commits all calls
    before.
    """
    arrived: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for event in events:
        arrived[name_of(event), event.name, event.created_at].append(event.received_at)
    begins = [each.at for each in take_overs]
    repeated: Counter[tuple[str, int]] = Counter()
    for (lane, name, created_at), times in arrived.items():
        for one, again in pairwise(sorted(times)):
            what = f"{name!r} of {lane}, at {created_at}, came at {one:.3f} and again at {again:.3f}"
            place = bisect_right(begins, one)
            assert place, f"{what}: before the first take-over"
            between = begins[place : bisect_right(begins, again)]
            assert between, f"{what}: no take-over between, the last is {take_overs[place - 1]}"
            assert not take_overs[place].released, f"{what}: after a release, {take_overs[place]}"
            repeated[lane, place] += 1
    for (lane, place), count in repeated.items():
        assert count == 1, f"{count} repeats of {lane} for {take_overs[place]}"
    laws["a take-over repeated no more than the last call of a lane"] += sum(not each.released for each in take_overs)
    return repeated.total()


def check_overlap(calls: Sequence[Call], take_overs: Sequence[TakeOver], names: Mapping[str, str], laws: Laws) -> int:
    """Few calls of an owner that is gone ended after the next owner's first one: one of each lane; returns how many.

    `names` are those of users by the ids of their contacts.
    """
    begins = [each.at for each in take_overs]
    first: dict[int, float] = {}
    for call in sorted(calls, key=lambda each: each.begun):
        place = bisect_right(begins, call.begun) - 1
        if place >= 0 and call.daemon == take_overs[place].daemon:
            first.setdefault(place, call.begun)
    late: Counter[tuple[str, int]] = Counter()
    for call in calls:
        place = bisect_right(begins, call.ended) - 1
        if place in first and call.daemon != take_overs[place].daemon and call.ended > first[place]:
            late[names.get(call.user, call.user), place] += 1
    for (user, place), count in late.items():
        owner = take_overs[place]
        assert count == 1, f"{count} calls of {user} by other daemons ended after the first of {owner}"
        assert not owner.released, f"a call of {user} by another daemon ended after the first of {owner}"
    laws["calls of two daemons did not overlap"] += len(calls)
    return late.total()


def check_budget(sandbox: Sandbox, laws: Laws) -> None:
    """No call was refused by the rate limit."""
    refused = [call for call in sandbox.calls if call.status == 429]
    assert not refused, f"{len(refused)} calls were refused, the first {refused[0].path} at {refused[0].time}"
    laws["a call was within the rate limit"] += len(sandbox.calls)


def check_take_overs(take_overs: Sequence[TakeOver], blows: Sequence[Struck]) -> None:
    """No daemon lost the workspace without a blow; not for a busy machine, where a stall is as good as a blow."""
    begins = [blow.at for blow in blows]
    made = Counter(bisect_right(begins, each.at) - 1 for each in take_overs)
    for place, blow in enumerate(blows):
        assert made[place] <= blow.take_overs, f"{made[place]} take-overs after {blow.name}"
