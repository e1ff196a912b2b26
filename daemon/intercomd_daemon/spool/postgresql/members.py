"""The processes that share the spool: the only writer of the table `members`, and what it reads there for placement."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import msgspec

from intercomd_daemon.fleet.heartbeat import Heartbeat, follow_heartbeats
from intercomd_daemon.fleet.lease import RENEWALS_PER_LEASE, Terms
from intercomd_daemon.fleet.placement import Member, living
from intercomd_daemon.spool.postgresql.session import Session

_MEMBERS = "SELECT incarnation, heartbeats, connections, workspaces, since FROM members"
_HEARTBEAT = "SELECT heartbeat_1($1, $2, $3, $4, $5, $6, $7)"


class Members:
    """The row of this process, and the heartbeats that it has seen of all."""

    def __init__(self, incarnation: str, daemon_id: str, terms: Terms, wall: Callable[[], float]) -> None:
        self._incarnation = incarnation
        self._daemon_id = daemon_id
        self._terms = terms
        self._wall = wall
        self._version = ""
        self._digests = "{}"
        self._serves: dict[str, str] = {}
        self._seen: dict[str, Heartbeat] = {}
        self._due = float("-inf")
        """When the next heartbeat is due."""
        self._writing = asyncio.Lock()

    def serve(self, workspaces: Mapping[str, str]) -> None:
        """Names the workspace of each connection of the settings; the next heartbeat, due now, stores it."""
        self._serves = dict(workspaces)
        self._due = float("-inf")

    def describe(self, version: str, digests: Mapping[str, str]) -> None:
        """Names the release and the digests of the settings; the next heartbeat, due now, stores them."""
        self._version, self._digests = version, msgspec.json.encode(digests).decode()
        self._due = float("-inf")

    def forget(self) -> None:
        """Forgets what was seen on an earlier session."""
        self._seen = {}

    async def write_heartbeat(self, control: Session, clock: Callable[[], float]) -> None:
        """Writes the row of this process, if a heartbeat is due."""
        async with self._writing:
            now = clock()
            if now < self._due:
                return
            self._due = now + self._terms.lease_seconds / RENEWALS_PER_LEASE
            served = self._serves or {"": ""}
            values = (self._wall(), [*served], [*served.values()], self._version, self._digests)
            try:
                await control.fetch(_HEARTBEAT, self._incarnation, self._daemon_id, *values)
            except BaseException:
                self._due = float("-inf")
                raise

    async def look(self, control: Session, unannounced: set[str], clock: Callable[[], float]) -> dict[str, Member]:
        """Returns the members that are alive, this one among them; writes its heartbeat first, if that is due.

        `unannounced`: workspaces that this process may take without naming connections of them.
        """
        await self.write_heartbeat(control, clock)
        found = [_member(row) for row in await control.fetch(_MEMBERS)]
        now = clock()
        self._seen = follow_heartbeats(self._seen, {each.incarnation: each.heartbeats for each in found}, now)
        members = living(found, self._seen, now, self._terms)
        own = members.get(self._incarnation, Member(self._incarnation, 0, frozenset()))
        served = {workspace for workspace, _ in own.serves}
        further = frozenset((workspace, "") for workspace in unannounced - served)
        return members | {self._incarnation: own._replace(serves=own.serves | further)}

    def connections_of(self, workspace: str) -> list[str]:
        """Returns the connections that deliver to a workspace by the settings of this process."""
        return [name for name, served in self._serves.items() if served == workspace]

    async def leave(self, control: Session) -> None:
        """Deletes the row of this process."""
        await control.fetch("SELECT leave_1($1)", self._incarnation)


def _member(row: asyncpg.Record) -> Member:
    pairs = zip(row["workspaces"], row["connections"], strict=True)
    return Member(row["incarnation"], row["heartbeats"], frozenset(pair for pair in pairs if pair[0]), row["since"])
