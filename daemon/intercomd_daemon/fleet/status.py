"""The daemons that share a spool, which of them delivers each workspace, and the health of their database."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from intercomd_daemon.fleet.heartbeat import Heartbeat, is_alive
from intercomd_daemon.fleet.lease import Terms


class MemberRow(NamedTuple):
    """A daemon, as the database has it."""

    incarnation: str
    daemon_id: str
    version: str
    since: float
    """Its start, Unix seconds."""
    heartbeats: int
    seen: float
    """The time of the last heartbeat, Unix seconds."""
    settings: Mapping[str, str]
    """A digest of each section of the settings that all daemons should share."""


class FleetMember(NamedTuple):
    """A daemon that has the spool open, or failed within the last hour."""

    daemon_id: str
    version: str
    since: float
    seen: float
    alive: bool
    differing: tuple[str, ...]
    """The sections of its settings that differ from those of the daemon that is called."""


class WorkspaceDelivery(NamedTuple):
    """Which daemon delivers a workspace."""

    workspace: str
    connections: tuple[str, ...]
    daemon_id: str
    """Of the daemon that delivers, or if none does, of the last one."""
    since: float
    """When it began to deliver, Unix seconds; 0.0: no daemon ever did."""
    held: bool
    """Whether a daemon delivers now."""
    reason: str
    """Why the previous daemon stopped, or if none delivers, why the last one did."""
    previous: str
    """The previous daemon."""


class DatabaseHealth(NamedTuple):
    """What slows down every table that serves as a queue."""

    oldest_snapshot_transactions: int = 0
    """Transactions that began since the oldest snapshot that is still in use: dead rows since then stay."""
    oldest_snapshot_seconds: float = 0.0
    """The age of the oldest transaction with a snapshot; 0.0: unknown, or there is none."""
    dead_rows: Mapping[str, int] = {}
    """By table."""


class FleetStatus(NamedTuple):
    """What one daemon knows of the fleet."""

    daemon_id: str
    """Of this daemon."""
    members: Sequence[FleetMember] = ()
    """Living ones first, by id."""
    deliveries: Sequence[WorkspaceDelivery] = ()
    """By workspace."""
    database: DatabaseHealth = DatabaseHealth()


def members_of(
    rows: Sequence[MemberRow], heartbeats: Mapping[str, Heartbeat], own: Mapping[str, str], now: float, terms: Terms
) -> list[FleetMember]:
    """Returns the members, the living ones first; `own` are the digests of this daemon's settings."""
    members = [
        FleetMember(
            row.daemon_id,
            row.version,
            row.since,
            row.seen,
            is_alive(heartbeats[row.incarnation], now, terms),
            differing(own, row.settings),
        )
        for row in rows
    ]
    return sorted(members, key=lambda each: (not each.alive, each.daemon_id, each.since))


def differing(own: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the sections whose digests differ, or that one of them lacks; none before both have stored theirs."""
    if not own or not other:
        return ()
    return tuple(sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name)))
