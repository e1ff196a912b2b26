"""Holds the leases of workspaces: renews, hands over and releases them over the control session.

`fleet.lease` decides when, `fleet.placement` to whom.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import asyncpg

from intercomd_daemon.errors import IntercomdError, LeaseLost
from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.fleet.placement import must_wait, should_move, should_offer
from intercomd_daemon.spool.fleet import CanDeliver
from intercomd_daemon.spool.postgresql.claims import Claimed, Claims
from intercomd_daemon.spool.postgresql.session import Session

RETRIES_PER_LEASE = 20
"""How often at most a renewal that fails is sent again while the lease lasts."""


def boot_time() -> float:
    """Returns seconds of a clock that also counts while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HeldLease:
    """A workspace while this process holds its lease; shared by the outflows of the process."""

    def __init__(self, workspace: str, claimed: Claimed) -> None:
        self.workspace = workspace
        self.lease = claimed.lease
        self.unclean = claimed.unclean
        self.held_since = claimed.lease.sent_at
        self.troubled_since: float | None = None
        """Since when this process cannot deliver; None: it can."""
        self.asked = asyncio.Event()
        """Set when another process is to deliver the workspace: it must be released."""
        self.release_reason = "released"
        """Stored with the lease when it is released."""
        self.users = 0
        """Outflows that have not released it."""
        self.lost = asyncio.Event()
        self.loss_reason = ""
        self.renewing: asyncio.Task[None]

    def lose(self, reason: str) -> None:
        """Ends the holding; nothing more may be called or committed for the workspace."""
        if not self.lost.is_set():
            self.loss_reason = reason
            self.lost.set()

    def check(self, now: float) -> None:
        """Raises LeaseLost unless a call may leave or stay open now."""
        if not self.lease.may_call(now):
            self.lose("its lease was not renewed in time")
        if self.lost.is_set():
            self.raise_lost()

    def raise_lost(self) -> NoReturn:
        """Raises LeaseLost with the reason."""
        raise LeaseLost(f"the workspace {self.workspace} is lost: {self.loss_reason}")


class Leases:
    """The leases of this process."""

    def __init__(self, incarnation: str, daemon_id: str, terms: Terms, wall: Callable[[], float]) -> None:
        """`incarnation` is a random name of this process."""
        self.terms = terms
        self._holdings: dict[str, HeldLease] = {}
        self._claiming: dict[str, asyncio.Lock] = {}
        self.clock = boot_time
        self.claims = Claims(incarnation, daemon_id, terms, wall, self._now)
        self.control: Session

    def _now(self) -> float:
        return self.clock()

    def start(self, control: Session) -> None:
        """Looks at the leases over a session, once that is open."""
        self.control = self.claims.control = control
        self.claims.start()

    def on_new_session(self) -> None:
        """Forgets what was seen on the control session before, and ends what was held on it."""
        self.claims.on_new_session()
        self.lose_all("the session with the database ended")

    def lose_all(self, reason: str) -> None:
        """Ends all holdings; their workspaces are acquired again under a new epoch."""
        for holding in self._holdings.values():
            holding.lose(reason)

    async def acquire(self, workspace: str, can_deliver: CanDeliver | None = None) -> HeldLease:
        """Waits until this process holds the workspace.

        If `can_deliver` returns that this process could deliver it, it may be taken from an owner that lives.
        """
        async with self._claiming.setdefault(workspace, asyncio.Lock()):
            holding = self._holdings.get(workspace)
            if holding is None or holding.lost.is_set():
                holding = HeldLease(workspace, await self.claims.claim(workspace, can_deliver))
                self._holdings[workspace] = holding
                holding.renewing = asyncio.create_task(self._renew(holding), name=f"lease of {workspace}")
            holding.users += 1
            return holding

    async def _renew(self, holding: HeldLease) -> None:
        """Renews a lease until it is lost or released; a renewal that fails is repeated while the lease lasts."""
        pause = self.terms.lease_seconds / RETRIES_PER_LEASE
        refused = ""
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
            offered = should_offer(holding.troubled_since, holding.held_since, sent_at, self.terms)
            values = (holding.workspace, *holding.lease.fence, offered, refused)
            renewal = asyncio.ensure_future(self.control.fetch_value("SELECT renew_1($1, $2, $3, $4, $5)", *values))
            left = holding.lease.abort_at - sent_at
            done, _ = await asyncio.wait({renewal}, timeout=max(0.0, left))
            if not done:
                renewal.cancel()
                continue
            error = renewal.exception()
            if error is None and renewal.result() is not None:
                holding.lease = holding.lease.renewed(sent_at)
                refused = self._consider(holding, renewal.result(), offered=offered)
            elif error is None:
                holding.lose("another daemon took it")
            elif not isinstance(error, IntercomdError | asyncpg.PostgresError):
                holding.lose(f"its renewal failed: {error!r}")

    def _consider(self, holding: HeldLease, successor: str, *, offered: bool) -> str:
        """Decides whether to hand a workspace over to the process that asks for it; returns whom to refuse."""
        fleet = self.claims.fleet
        place = fleet.places.get(holding.workspace)
        if must_wait(fleet, holding.workspace):
            holding.release_reason = "settings"
            holding.asked.set()
            return ""
        if not successor or place is None:
            return ""
        places = {**fleet.places, holding.workspace: place._replace(offered=offered, successor=successor)}
        why = should_move(fleet._replace(places=places), holding.workspace, successor)
        if not why:
            return successor
        holding.release_reason = why
        holding.asked.set()
        return ""

    async def release(self, holding: HeldLease) -> None:
        """Releases a workspace once its last outflow has; another process may claim it at once."""
        holding.users -= 1
        if holding.users or holding.lost.is_set():
            return
        holding.lose("it was released")
        holding.renewing.cancel()
        values = (holding.workspace, *holding.lease.fence, holding.release_reason)
        with suppress(IntercomdError):  # The database is away: the lease ends by itself.
            await self.control.fetch("SELECT release_1($1, $2, $3, $4)", *values)

    async def close(self) -> None:
        """Releases all workspaces, and leaves the fleet."""
        for holding in list(self._holdings.values()):
            holding.users = 1  # This process stops: the lease is released, even if outflows still use it.
            await self.release(holding)
            holding.renewing.cancel()
            await asyncio.gather(holding.renewing, return_exceptions=True)
        await self.claims.close()
