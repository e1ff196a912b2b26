"""Which daemon of a fleet delivers which workspace, and when one takes a workspace over from another that lives.

An owner hands a workspace over only to a process that asked for it, and a process asks only after its own `GET /me` for
all of the workspace's connections succeeded. So a move needs the consent of both, and each decides by what it sees.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from intercomd_daemon.fleet.heartbeat import Heartbeat, is_alive
from intercomd_daemon.fleet.lease import RENEWALS_PER_LEASE, Terms

ESTABLISHED_HEARTBEATS = 2 * RENEWALS_PER_LEASE
"""A process that joined gets no workspace for two leases while others can take it.

Its heartbeats are as frequent as renewals.
"""
TROUBLED_LEASES = 3
"""An owner that cannot deliver for this many leases offers the workspace."""
MOVE_SECONDS = 60.0
"""An owner keeps a workspace at least this long before it offers it, and a process asks for one at most this often."""
YIELD_SECONDS = 0.25
"""How long a process leaves a free workspace to others that deliver fewer, and that see it within this time."""
LAST_SECONDS = 0.5
"""How long all leave a free workspace to its successor, and those that have just joined to established ones."""


class Member(NamedTuple):
    """A process of the fleet."""

    incarnation: str
    heartbeats: int
    """How many it has had since it joined."""
    serves: frozenset[tuple[str, str]]
    """The (workspace, connection) pairs of its settings."""
    since: float = 0.0
    """When it joined, in Unix seconds."""

    @property
    def established(self) -> bool:
        """Whether it joined at least two leases ago."""
        return self.heartbeats >= ESTABLISHED_HEARTBEATS

    def connections_of(self, workspace: str) -> frozenset[str]:
        """Returns the connections that deliver to a workspace."""
        return frozenset(connection for served, connection in self.serves if served == workspace)


class Place(NamedTuple):
    """Who delivers a workspace."""

    owner: str = ""
    """Empty: the lease was released."""
    offered: bool = False
    """Whether the owner cannot deliver."""
    successor: str = ""
    """The process that asked for it; empty: none did."""


class FleetView(NamedTuple):
    """The fleet as a process sees it."""

    me: str
    members: Mapping[str, Member]
    """Those that live, and always `me`."""
    places: Mapping[str, Place]

    def load(self, incarnation: str) -> int:
        """Returns how many workspaces a process delivers or has asked for."""
        return sum((place.successor or place.owner) == incarnation for place in self.places.values())

    def able(self, workspace: str) -> frozenset[str]:
        """Returns the processes that are configured for all connections of a workspace, or if none is, for the most.

        Those that must wait with it are not among them.
        """
        assigned = _assigned(self)
        serving = {
            name: len(connections)
            for name, member in self.members.items()
            if not _is_elsewhere(connections := member.connections_of(workspace), workspace, assigned)
        }
        most = max(serving.values(), default=0)
        return frozenset(name for name, count in serving.items() if count == most and most)


def living(
    members: Iterable[Member], heartbeats: Mapping[str, Heartbeat], now: float, terms: Terms
) -> dict[str, Member]:
    """Returns the members that are alive, by incarnation."""
    return {each.incarnation: each for each in members if is_alive(heartbeats[each.incarnation], now, terms)}


def must_wait(fleet: FleetView, workspace: str) -> bool:
    """Whether a connection of this process goes to another workspace, by the settings of other processes that live."""
    return _is_elsewhere(fleet.members[fleet.me].connections_of(workspace), workspace, _assigned(fleet))


def _is_elsewhere(connections: Iterable[str], workspace: str, assigned: Mapping[str, str]) -> bool:
    """Whether one of the connections is assigned to another workspace."""
    return any(assigned.get(each, workspace) != workspace for each in connections)


def _assigned(fleet: FleetView) -> dict[str, str]:
    """Returns the workspace of each connection that has several by the settings of the processes.

    Its envelopes go to one workspace at a time: while settings differ, to one that is delivered already, or to that of
    the process that has been there longest. All processes find the same one. A process delivers a workspace only if all
    of its connections there are assigned to it; one that must wait takes no connection from others.
    """
    pairs = frozenset[tuple[str, str]]().union(*(member.serves for member in fleet.members.values()))
    counts = Counter(connection for _, connection in pairs if connection)
    contested = {connection for connection, count in counts.items() if count > 1}
    rivals = {workspace for workspace, connection in pairs if connection in contested}
    assigned: dict[str, str] = {}
    for workspace in sorted(rivals, key=lambda each: _precedence(fleet, each, contested)):
        for member in fleet.members.values():
            connections = member.connections_of(workspace)
            if not _is_elsewhere(connections, workspace, assigned):
                assigned |= dict.fromkeys(connections & contested, workspace)
    return assigned


def _precedence(fleet: FleetView, workspace: str, contested: AbstractSet[str]) -> tuple[bool, float, str, str]:
    """Returns what orders the workspaces of contested connections; processes without such a one do not count."""
    serving = [each for each in fleet.members.values() if each.connections_of(workspace) & contested]
    owner = fleet.places.get(workspace, Place()).owner
    is_delivered = any(each.incarnation == owner for each in serving)
    since, eldest = min((each.since, each.incarnation) for each in serving)
    return not is_delivered, since, eldest, workspace


def may_take(fleet: FleetView, workspace: str, free_seconds: float) -> bool:
    """Whether to claim a lease that may be claimed since `free_seconds`.

    The processes that are able to deliver it claim it in this order, each only if those before it do not:

    1. The successor, at once. All others leave it LAST_SECONDS.
    2. Of the established processes those with the fewest workspaces, at once.
    3. The other established processes, after YIELD_SECONDS.
    4. Processes that have just joined, after LAST_SECONDS; if no other one is established, they follow 2 and 3.
    """
    able = fleet.able(workspace)
    if fleet.me not in able:
        return False
    place = fleet.places[workspace]
    if place.successor == fleet.me:
        return True
    if place.successor in able and free_seconds < LAST_SECONDS:
        return False
    rivals = able - {fleet.me, place.owner}
    established = {name for name in rivals if fleet.members[name].established}
    if established and not fleet.members[fleet.me].established:
        return free_seconds >= LAST_SECONDS
    first = all(fleet.load(fleet.me) <= fleet.load(name) for name in established or rivals)
    return first or free_seconds >= YIELD_SECONDS


def should_move(fleet: FleetView, workspace: str, successor: str) -> str:
    """Returns why a workspace should move from its owner to another process; empty if it should stay.

    A move for the sake of an even spread must make the spread more even, so that none is undone by the next one.
    """
    place = fleet.places[workspace]
    able = fleet.able(workspace)
    if successor not in able or successor == place.owner or not fleet.members[successor].established:
        return ""
    if place.offered:
        return "offered"
    if place.owner in fleet.members and place.owner not in able:
        return "settings"
    # `load` counts a workspace that was asked for as its successor's. The comparison is of the loads before the move.
    asked = place.successor == successor
    ours, theirs = fleet.load(place.owner) + asked, fleet.load(successor) - asked
    return "spread" if place.owner in fleet.members and ours - theirs >= 2 else ""


def wanted(fleet: FleetView, waiting: Iterable[str], tried: Mapping[str, float], now: float) -> str:
    """Returns the workspace to ask its owner for, once `GET /me` succeeds; empty if none.

    One at a time, the offered ones first, and each at most once in MOVE_SECONDS (`tried`: when it was last).
    """
    if any(place.successor == fleet.me for place in fleet.places.values()):
        return ""
    order = ("offered", "settings", "spread")
    found = [
        (order.index(why), -fleet.load(place.owner), workspace)
        for workspace in waiting
        if (place := fleet.places.get(workspace)) is not None
        and place.owner not in {"", fleet.me}
        and not place.successor
        and now - tried.get(workspace, now - MOVE_SECONDS) >= MOVE_SECONDS
        and (why := should_move(fleet, workspace, fleet.me))
    ]
    return min(found)[2] if found else ""


def should_offer(troubled_since: float | None, held_since: float, now: float, terms: Terms) -> bool:
    """Whether an owner offers a workspace, which it cannot deliver since `troubled_since`; None: it can."""
    if troubled_since is None or now - held_since < MOVE_SECONDS:
        return False
    return now - troubled_since >= TROUBLED_LEASES * terms.lease_seconds
