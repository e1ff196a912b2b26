"""Claims the leases that this process waits for: looks at all leases, takes what is free, asks for what should move.

`fleet.lease` decides what may be claimed, `fleet.placement` who takes it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import asyncpg

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.fleet.lease import Fence, Lease, LeaseRow, Observation, Terms, is_unclean, may_claim, observe
from intercomd_daemon.fleet.placement import FleetView, Place, may_take, must_wait, wanted
from intercomd_daemon.spool.fleet import CanDeliver
from intercomd_daemon.spool.postgresql.members import Members
from intercomd_daemon.spool.postgresql.session import Session

LOOK_SECONDS_MAX = 0.25
"""Between two looks of a claimant at the leases."""
LOOKS_PER_LEASE = 20
"""At least so often it looks while a lease lasts: leases below 5 s, shorter than the settings allow."""
FREE_LOOK_SECONDS = 0.1
"""Between two looks while a lease is free that another process should take first."""
_LOOK = """
SELECT workspace, incarnation, epoch, renewal, timeline, timeline_1() AS current, reason, offered, successor FROM leases
"""
_ADD_LEASE = "INSERT INTO leases (workspace, timeline) VALUES ($1, timeline_1()) ON CONFLICT DO NOTHING"


class Claimed(NamedTuple):
    """A lease that was claimed."""

    lease: Lease
    unclean: bool
    """Whether calls of a previous owner may still arrive."""


class _Wish(NamedTuple):
    """A workspace that this process waits for."""

    claimed: asyncio.Future[Claimed]
    can_deliver: CanDeliver | None
    """None: it takes nothing from an owner that lives."""


class Claims:
    """The workspaces that this process waits for."""

    def __init__(
        self, incarnation: str, daemon_id: str, terms: Terms, wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._incarnation = incarnation
        self._daemon_id = daemon_id
        self._terms = terms
        self._wall = wall
        self._clock = clock
        self._wishes: dict[str, _Wish] = {}
        self._seen: dict[str, Observation] = {}
        self._free_since: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.members = Members(incarnation, daemon_id, terms, wall)
        self.fleet = FleetView(incarnation, {}, {})
        """The fleet as of the last look."""
        self.control: Session

    def start(self) -> None:
        """Looks now and then, until `close`."""
        self._task = asyncio.create_task(self._run(), name="leases")

    def on_new_session(self) -> None:
        """Forgets what was seen: the database behind it may have lost commits."""
        self._seen.clear()
        self._free_since.clear()
        self.members.forget()

    async def claim(self, workspace: str, can_deliver: CanDeliver | None) -> Claimed:
        """Waits until the lease of a workspace was claimed."""
        wish = _Wish(asyncio.get_running_loop().create_future(), can_deliver)
        self._wishes[workspace] = wish
        self._wake.set()
        try:
            return await wish.claimed
        finally:
            del self._wishes[workspace]

    async def _run(self) -> None:
        pause = min(LOOK_SECONDS_MAX, self._terms.lease_seconds / LOOKS_PER_LEASE)
        while True:
            self._wake.clear()
            # While the database is away, and whatever it refuses for now: the next look tries again.
            with suppress(IntercomdError, asyncpg.PostgresError):
                await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), FREE_LOOK_SECONDS if self._free_since else pause)

    async def _look(self) -> None:
        # An agent names no connections. Inactive ones are not named either, but orders for them are performed.
        unannounced = {workspace for workspace, wish in self._wishes.items() if wish.can_deliver is None}
        members = await self.members.look(self.control, unannounced, self._clock)
        rows = await self.control.fetch(_LOOK)
        now = self._clock()
        found = {row["workspace"]: row for row in rows}
        for workspace in self._wishes.keys() - found.keys():
            await self.control.fetch(_ADD_LEASE, workspace)
            self._wake.set()
        places = {name: Place(row["incarnation"], row["offered"], row["successor"]) for name, row in found.items()}
        self.fleet = FleetView(self._incarnation, members, places)
        before = self._seen
        self._seen = {name: observe(before.get(name), _row(row), row["current"], now) for name, row in found.items()}
        for workspace in sorted(self._wishes.keys() & found.keys()):
            await self._claim_if_free(workspace, found[workspace]["reason"])
        self._ask_if_wanted()

    async def _claim_if_free(self, workspace: str, reason: str) -> None:
        sent_at, seen = self._clock(), self._seen.get(workspace)
        if seen is None or not may_claim(seen, self._incarnation, sent_at, self._terms):
            self._free_since.pop(workspace, None)
            return
        free_since = self._free_since.setdefault(workspace, sent_at)
        if must_wait(self.fleet, workspace) or not may_take(self.fleet, workspace, sent_at - free_since):
            return
        unclean, row = is_unclean(seen), seen.row
        why = "lease ended" if unclean else reason or "first"
        values = (workspace, *row.fence, row.renewal, self._incarnation, self._daemon_id, self._wall(), why)
        if not await self.control.fetch_value("SELECT claim_1($1, $2, $3, $4, $5, $6, $7, $8)", *values):
            return
        self._free_since.pop(workspace, None)
        places = {**self.fleet.places, workspace: Place(self._incarnation)}
        self.fleet = self.fleet._replace(places=places)
        wish = self._wishes.get(workspace)
        lease = Lease(Fence(self._incarnation, row.fence.epoch + 1), sent_at, self._terms)
        if wish is not None and not wish.claimed.done():
            wish.claimed.set_result(Claimed(lease, unclean))
        else:
            # The caller was cancelled while the claim was on its way.
            await self.control.fetch("SELECT release_1($1, $2, $3, 'released')", workspace, *lease.fence)

    def _ask_if_wanted(self) -> None:
        """Asks the owner of a workspace for it, once this process has seen that it could deliver."""
        if self._asking is not None and not self._asking.done():
            return
        now = self._clock()
        checks = {name: wish.can_deliver for name, wish in self._wishes.items() if wish.can_deliver is not None}
        workspace = wanted(self.fleet, checks, self._tried, now)
        if workspace:
            self._tried[workspace] = now
            fence = self._seen[workspace].row.fence
            self._asking = asyncio.create_task(self._ask(workspace, checks[workspace], fence), name="asking")

    async def _ask(self, workspace: str, can_deliver: CanDeliver, fence: Fence) -> None:
        with suppress(IntercomdError, asyncpg.PostgresError):
            if await can_deliver():
                await self.control.fetch("SELECT ask_1($1, $2, $3, $4)", workspace, *fence, self._incarnation)

    async def close(self) -> None:
        """Looks no more, and leaves the fleet."""
        tasks = [task for task in (self._task, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._task is not None:
            with suppress(IntercomdError):
                await self.members.leave(self.control)


def _row(row: asyncpg.Record) -> LeaseRow:
    return LeaseRow(Fence(row["incarnation"], row["epoch"]), row["renewal"], row["timeline"])
