"""Holds the leases of workspaces: claims, renews and releases them over the control session.

`fleet.lease` decides when.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import asyncpg

from intercomd_daemon.errors import IntercomdError, LeaseLost
from intercomd_daemon.fleet.lease import Fence, Lease, LeaseRow, Observation, Terms, is_unclean, may_claim, observe
from intercomd_daemon.spool.postgresql.session import AnswerLost, DatabaseAway, Session

LOOKS_PER_LEASE = 20
"""How often a claimant looks at a lease; a release is seen within a second for leases up to 20 s."""
LOOK_SECONDS_MAX = 0.5
_LOOK = "SELECT incarnation, epoch, renewal, timeline, timeline_1() AS current FROM leases WHERE workspace = $1"
_PRESENT = "INSERT INTO leases (workspace, timeline) VALUES ($1, timeline_1()) ON CONFLICT DO NOTHING"


def boot_time() -> float:
    """Returns seconds of a clock that also counts while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Holding:
    """A workspace while this process holds its lease; shared by the outflows of the process."""

    def __init__(self, workspace: str, lease: Lease, *, unclean: bool) -> None:
        """`unclean`: the process that held it before did not release it."""
        self.workspace = workspace
        self.lease = lease
        self.unclean = unclean
        self.users = 0
        self.lost = asyncio.Event()
        self.reason = ""
        self.renewing: asyncio.Task[None]

    def lose(self, reason: str) -> None:
        """Ends the holding; nothing more may be called or committed for the workspace."""
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()

    def check(self, now: float) -> None:
        """Raises LeaseLost unless a call may leave or stay open now."""
        if not self.lease.may_call(now):
            self.lose("its lease was not renewed in time")
        if self.lost.is_set():
            self.raise_lost()

    def raise_lost(self) -> NoReturn:
        """Raises LeaseLost with the reason."""
        raise LeaseLost(f"the workspace {self.workspace} is lost: {self.reason}")


class Leases:
    """The leases of this process."""

    def __init__(self, incarnation: str, daemon_id: str, terms: Terms, wall: Callable[[], float]) -> None:
        """`incarnation` is a random name of this process."""
        self._incarnation = incarnation
        self._daemon_id = daemon_id
        self.terms = terms
        self._wall = wall
        self._holdings: dict[str, Holding] = {}
        self._claiming: dict[str, asyncio.Lock] = {}
        self._session = 0
        self.clock = boot_time
        self.control: Session

    def begin(self) -> None:
        """Notes a new control session: what was seen and held on the one before does not count any more."""
        self._session += 1
        self.lose_all("the session with the database ended")

    def lose_all(self, reason: str) -> None:
        """Ends all holdings; their workspaces are acquired again under a new epoch."""
        for holding in self._holdings.values():
            holding.lose(reason)

    async def acquire(self, workspace: str) -> Holding:
        """Waits until this process holds the workspace."""
        async with self._claiming.setdefault(workspace, asyncio.Lock()):
            holding = self._holdings.get(workspace)
            if holding is None or holding.lost.is_set():
                holding = await self._claim(workspace)
                self._holdings[workspace] = holding
                holding.renewing = asyncio.create_task(self._renew(holding), name=f"lease of {workspace}")
            holding.users += 1
            return holding

    async def _claim(self, workspace: str) -> Holding:
        seen: Observation | None = None
        session = 0
        pause = min(LOOK_SECONDS_MAX, self.terms.lease_seconds / LOOKS_PER_LEASE)
        while True:
            with suppress(AnswerLost, DatabaseAway):
                if session != self._session:
                    seen, session = None, self._session
                row, timeline = await self._look(workspace)
                seen = observe(seen, row, timeline, self.clock())
                sent_at = self.clock()
                if may_claim(seen, self._incarnation, sent_at, self.terms):
                    unclean = is_unclean(seen)
                    if await self._send_claim(workspace, row, "lease ended" if unclean else "released"):
                        lease = Lease(Fence(self._incarnation, row.fence.epoch + 1), sent_at, self.terms)
                        return Holding(workspace, lease, unclean=unclean)
            await asyncio.sleep(pause)

    async def _look(self, workspace: str) -> tuple[LeaseRow, int]:
        found = await self.control.fetch(_LOOK, workspace)
        if not found:
            await self.control.fetch(_PRESENT, workspace)
            found = await self.control.fetch(_LOOK, workspace)
        row = found[0]
        return LeaseRow(Fence(row["incarnation"], row["epoch"]), row["renewal"], row["timeline"]), row["current"]

    async def _send_claim(self, workspace: str, row: LeaseRow, reason: str) -> bool:
        values = (workspace, *row.fence, row.renewal, self._incarnation, self._daemon_id, self._wall(), reason)
        statement = "SELECT claim_1($1, $2, $3, $4, $5, $6, $7, $8)"
        return bool(await self.control.fetch_value(statement, *values))

    async def _renew(self, holding: Holding) -> None:
        """Renews a lease until it is lost or released; a renewal that fails is repeated while the lease lasts."""
        pause = self.terms.lease_seconds / LOOKS_PER_LEASE
        while not holding.lost.is_set():
            now = self.clock()
            if not holding.lease.may_call(now):
                holding.lose("its lease was not renewed in time")
                return
            wait = min(max(holding.lease.renew_at - now, pause), holding.lease.abort_at - now)
            with suppress(TimeoutError):
                await asyncio.wait_for(holding.lost.wait(), wait)
                return
            sent_at = self.clock()
            values = (holding.workspace, *holding.lease.fence)
            renewal = asyncio.ensure_future(self.control.fetch_value("SELECT renew_1($1, $2, $3, false, '')", *values))
            left = holding.lease.abort_at - sent_at
            done, _ = await asyncio.wait({renewal}, timeout=max(0.0, left))
            if not done:
                renewal.cancel()
                continue
            error = renewal.exception()
            if error is None and renewal.result() is not None:
                holding.lease = holding.lease.renewed(sent_at)
            elif error is None:
                holding.lose("another daemon took it")
            elif not isinstance(error, IntercomdError | asyncpg.PostgresError):
                holding.lose(f"its renewal failed: {error!r}")

    async def release(self, holding: Holding) -> None:
        """Releases a workspace once its last outflow has; another process may claim it at once."""
        holding.users -= 1
        if holding.users or holding.lost.is_set():
            return
        holding.lose("it was released")
        holding.renewing.cancel()
        values = (holding.workspace, *holding.lease.fence)
        with suppress(IntercomdError):  # The database is away: the lease ends by itself.
            await self.control.fetch("SELECT release_1($1, $2, $3, 'released')", *values)

    async def close(self) -> None:
        """Releases all workspaces."""
        for holding in list(self._holdings.values()):
            holding.users = 1
            await self.release(holding)
            holding.renewing.cancel()
            await asyncio.gather(holding.renewing, return_exceptions=True)
