"""Which processes of a fleet are alive: each counts its heartbeats in the database, and the others see the changes.

As for a lease, only the clock of the process that looks counts.
"""

from collections.abc import Mapping
from typing import NamedTuple

from intercomd_daemon.fleet.lease import Terms


class Heartbeat(NamedTuple):
    """The last heartbeat of a process that this one has seen."""

    number: int
    """How many heartbeats there were."""
    at: float
    """When this process first saw the count, by its own clock."""


def follow_heartbeats(
    before: Mapping[str, Heartbeat], counts: Mapping[str, int], now: float, ages: Mapping[str, float] | None = None
) -> dict[str, Heartbeat]:
    """Returns the heartbeats after reading the counts of all processes, by incarnation.

    `ages`: how many seconds ago the last heartbeat of a process was that is seen for the first time; None: 0.0 for all.
    """
    followed: dict[str, Heartbeat] = {}
    for incarnation, count in counts.items():
        known = before.get(incarnation)
        if known is not None and known.number == count:
            followed[incarnation] = known
        else:
            age = ages[incarnation] if ages is not None and known is None else 0.0
            followed[incarnation] = Heartbeat(count, now - age)
    return followed


def is_alive(heartbeat: Heartbeat, now: float, terms: Terms) -> bool:
    """Returns whether a process has had a heartbeat lately, judged as the renewals of a lease are."""
    return now - heartbeat.at < terms.lease_seconds + terms.margin_seconds
