"""The daemons that share a spool, which of them delivers each workspace, and the health of their database."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from intercomd_daemon.fleet.lease import Terms


class MemberRow(NamedTuple):
    """A daemon, as the database has it."""

    incarnation: str
    daemon_id: str
    version: str
    since: float
    """Its start, Unix seconds."""
    seen: float
    """The time of its last sign of life, Unix seconds; it changes while the daemon runs."""
    settings: Mapping[str, str]
    """A digest of each section of the settings that all daemons should share."""


class Beat(NamedTuple):
    """The last change of a member's row that this daemon has seen."""

    seen: float
    at: float
    """By this daemon's own clock."""


class Member(NamedTuple):
    """A daemon that has the spool open, or failed within the last hour."""

    daemon_id: str
    version: str
    since: float
    seen: float
    alive: bool
    differing: tuple[str, ...]
    """The sections of its settings that differ from those of the daemon that is called."""


class Delivery(NamedTuple):
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
    """Why the daemon before it stopped, or if none delivers, why the last one did."""
    previous: str
    """The daemon before it."""


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
    members: Sequence[Member] = ()
    """Living ones first, by id."""
    deliveries: Sequence[Delivery] = ()
    """By workspace."""
    database: DatabaseHealth = DatabaseHealth()


def follow(before: Mapping[str, Beat], rows: Sequence[MemberRow], now: float, wall: float) -> dict[str, Beat]:
    """Returns when each member's row last changed. `now` is this daemon's own clock, `wall` the one of all daemons.

    Only of a member that is seen for the first time, the stored time counts.
    """
    beats: dict[str, Beat] = {}
    for row in rows:
        known = before.get(row.incarnation)
        if known is None:
            beats[row.incarnation] = Beat(row.seen, now - max(0.0, wall - row.seen))
        else:
            beats[row.incarnation] = known if known.seen == row.seen else Beat(row.seen, now)
    return beats


def members_of(
    rows: Sequence[MemberRow], beats: Mapping[str, Beat], own: Mapping[str, str], now: float, terms: Terms
) -> list[Member]:
    """Returns the members, the living ones first; `own` are the digests of this daemon's settings."""
    silent_seconds = terms.lease_seconds + terms.margin_seconds
    members = [
        Member(
            row.daemon_id,
            row.version,
            row.since,
            row.seen,
            now - beats[row.incarnation].at < silent_seconds,
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
