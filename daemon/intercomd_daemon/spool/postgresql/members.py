"""The processes that share the spool: shows that this one lives, and sees which others do."""

from collections.abc import Callable, Mapping

import asyncpg

from intercomd_daemon.fleet.lease import RENEWALS_PER_LEASE, Terms
from intercomd_daemon.fleet.placement import Member, Presence, living, observe_members
from intercomd_daemon.spool.postgresql.session import Session

_MEMBERS = "SELECT incarnation, beat, connections, workspaces FROM members"
_BEAT = "SELECT incarnation, beat, connections, workspaces FROM beat_1($1, $2, $3, $4, $5)"


class Members:
    """The row of this process, and what it has seen of all rows."""

    def __init__(self, incarnation: str, daemon_id: str, terms: Terms, wall: Callable[[], float]) -> None:
        self._incarnation = incarnation
        self._daemon_id = daemon_id
        self._terms = terms
        self._wall = wall
        self._serves: dict[str, str] = {}
        self._seen: dict[str, Presence] = {}
        self._beat_at = float("-inf")

    def serve(self, workspaces: Mapping[str, str]) -> None:
        """Names the workspace of each connection of the settings; the next beat shows it."""
        self._serves = dict(workspaces)
        self._beat_at = float("-inf")

    def forget(self) -> None:
        """Forgets what was seen on an earlier session."""
        self._seen = {}

    async def look(self, control: Session, waiting: set[str], clock: Callable[[], float]) -> dict[str, Member]:
        """Returns the members that live, this one among them. It beats when that is due."""
        now = clock()
        if now >= self._beat_at + self._terms.lease_seconds / RENEWALS_PER_LEASE:
            shown = self._serves or {"": ""}
            values = (self._incarnation, self._daemon_id, self._wall(), [*shown], [*shown.values()])
            rows = await control.fetch(_BEAT, *values)
            self._beat_at = now
        else:
            rows = await control.fetch(_MEMBERS)
        now = clock()
        self._seen = observe_members(self._seen, map(_member, rows), now)
        members = living(self._seen, now, self._terms)
        # What it waits for it can deliver, also before its settings are known.
        own = members.get(self._incarnation, Member(self._incarnation, 0, frozenset()))
        served = {workspace for workspace, _ in own.serves}
        unknown = frozenset((workspace, "") for workspace in waiting - served)
        return members | {self._incarnation: own._replace(serves=own.serves | unknown)}

    async def leave(self, control: Session) -> None:
        """Deletes the row of this process."""
        await control.fetch("SELECT leave_1($1)", self._incarnation)


def _member(row: asyncpg.Record) -> Member:
    pairs = zip(row["workspaces"], row["connections"], strict=True)
    return Member(row["incarnation"], row["beat"], frozenset(pair for pair in pairs if pair[0]))
